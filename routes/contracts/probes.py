"""Addresses that several old servers share: one answer with every field of each that is on. Open to everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from aiohttp import web

from ...vectrahub_client import __version__
from ...vectrahub_client.service.records import Caller
from ...vectrahub_client.service.route import Route
from ..gpu_figures import Gpu
from ..probes import HostState
from .around import Around
from .logo import shipped_model
from .vton import BACKEND, MODEL_TYPE, MODEL_VERSION

_PACK = Path(__file__).resolve().parents[2]
_ENDED = "vectrahub_jobs_ended"
_GIB = 2**30

# How the host's model classes begin that the two contracts load.
_LOGO_MODELS, _VTON_MODELS = ("flux",), ("qwenimage",)


def probe_routes(around: Around) -> list[Route]:
    """Those of the contracts that are on."""
    contracts = around.service.settings.contracts
    probes = _Probes(around)
    found = [Route("GET", "/health", probes.health)]
    if contracts.vectrahub.enabled or contracts.toolbox.enabled:
        found.append(Route("GET", "/v2/{endpoint}/health", probes.endpoint_health))
    if contracts.vton.enabled:
        found += [Route("GET", "/test", probes.test), Route("GET", "/version", probes.version)]
    if contracts.vehicle.enabled:
        found.append(Route("GET", "/ready", around.probe("ready")))
    if contracts.vton.enabled or contracts.vehicle.enabled:
        found.append(Route("GET", "/metrics", around.probe("metrics")))
    return found


class _Probes:
    def __init__(self, around: Around) -> None:
        self._around = around
        self._service = around.service
        self._contracts = around.service.settings.contracts
        self._logo_model: str | None = None
        self._commit: str | None = None

    async def health(self, _request: web.Request, _caller: Caller) -> web.Response:
        """Every field that one of the servers had; 503 where no jobs can be taken."""
        gpu, host = await self._around.gpu.get(), await self._around.host.get()
        answer: dict[str, Any] = {"status": "healthy"}
        if self._contracts.vectrahub.enabled or self._contracts.toolbox.enabled:
            answer.update(self._of_runpod())
        if self._contracts.logo.enabled:
            answer.update(await self._of_logo(gpu))
        if self._contracts.logo.enabled or self._contracts.vton.enabled:
            answer["model_loaded"] = self._model_loaded(host)
        if self._contracts.vton.enabled:
            answer["node_id"] = self._service.settings.node_id
        if (trouble := self._trouble()) is not None:
            return web.json_response({**answer, "status": "unhealthy", "error": trouble}, status=503)
        return web.json_response(answer)

    async def endpoint_health(self, _request: web.Request, _caller: Caller) -> web.Response:
        """Jobs and workers as RunPod counts them: one worker, this server."""
        return web.json_response(self._of_runpod())

    async def test(self, _request: web.Request, _caller: Caller) -> web.Response:
        """hot: jobs are taken. The host loads a model when the first job needs it, so that is no condition."""
        await self._around.host.get()
        if self._trouble() is None and self._around.host.trouble is None:
            return web.json_response({"status": "hot"})
        return web.json_response({"status": "loading"}, status=503, headers={"Retry-After": "5"})

    async def version(self, _request: web.Request, _caller: Caller) -> web.Response:
        """What runs here."""
        if self._commit is None:
            self._commit = await asyncio.to_thread(_commit, _PACK)
        return web.json_response(
            {
                "model_type": MODEL_TYPE,
                "model_version": MODEL_VERSION,
                "backend": BACKEND,
                "git_commit": self._commit,
                "node_id": self._service.settings.node_id,
                "version": __version__,
            }
        )

    def _trouble(self) -> str | None:
        """In words that may be read by everybody."""
        return None if self._service.ledger.trouble is None else "jobs cannot be kept; the log says why"

    def _of_runpod(self) -> dict[str, Any]:
        unfinished, running = self._service.unfinished(), len(self._service.running())
        ended = self._ended()
        jobs = {"completed": ended.get("completed", 0), "failed": ended.get("failed", 0)}
        jobs |= {"inProgress": running, "inQueue": unfinished - running, "retried": 0}
        broken, working = int(self._trouble() is not None), min(1, running)
        idle = 0 if broken or working else 1
        workers = {"idle": idle, "initializing": 0, "ready": idle, "running": working}
        return {"jobs": jobs, "workers": {**workers, "throttled": 0, "unhealthy": broken}}

    def _ended(self) -> dict[str, int]:
        """Jobs since the start, by how they ended."""
        found: dict[str, int] = {}
        registry = self._service.metrics.registry.restricted_registry([f"{_ENDED}_total"])
        for sample in (sample for metric in registry.collect() for sample in metric.samples):
            state = sample.labels["state"]
            found[state] = found.get(state, 0) + int(sample.value)
        return found

    async def _of_logo(self, gpu: Gpu | None) -> dict[str, Any]:
        if self._logo_model is None:
            self._logo_model = await asyncio.to_thread(shipped_model)
        return {"model": self._logo_model, "gpu": _gpu(gpu), "environment": "production"}

    def _model_loaded(self, host: HostState | None) -> bool:
        """Whether one of the models is in memory that the contracts that are on load."""
        wanted = (
            *(_LOGO_MODELS if self._contracts.logo.enabled else ()),
            *(_VTON_MODELS if self._contracts.vton.enabled else ()),
        )
        return any(name.lower().startswith(wanted) for name in (host.models if host else ()))


def _gpu(gpu: Gpu | None) -> Mapping[str, Any]:
    if gpu is None:
        named: dict[str, Any] = {"gpu_available": False, "device_type": "cpu", "device_name": None}
        return {**named, **{f"memory_{what}_gb": 0.0 for what in ("allocated", "reserved", "total")}}
    cuda = torch.cuda.is_initialized()
    return {
        "gpu_available": True,
        "device_type": "cuda" if torch.version.cuda else "gpu",
        "device_name": gpu.name,
        "memory_allocated_gb": round((torch.cuda.memory_allocated() if cuda else gpu.used) / _GIB, 2),
        "memory_reserved_gb": round((torch.cuda.memory_reserved() if cuda else gpu.used) / _GIB, 2),
        "memory_total_gb": round(gpu.total / _GIB, 2),
    }


def _commit(pack: Path) -> str:
    """The commit of a checkout, "unknown" elsewhere. Blocks."""
    try:
        head = (pack / ".git" / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return head[:40]
        name = head.removeprefix("ref: ")
        loose = pack / ".git" / name
        if loose.is_file():
            return loose.read_text(encoding="ascii").strip()[:40]
        packed = (pack / ".git" / "packed-refs").read_text(encoding="ascii")
        return next((line[:40] for line in packed.splitlines() if line.endswith(f" {name}")), "unknown")
    except (OSError, ValueError):
        return "unknown"
