"""S4, vehicle to vector: POST /api/v1/process, and its jobs below /api/v1/jobs.

Paths in results are relative to the server's folder of outputs. A job that was cancelled is `failed` there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from ...vectrahub_client.service.api.jobs import result_headers
from ...vectrahub_client.service.bodies import Stored, read_body
from ...vectrahub_client.service.live import rfc3339
from ...vectrahub_client.service.plain_png import read_plain
from ...vectrahub_client.service.problems import Problem, bad_request, bad_value, not_found
from ...vectrahub_client.service.records import Caller, Job, Output
from ...vectrahub_client.service.route import Handler, Route
from ...vectrahub_client.service.service import Service
from ...vectrahub_client.service.systems.vehicle import VEHICLE
from ...vectrahub_client.vehicle import read_palette
from .intake import (
    Intake,
    Wish,
    came_through,
    job_of,
    key_of,
    known_parts,
    milliseconds,
    object_of,
    text_of,
    why_failed,
)
from .vehicle_overrides import overridden

CONTRACT = "vehicle"
PREFIX = "/api/v1"

_FILE, _PALETTE, _OVERRIDES = "file", "palette_hex_list", "config_overrides"
_STATES = {"queued": "pending", "running": "processing", "completed": "completed"}  # everything else is failed
_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
_SHOWN = 100  # jobs in the list
_PAGE, _PAGES = 200, 10  # of jobs of all kinds that are looked through for them
_CANCELLING = 10.0  # seconds


class VehicleContract:
    """The addresses."""

    def __init__(self, service: Service, intake: Intake) -> None:
        self._service, self._intake = service, intake

    def routes(self) -> list[Route]:
        """All of them but the shared probes."""
        one = f"{PREFIX}/jobs/{{job_id}}"
        routes = [
            Route("POST", f"{PREFIX}/process", self.process, "jobs"),
            Route("GET", f"{PREFIX}/jobs", self.list, "jobs"),
            Route("GET", f"{PREFIX}/jobs/", self.list, "jobs"),
            Route("GET", one, self.get, "jobs"),
            Route("GET", f"{one}/output/{{kind:svg|png}}", self.output, "jobs"),
            Route("POST", f"{one}/cancel", self.cancel, "jobs"),
        ]
        # Right behind its address, so that the server makes it one of many methods.
        known = [both for route in routes for both in (route, Route("*", route.path, _only(route.method), "jobs"))]
        return [*known, Route("*", f"{PREFIX}/{{rest:.*}}", self.nowhere, "jobs")]

    async def process(self, request: web.Request, caller: Caller) -> web.Response:
        """Take a photo."""
        if request.content_type != "multipart/form-data":
            raise bad_request(f"send multipart/form-data with the parts {_FILE}, {_PALETTE} and {_OVERRIDES}")
        async with self._service.files.incoming() as folder:
            async with self._service.gate.place(request, caller) as place:
                parts = (await read_body(place, folder)).files
            known_parts(parts, (_FILE, _PALETTE, _OVERRIDES))
            if _FILE not in parts:
                raise bad_value(f"{_FILE}: the photo is missing")
            job = await self._ordered(parts, await _params(parts), request, caller, folder)
        return web.json_response({"job_id": job.id, "status": "pending"})

    async def list(self, _request: web.Request, caller: Caller) -> web.Response:
        """The newest first."""
        found: list[Job] = []
        before = None
        for _ in range(_PAGES):
            page = await self._service.jobs(caller, state=None, limit=_PAGE, before=before)
            found += [job for job in page if came_through(job, CONTRACT)]
            if len(page) < _PAGE or len(found) >= _SHOWN:
                break
            before = page[-1].seq
        shown = [self._shown(job) for job in found[:_SHOWN]]
        return web.json_response({"jobs": shown, "total": len(shown)})

    async def get(self, request: web.Request, caller: Caller) -> web.Response:
        """How it goes, or went."""
        return web.json_response(self._shown(await self._job(request, caller)))

    async def output(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """The drawing, or the picture of it."""
        job, kind = await self._job(request, caller), request.match_info["kind"]
        if job.state != "completed":
            raise Problem(409, "not-over", "There is no result", f"the job is {self._state(job)}")
        output = _output(job, kind)
        if output is None:
            raise not_found(f"the job {job.id} gave no {kind}")
        path = self._service.output(job, output.name)
        if not await asyncio.to_thread(path.is_file):
            raise not_found(f"the file of the result {output.name!r} is gone")
        headers = result_headers(output.name, output.media_type)
        if kind == "svg":
            return web.FileResponse(path, headers=headers)
        return web.Response(body=await asyncio.to_thread(read_plain, path), headers=headers)

    async def cancel(self, request: web.Request, caller: Caller) -> web.Response:
        """Stop it, unless it is over."""
        job = await self._job(request, caller)
        if job.is_over:
            message = f"The job is {self._state(job)} already"
        else:
            await self._service.cancel(job.id)
            job, message = await self._service.wait(job.id, _CANCELLING), "Job cancelled"
        return web.json_response({"job_id": job.id, "status": self._state(job), "message": message})

    async def nowhere(self, request: web.Request, _caller: Caller) -> web.Response:
        """Every other address below the prefix."""
        raise not_found(f"no address {request.path[:200]!r}")

    async def _ordered(
        self, parts: Mapping[str, Stored], params: dict[str, Any], request: web.Request, caller: Caller, folder: Path
    ) -> Job:
        wish = Wish(
            CONTRACT,
            VEHICLE.name,
            params,
            parts={"image": parts[_FILE]},
            timeout_s=self._service.settings.contracts.vehicle.timeout_s,
        )
        return await self._intake.order(caller, wish, folder, key_of(request))

    async def _job(self, request: web.Request, caller: Caller) -> Job:
        return await job_of(self._service, request.match_info["job_id"], caller, CONTRACT)

    def _state(self, job: Job) -> str:
        return _STATES.get(self._service.view(job)["state"], "failed")

    def _shown(self, job: Job) -> dict[str, Any]:
        view = self._service.view(job)
        updated = job.finished_at or job.started_at or job.created_at
        return {
            "job_id": job.id,
            "status": _STATES.get(view["state"], "failed"),
            "progress": view["progress"],
            "result": _result(job),
            "logs": view["logs"],
            "error": why_failed(job) if job.is_over and job.state != "completed" else None,
            "created_at": view["created_at"],
            "updated_at": rfc3339(updated),
        }


def _only(method: str) -> Handler:
    """What an address says to every other method."""
    allowed = "GET, HEAD" if method == "GET" else method

    async def refuse(request: web.Request, _caller: Caller) -> web.StreamResponse:
        text = f"{request.path[:200]} takes {allowed}; {request.method[:20]} is not done there"
        raise Problem(405, "method-not-allowed", "The method is not allowed", text, headers={"Allow": allowed})

    return refuse


async def _params(parts: Mapping[str, Stored]) -> dict[str, Any]:
    """Values of the system: the palette, what is overridden, and a preview where there will be a drawing."""
    params = overridden(await object_of(parts, _OVERRIDES))
    if colors := await text_of(parts, _PALETTE):
        params["palette"] = list(read_palette(colors, _PALETTE))
    params["preview"] = "vectorize" not in params.get("skip", ())
    return params


def _result(job: Job) -> dict[str, Any] | None:
    if job.state != "completed":
        return None
    found = {kind: _output(job, kind) for kind in _TYPES}
    paths = {f"{kind}_path": output and output.path for kind, output in found.items()}
    return {**paths, "processing_time_ms": milliseconds(job)}


def _output(job: Job, kind: str) -> Output | None:
    return next((output for output in job.outputs if output.media_type == _TYPES[kind]), None)
