"""A job's life as server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from ..door import seal
from ..live import LiveEvent
from ..records import FINAL, Caller
from ..route import PREFIX, Route
from ..service import Service
from . import job_docs
from .queries import check_query, job_of

HEARTBEAT_S = 15.0  # proxies close what is silent for longer

_SHOWN = ("job_id", "state", "progress", "stage", "queue_place")


def event_routes(service: Service) -> list[Route]:
    """GET jobs/{id}/events."""

    async def handler(request: web.Request, caller: Caller) -> web.StreamResponse:
        return await _stream(service, request, caller)

    return [Route("GET", f"{PREFIX}/jobs/{{job_id}}/events", handler, "jobs", job_docs.EVENTS)]


async def _stream(service: Service, request: web.Request, caller: Caller) -> web.StreamResponse:
    check_query(request)
    job = await job_of(service, request, caller)
    # For proxies: what is buffered is no event.
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    if request.method == "HEAD":
        return response
    seal(request, response)
    try:
        await response.prepare(request)
        async with service.live.subscribe(job.id) as events:
            job = await service.job(job.id, None)  # again: it may have ended before anybody listened
            view = service.view(job)
            await response.write(_event("state", {name: view[name] for name in _SHOWN}))
            if not job.is_over:
                await _tell(response, events)
        await response.write_eof()
    except ConnectionError:
        pass  # the listener went away
    return response


async def _tell(response: web.StreamResponse, events: asyncio.Queue[LiveEvent]) -> None:
    while True:
        try:
            event = await asyncio.wait_for(events.get(), HEARTBEAT_S)
        except asyncio.TimeoutError:
            await response.write(b": still here\n\n")
            continue
        await response.write(_event(event.kind, event.data))
        if event.data.get("state") in FINAL:
            return


def _event(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
