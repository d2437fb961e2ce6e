"""Jobs over HTTP: ordered, looked at, cancelled, forgotten, and their results."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from ..bodies import read_body
from ..ledger import Acceptance, KeyTaken
from ..orders import Draft, examine_files, fetch_files, idempotency_key, read_draft
from ..problems import Problem, busy, not_found
from ..records import STATES, Caller, Job, Order
from ..route import PREFIX, Route
from ..service import Service
from ..systems.registry import SYSTEMS
from ..systems.system import System
from . import job_docs
from .events import event_routes
from .queries import check_query, choice, job_of, seconds, whole

# Decoding and planning take a processor: more at a time would not be quicker, and probes would wait.
_FETCHED_AT_A_TIME = 8
_ADMITTED_AT_A_TIME = 2

_RETRY_AFTER = 5  # seconds
_LARGEST = 2**53 - 1

_INLINE = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


def job_routes(service: Service) -> list[Route]:
    """All of them; each system of the service has an address of its own."""
    orders, jobs = _Orders(service), _Jobs(service)
    limits = service.settings.limits
    ordered = [
        Route("POST", f"{PREFIX}/{name}", partial(orders.post, system), "jobs", job_docs.order(system, limits))
        for name, system in service.systems.items()
        if name in SYSTEMS
    ]
    one = f"{PREFIX}/jobs/{{job_id}}"
    return [
        *ordered,
        Route("GET", f"{PREFIX}/jobs", jobs.list, "jobs", job_docs.JOBS),
        Route("GET", one, jobs.get, "jobs", job_docs.JOB),
        *event_routes(service),
        Route("GET", f"{one}/outputs/{{name}}", jobs.output, "jobs", job_docs.OUTPUT),
        Route("POST", f"{one}/cancel", jobs.cancel, "jobs", job_docs.CANCEL),
        Route("DELETE", one, jobs.delete, "jobs", job_docs.DELETE),
    ]


class _Orders:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._fetching = asyncio.Semaphore(_FETCHED_AT_A_TIME)
        self._admitting = asyncio.Semaphore(_ADMITTED_AT_A_TIME)

    async def post(self, system: System, request: web.Request, caller: Caller) -> web.Response:
        check_query(request, ("wait",))
        limits = self._service.settings.limits
        wait = seconds(request, "wait", limits.wait_s)
        if system.own_graph and not limits.workflows and not caller.may("admin"):
            detail = (
                "a graph of one's own can use every node and read every job's files, so this needs a token with the "
                "scope admin, or limits.workflows = true in the server's settings"
            )
            raise Problem(403, "workflows-off", "The token may not do this", detail)
        job = await self._accepted(system, request, caller)
        if wait and not job.is_over:
            job = await self._service.wait(job.id, wait)
        return web.json_response(
            await self._service.full_view(job),
            status=200 if job.is_over else 202,
            headers={"Location": f"{PREFIX}/jobs/{job.id}"},
        )

    async def _accepted(self, system: System, request: web.Request, caller: Caller) -> Job:
        async with self._service.files.incoming() as folder:
            try:
                order = await self._order(system, request, caller, folder)
            except Problem as problem:
                self._service.metrics.refused(problem.kind)
                raise
            if isinstance(order, Job):
                return order
            async with self._admitting:
                return await self._service.submit(order, caller)

    async def _order(self, system: System, request: web.Request, caller: Caller, folder: Path) -> Order | Job:
        """The order with its files, or the job of an earlier request like this one."""
        limits = self._service.settings.limits
        key = idempotency_key(request)
        if key is None and self._service.unfinished() >= limits.queue:  # before megabytes are read for nothing
            raise busy(f"{limits.queue} jobs wait or run, which is the limit; try again later", _RETRY_AFTER)
        draft = await self._draft(system, request, caller, key, folder)
        if earlier := await self._earlier(draft, caller):
            return earlier
        order = draft.order
        if draft.addresses:
            async with self._fetching:
                order = await fetch_files(draft, self._service.fetcher.fetch, limits, folder)
        for delivery in order.deliveries:
            await self._service.fetcher.rules.check(delivery.target["url"])
        async with self._admitting:
            return await examine_files(order, system, limits)

    async def _draft(
        self, system: System, request: web.Request, caller: Caller, key: str | None, folder: Path
    ) -> Draft:
        async with self._service.gate.place(request, caller) as place:  # until the files are out of the memory
            body = await read_body(place, folder)
            async with self._admitting:
                return await read_draft(body, key, system, place.limits, folder)

    async def _earlier(self, draft: Draft, caller: Caller) -> Job | None:
        # Asked before anything is fetched: the address of an earlier request may be gone by now.
        if draft.order.idempotency_key is None:
            return None
        with suppress(KeyTaken):  # submit says so
            wanted = Acceptance(0, 0, draft.order.idempotency_key, draft.order.fingerprint)
            return await self._service.ledger.repeated(caller.token, wanted)
        return None


class _Jobs:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def list(self, request: web.Request, caller: Caller) -> web.Response:
        check_query(request, ("state", "limit", "before"))
        limit = whole(request, "limit", 1, 200, 50) or 50
        jobs = await self._service.jobs(
            caller,
            state=choice(request, "state", STATES),
            limit=limit,
            before=whole(request, "before", 1, _LARGEST, None),
            brief=True,
        )
        shown = [self._service.brief_view(job) for job in jobs]
        return web.json_response({"jobs": shown, "next": jobs[-1].seq if len(jobs) == limit else None})

    async def get(self, request: web.Request, caller: Caller) -> web.Response:
        check_query(request)
        job = await job_of(self._service, request, caller)
        return web.json_response(await self._service.full_view(job))

    async def cancel(self, request: web.Request, caller: Caller) -> web.Response:
        check_query(request)
        job = await job_of(self._service, request, caller)
        return web.json_response(await self._service.full_view(await self._service.cancel(job.id)))

    async def delete(self, request: web.Request, caller: Caller) -> web.Response:
        check_query(request)
        job = await job_of(self._service, request, caller)
        await self._service.delete(job.id)
        return web.Response(status=204)

    async def output(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        check_query(request)
        job = await job_of(self._service, request, caller)
        name = request.match_info["name"]
        path = self._service.output(job, name)
        if not await asyncio.to_thread(path.is_file):
            raise not_found(f"the file of the result {name!r} is gone")
        kind = next(output.media_type for output in job.outputs if output.name == name)
        return web.FileResponse(path, headers=result_headers(name, kind))


def result_headers(name: str, media_type: str) -> dict[str, str]:
    """Of a result: pictures are shown, everything else is saved, and nothing of it may run or load anything."""
    how = "inline" if media_type in _INLINE else "attachment"
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return {
        "Content-Type": media_type,
        "Content-Disposition": f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
