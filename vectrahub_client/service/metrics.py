"""What is counted and timed, as Prometheus reads it: in the field's style, and under the old servers' names too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .records import Ending, Job

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

PREFIX = "vectrahub_"

# What a gauge shows: one number, or one per value of its label; None is left out.
Reading = float | None | Mapping[str, float | None]

_JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1800)
_WAIT_SECONDS = (0.01, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 900, 3600)
_STEP_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60)

# Phases are named by whoever draws a workflow and node classes by packs: above so many they are counted as one.
_PHASES = 100
_NODES = 1000
_OTHER = "other"

_TRYON = "tryon"


class Metrics:
    """Counters of one server, in a registry of their own. `text` may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._accepted = self._counter("jobs_accepted", "Jobs taken in.", "system")
        self._refused = self._counter("jobs_refused", "Requests for jobs that were refused, by why.", "kind")
        self._ended = self._counter("jobs_ended", "Jobs that are over, by how they ended.", "system", "state")
        self._failed = self._counter("job_errors", "Jobs that failed, by why.", "kind")
        self._seconds = self._histogram(
            "job_seconds", "Duration of the runs that gave their results.", _JOB_SECONDS, "system"
        )
        self._waits = self._histogram("job_wait_seconds", "From acceptance to the run.", _WAIT_SECONDS, "system")
        self._phases = self._histogram("phase_seconds", "Phases of workflows that report them.", _JOB_SECONDS, "phase")
        self._nodes = self._histogram("node_seconds", "Nodes that ran, by class.", _STEP_SECONDS, "node")
        self._cached = self._counter("node_cache_hits", "Nodes whose result was still there.")
        self._requests = self._counter("http_requests", "Answers.", "route", "status")
        self._http = self._histogram("http_seconds", "From a request to its answer's end.", _HTTP_SECONDS, "route")
        self._deliveries = self._counter("deliveries", "Tries to hand over results.", "kind", "outcome")
        self._pipeline = Histogram(
            "pipeline_duration_seconds",
            "Phases of workflows that report them.",
            ["phase"],
            buckets=_JOB_SECONDS,
            registry=self.registry,
        )
        self._errors = Counter("errors", "Jobs that failed.", registry=self.registry)
        self._tryons = _Tryons()
        self.registry.register(self._tryons)
        self._phase_names, self._node_names = _Names(_PHASES), _Names(_NODES)

    def accepted(self, system: str) -> None:
        """A job was taken in."""
        self._accepted.labels(system).inc()

    def refused(self, kind: str) -> None:
        """A request for a job was refused; `kind` is the Problem's."""
        self._refused.labels(kind).inc()

    def waited(self, system: str, seconds: float) -> None:
        """A job's run begins, so long after it was taken in."""
        self._waits.labels(system).observe(seconds)

    def ended(self, job: Job, ending: Ending) -> None:
        """A job is over: its duration, its nodes, and the phases where its report has them."""
        self._ended.labels(job.system, ending.state).inc()
        if ending.state == "completed":
            self._seconds.labels(job.system).observe(ending.seconds)
        if ending.state == "failed":
            self._failed.labels(ending.failure.kind if ending.failure else _OTHER).inc()
            self._errors.inc()
        for node, seconds in ending.nodes.items():
            self._nodes.labels(self._node_names.known(node)).observe(seconds)
        self._cached.inc(ending.cached)
        for phase, seconds in phases_of(ending.report):
            name = self._phase_names.known(phase)
            self._phases.labels(name).observe(seconds)
            self._pipeline.labels(name).observe(seconds)
        if job.system == _TRYON:
            self._tryons.count(ending)

    def request(self, route: str, status: int, seconds: float) -> None:
        """An answer was given; `route` is the template ("/jobs/{id}"), never the path that was asked for."""
        self._requests.labels(route, str(status)).inc()
        self._http.labels(route).observe(seconds)

    def delivery(self, kind: str, outcome: str) -> None:
        """A try to hand something over ended as `outcome` ("done", "put-off", "dead")."""
        self._deliveries.labels(kind, outcome).inc()

    def watch(self, name: str, text: str, read: Callable[[], Reading], label: str = "") -> None:
        """A gauge that is read whenever somebody asks. `name` is used as it is; with `label` there is one per value.

        `read` must neither wait nor raise, and is called from any thread. Raises ValueError for a name in use.
        """
        self.registry.register(_Gauge(name, text, read, label))

    def text(self) -> bytes:
        """All of it in the text format 0.0.4. Takes some milliseconds: not on the event loop."""
        return generate_latest(_WithoutCreated(self.registry))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}{name}_total", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], label: str) -> Histogram:
        return Histogram(PREFIX + name, text, [label], buckets=buckets, registry=self.registry)


def phases_of(report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """(phase, seconds) of the phases that ran, from {node title: report}; reports of other stages have none."""
    for one in report.values():
        if not isinstance(one, Mapping) or one.get("stage") != "phases":
            continue
        for image in _mappings(one.get("images")):
            for phase in _mappings(image.get("phases")):
                name, ms = phase.get("phase"), phase.get("ms")
                if phase.get("ran") and isinstance(name, str) and isinstance(ms, int | float) and math.isfinite(ms):
                    yield name, max(0.0, ms / 1000)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


class _Names:
    """Keeps the number of series bounded: names above the limit are one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def known(self, name: str) -> str:
        name = name[:100]
        if name not in self._seen and len(self._seen) < self._limit:
            self._seen.add(name)
        return name if name in self._seen else _OTHER


class _Gauge(Collector):
    def __init__(self, name: str, text: str, read: Callable[[], Reading], label: str) -> None:
        self._name, self._text, self._read, self._label = name, text, read, label

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(self._name, self._text)]

    def collect(self) -> Iterable[Metric]:
        reading = self._read()
        values = reading if isinstance(reading, Mapping) else {"": reading}
        gauge = GaugeMetricFamily(self._name, self._text, labels=[self._label] if self._label else [])
        for label, value in values.items():
            if value is not None:
                gauge.add_metric([label] if self._label else [], value)
        return [gauge]


class _Tryons(Collector):
    """The three figures of the try-on server. Its count has no `_total`, so it cannot be the library's Counter.

    The count is of all that ended by themselves, the failed ones too; the average is of those that gave a picture.
    """

    def __init__(self) -> None:
        self._done = self._failed = 0
        self._seconds = 0.0

    def count(self, ending: Ending) -> None:
        if ending.state == "completed":
            self._done += 1
            self._seconds += ending.seconds
        elif ending.state == "failed":
            self._failed += 1

    def describe(self) -> Iterable[Metric]:
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        average = 1000 * self._seconds / self._done if self._done else 0.0
        yield _single(
            "vton_inference_count", "Try-ons that ended, the failed ones included.", self._done + self._failed
        )
        yield _single("vton_inference_latency_ms", "Average duration of the try-ons that gave a picture.", average)
        yield _single("vton_inference_errors_total", "Try-ons that failed.", self._failed)


def _single(name: str, text: str, value: float) -> Metric:
    metric = Metric(name, text, "gauge" if name.endswith("_ms") else "unknown")
    metric.add_sample(name, {}, value)
    return metric


class _WithoutCreated(Collector):
    """The registry without the `_created` series, which double the page and which nobody promised."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric
