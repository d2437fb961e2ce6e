from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from vectrahub.vectrahub_client.service.metrics import Metrics
from vectrahub.vectrahub_client.service.records import Ending, Failure, Job

PHASES = [
    {"phase": "Detection", "enabled": True, "ms": 1500, "ran": 3, "memory_mb": 900, "gpu_mb": None, "report": None},
    {"phase": "Recolour", "enabled": True, "ms": 0, "ran": 0, "memory_mb": None, "gpu_mb": None, "report": None},
    {"phase": "Unwatched", "enabled": True, "ms": None, "ran": None, "memory_mb": None, "gpu_mb": None, "report": None},
]
REPORT = {
    "Phases": {"stage": "phases", "ms": 1600, "images": [{"phases": PHASES}]},
    "Trace": {"stage": "trace", "ms": 12, "images": [{"paths": 3}]},
}


def job(system: str) -> Job:
    return Job("id", 1, system, "running", "local", {}, {}, {}, {}, 60.0, 0.0)


def series(metrics: Metrics) -> dict[str, float]:
    """{name{label=value}: value} as a scraper reads the page."""
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for one in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
            found[f"{one.name}{{{labels}}}" if labels else one.name] = one.value
    return found


def test_a_jobs_way_is_counted() -> None:
    metrics = Metrics()
    metrics.accepted("upscale")
    metrics.waited("upscale", 2.0)
    metrics.refused("busy")
    metrics.ended(job("upscale"), Ending("completed", seconds=4.0, nodes={"KSampler": 3.5}, cached=6))
    metrics.ended(job("upscale"), Ending("failed", failure=Failure("timeout", "too long"), seconds=9.0))
    metrics.request("/vectrahub/v1/jobs/{id}", 404, 0.01)
    metrics.delivery("callback", "done")
    seen = series(metrics)
    expected = {
        "vectrahub_jobs_accepted_total{system=upscale}": 1,
        "vectrahub_jobs_refused_total{kind=busy}": 1,
        "vectrahub_jobs_ended_total{state=completed,system=upscale}": 1,
        "vectrahub_jobs_ended_total{state=failed,system=upscale}": 1,
        "vectrahub_job_errors_total{kind=timeout}": 1,
        "vectrahub_job_seconds_count{system=upscale}": 1,
        "vectrahub_job_seconds_sum{system=upscale}": 4,
        "vectrahub_job_wait_seconds_sum{system=upscale}": 2,
        "vectrahub_node_seconds_sum{node=KSampler}": 3.5,
        "vectrahub_node_cache_hits_total": 6,
        "vectrahub_http_requests_total{route=/vectrahub/v1/jobs/{id},status=404}": 1,
        "vectrahub_http_seconds_count{route=/vectrahub/v1/jobs/{id}}": 1,
        "vectrahub_deliveries_total{kind=callback,outcome=done}": 1,
        "errors_total": 1,
    }
    assert {name: seen.get(name) for name in expected} == expected


def test_phases_that_ran_are_timed_under_both_names() -> None:
    metrics = Metrics()
    metrics.ended(job("vehicle"), Ending("completed", report=REPORT))
    seen = series(metrics)
    for name in ("vectrahub_phase_seconds", "pipeline_duration_seconds"):
        assert seen[f"{name}_sum{{phase=Detection}}"] == 1.5
        assert [one for one in seen if one.startswith(f"{name}_count")] == [f"{name}_count{{phase=Detection}}"]


@pytest.mark.parametrize(
    "report",
    [
        {"Phases": "text"},
        {"Phases": {"stage": "phases"}},
        {"Phases": {"stage": "phases", "images": [{"phases": [7, {"phase": 1, "ms": "x", "ran": 1}]}, None]}},
        {"Phases": {"stage": "phases", "images": {"phases": 1}}},
    ],
)
def test_a_report_of_another_shape_is_no_trouble(report: dict) -> None:
    metrics = Metrics()
    metrics.ended(job("workflows"), Ending("completed", report=report))
    assert not [one for one in series(metrics) if one.startswith("vectrahub_phase_seconds_count")]


def test_names_that_anybody_may_choose_do_not_grow_the_page_without_end() -> None:
    metrics = Metrics()
    for number in range(300):
        phases = [{"phase": f"mine {number}", "ms": 1, "ran": 1}]
        report = {"Phases": {"stage": "phases", "images": [{"phases": phases}]}}
        metrics.ended(job("workflows"), Ending("completed", report=report))
    counts = {one: value for one, value in series(metrics).items() if one.startswith("vectrahub_phase_seconds_count")}
    assert len(counts) == 101
    assert counts["vectrahub_phase_seconds_count{phase=other}"] == 200


def test_the_try_on_servers_names_are_there_exactly() -> None:
    metrics = Metrics()
    assert series(metrics)["vton_inference_count"] == 0
    metrics.ended(job("tryon"), Ending("completed", seconds=2.0))
    metrics.ended(job("tryon"), Ending("completed", seconds=4.0))
    metrics.ended(job("tryon"), Ending("failed", failure=Failure("node", "no person"), seconds=1.0))
    metrics.ended(job("tryon"), Ending("cancelled"))
    metrics.ended(job("upscale"), Ending("completed", seconds=60.0))
    seen = series(metrics)
    assert seen["vton_inference_count"] == 3
    assert seen["vton_inference_latency_ms"] == 3000
    assert seen["vton_inference_errors_total"] == 1


def test_a_watched_figure_is_read_when_it_is_asked_for() -> None:
    metrics = Metrics()
    states: dict[str, float | None] = {"queued": 3, "running": None}
    used: list[float | None] = [None]
    metrics.watch("vectrahub_jobs", "Jobs.", lambda: states, "state")
    metrics.watch("gpu_memory_used_bytes", "GPU memory.", lambda: used[0])
    assert "gpu_memory_used_bytes" not in series(metrics)
    used[0], states["running"] = 2**33, 1
    seen = series(metrics)
    assert seen["gpu_memory_used_bytes"] == 2**33
    assert {one: seen[one] for one in seen if one.startswith("vectrahub_jobs{")} == {
        "vectrahub_jobs{state=queued}": 3,
        "vectrahub_jobs{state=running}": 1,
    }
    with pytest.raises(ValueError, match="gpu_memory_used_bytes"):
        metrics.watch("gpu_memory_used_bytes", "Again.", lambda: 0.0)


def test_no_series_of_creation_times_and_two_servers_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.accepted("logo")
    assert b"_created" not in one.text()
    assert "vectrahub_jobs_accepted_total{system=logo}" not in series(other)
