"""Probes and figures: what watchers ask often, while all else is busy. Open to everybody, so no names of jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from aiohttp import web
from pydantic import BaseModel, Field

from ..vectrahub_client import __version__
from ..vectrahub_client.service.metrics import CONTENT_TYPE, Metrics
from ..vectrahub_client.service.openapi import bare_answer, json_answer, operation
from ..vectrahub_client.service.records import Caller
from ..vectrahub_client.service.route import PREFIX, Route
from ..vectrahub_client.service.settings import Settings
from .fresh import Fresh
from .gpu_figures import Gpu

DISK_SPARE = 10**9  # bytes; with less a server takes no work

_OK = "ok"


class GpuView(BaseModel):
    """The accelerator. Memory is that in use by all processes."""

    name: str
    memory_total_bytes: int = Field(ge=0)
    memory_used_bytes: int = Field(ge=0)
    utilization_percent: float | None = Field(ge=0, le=100)


class QueueView(BaseModel):
    """Prompts of everybody in the host's queue."""

    running: int = Field(ge=0)
    queued: int = Field(ge=0)


class HealthView(BaseModel):
    """Figures are up to a second old, and null where they are not known."""

    status: Literal["ok"]
    version: str
    node_id: str
    comfyui: str | None
    gpu: GpuView | None
    queue: QueueView | None
    jobs: int = Field(ge=0, description="Unfinished jobs of this API.")
    models: list[str] = Field(description="Classes of the models in memory.")
    disk_free_bytes: int | None


class ReadyView(BaseModel):
    """Per part "ok", or what is wrong with it."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]


_HEALTH = operation(
    "Whether the server lives, its GPU, queue, models in memory and disk",
    "probes",
    {200: json_answer("It lives.", HealthView)},
)
_READY = operation(
    "Whether a job that is sent now would be taken",
    "probes",
    {200: json_answer("It would be.", ReadyView), 503: json_answer("It would not.", ReadyView, Retry_After="Seconds.")},
)
_METRICS = operation(
    "Counters, durations and gauges for Prometheus",
    "probes",
    {200: bare_answer("Text format 0.0.4.", "text/plain", {"type": "string"})},
)


@dataclass(frozen=True)
class HostState:
    """Of the host: its version, prompts of everybody in its queue, model classes in memory, bytes free for results."""

    comfyui: str
    running: int
    queued: int
    models: tuple[str, ...]
    disk_free: int


class Probed(Protocol):
    """What probes look at; a Service."""

    @property
    def settings(self) -> Settings:
        """For the node's id and the queue's bound."""
        ...

    @property
    def metrics(self) -> Metrics:
        """For the page of figures."""
        ...

    def unfinished(self) -> int:
        """Jobs that wait or run."""
        ...


def probe_routes(
    service: Probed,
    gpu: Fresh[Gpu | None],
    host: Fresh[HostState | None],
    ledger_trouble: Callable[[], str | None],
) -> list[Route]:
    """/health, /ready and /metrics below the prefix. `ledger_trouble`: why no jobs are taken, None when they are."""
    probes = _Probes(service, gpu, host, ledger_trouble)
    return [
        Route("GET", f"{PREFIX}/health", probes.health, doc=_HEALTH),
        Route("GET", f"{PREFIX}/ready", probes.ready, doc=_READY),
        Route("GET", f"{PREFIX}/metrics", probes.metrics, doc=_METRICS),
    ]


class _Probes:
    def __init__(
        self,
        service: Probed,
        gpu: Fresh[Gpu | None],
        host: Fresh[HostState | None],
        ledger_trouble: Callable[[], str | None],
    ) -> None:
        self._service, self._gpu, self._host, self._ledger_trouble = service, gpu, host, ledger_trouble
        self._page = Fresh(service.metrics.text, b"", 0.0)

    async def health(self, _request: web.Request, _caller: Caller) -> web.Response:
        """That the server lives, and how it does."""
        gpu, host = await self._gpu.get(), await self._host.get()
        return web.json_response(
            {
                "status": "ok",
                "version": __version__,
                "node_id": self._service.settings.node_id,
                "comfyui": host and host.comfyui,
                "gpu": gpu and gpu.as_dict(),
                "queue": host and {"running": host.running, "queued": host.queued},
                "jobs": self._service.unfinished(),
                "models": list(host.models) if host else [],
                "disk_free_bytes": host and host.disk_free,
            }
        )

    async def ready(self, _request: web.Request, _caller: Caller) -> web.Response:
        """Whether a job that is sent now would be taken; 503 when not."""
        await self._gpu.get()
        checks = self._checks(await self._host.get())
        if all(state == _OK for state in checks.values()):
            return web.json_response({"status": "ready", "checks": checks})
        return web.json_response({"status": "not_ready", "checks": checks}, status=503, headers={"Retry-After": "5"})

    async def metrics(self, _request: web.Request, _caller: Caller) -> web.Response:
        """The page for Prometheus."""
        await self._gpu.get()
        page = await self._page.get(patience=10)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})

    def _checks(self, host: HostState | None) -> dict[str, str]:
        """Per part "ok" or what is wrong, in words that may be read by everybody."""
        bound = self._service.settings.limits.queue
        return {
            "gpu": _OK if self._gpu.trouble is None else "the device does not answer",
            "model_cache": _OK if self._host.trouble is None else "the host's models cannot be listed",
            "disk_space": _disk(host),
            "ledger": _OK if self._ledger_trouble() is None else "jobs cannot be kept; the log says why",
            "queue": _OK if self._service.unfinished() < bound else f"full: {bound} jobs wait or run",
        }


def _disk(host: HostState | None) -> str:
    if host is None:
        return "not known yet"
    if host.disk_free >= DISK_SPARE:
        return _OK
    return f"{host.disk_free / 1e9:.1f} GB are free, {DISK_SPARE / 1e9:.0f} GB are needed"
