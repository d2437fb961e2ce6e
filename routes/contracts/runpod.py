"""RunPod's way of asking: /run, /runsync, /status, /cancel, /purge-queue, also below /v2/ENDPOINT as its own are.

An `input` with `image` is the old VectraHub's, one with `action` the toolbox's. Every answer of a job is RunPod's
envelope {"id", "status", "output" | "error", "delayTime", "executionTime"}. What an action answers without running
anything is in the envelope at once; it has an id, too, by which /status gives it again for a while. So is what is wrong
with an input: RunPod takes all of them, and its handlers fail.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from ...vectrahub_client.errors import UsageError
from ...vectrahub_client.service.bodies import read_json
from ...vectrahub_client.service.delivery import needs as delivery_needs
from ...vectrahub_client.service.delivery.kinds import post_signed
from ...vectrahub_client.service.ledger import Delivery
from ...vectrahub_client.service.problems import Problem, bad_request
from ...vectrahub_client.service.records import Caller, DeliveryOrder, Job
from ...vectrahub_client.service.route import Route
from ...vectrahub_client.service.service import Service
from .intake import came_through, job_of, key_of, milliseconds, said, why_failed

WEBHOOK = "runpod_webhook"  # kind of delivery

_MEMBERS = ("input", "webhook", "policy", "s3Config", "id")  # there are no buckets here, so s3Config means nothing
_UNUSABLE = (400, 413, 415, 422)  # of an input: the job fails; all else is about the caller, or for later
_REMEMBERED = 200  # direct answers
_AFTERWARDS = 0.1  # seconds between two looks at what comes after a job
_CANCELLING = 2.0  # seconds in which a run that is cancelled should look up; RunPod's client waits 3
_LONGEST_MS = 7 * 86_400_000


@dataclass(frozen=True)
class Errand:
    """Who asks for what, beside the input."""

    caller: Caller
    folder: Path
    key: str | None
    webhooks: tuple[DeliveryOrder, ...]
    timeout_s: float | None


@dataclass(frozen=True)
class Direct:
    """An answer that needed no job: `output`, or the `error` and what the old server gave with it."""

    output: Mapping[str, Any] | None
    error: str | None
    seconds: float


class Desk(Protocol):
    """Takes the inputs of one contract."""

    @property
    def contract(self) -> str:
        """Its name in the settings, and in the metadata of its jobs."""
        ...

    @property
    def member(self) -> str:
        """The member of `input` by which its inputs are known."""
        ...

    async def take(self, wanted: Mapping[str, Any], errand: Errand) -> Job | Direct:
        """Accept an input. Raises Problem, UsageError."""
        ...

    async def output(self, job: Job, base_url: str) -> Mapping[str, Any] | None:
        """What a completed job gave; None while something that belongs to it is still on its way."""
        ...

    def failure(self, why: str) -> Mapping[str, Any] | None:
        """`output` of what failed, if there is any."""
        ...


def runpod_routes(service: Service, desks: Sequence[Desk], wait_s: float) -> list[Route]:
    """The door to these desks. `wait_s`: how long /runsync waits."""
    door = _Door(service, desks, wait_s)
    service.deliveries.also(WEBHOOK, door.tell)
    addresses = (
        ("POST", "/run", door.run),
        ("POST", "/runsync", door.runsync),
        ("GET", "/status/{job_id}", door.status),
        ("POST", "/cancel/{job_id}", door.cancel),
        ("POST", "/purge-queue", door.purge),
    )
    return [
        Route(method, prefix + path, handler, "jobs", refuse=refusal)
        for prefix in ("", "/v2/{endpoint}")
        for method, path, handler in addresses
    ]


def refusal(problem: Problem, request_id: str) -> web.Response:
    """RunPod knows 400 for everything that is wrong with a request."""
    status = 400 if problem.status in (415, 422) else problem.status
    return web.json_response({"error": said(problem), "request_id": request_id}, status=status, headers=problem.headers)


class _Door:
    def __init__(self, service: Service, desks: Sequence[Desk], wait_s: float) -> None:
        self._service = service
        self._desks = desks
        self._contracts = [desk.contract for desk in desks]
        self._wait_s = wait_s
        self._answers = _Answers()

    async def run(self, request: web.Request, caller: Caller) -> web.Response:
        taken = await self._take(request, caller)
        if isinstance(taken, Job):
            return web.json_response({"id": taken.id, "status": "IN_QUEUE"})
        return web.json_response(taken)

    async def runsync(self, request: web.Request, caller: Caller) -> web.Response:
        taken = await self._take(request, caller)
        if isinstance(taken, Job):
            taken = await self._settled(taken, _base_url(self._service, request))
        return web.json_response(taken)

    async def status(self, request: web.Request, caller: Caller) -> web.Response:
        if (answer := self._answers.get(caller, request.match_info["job_id"])) is not None:
            return web.json_response(answer)
        job = await self._job(request, caller)
        return web.json_response(await self._envelope(job, _base_url(self._service, request)))

    async def cancel(self, request: web.Request, caller: Caller) -> web.Response:
        if (answer := self._answers.get(caller, request.match_info["job_id"])) is not None:
            return web.json_response({"id": answer["id"], "status": answer["status"]})
        job = await self._job(request, caller)
        if not job.is_over:
            await self._service.cancel(job.id)
            job = await self._service.wait(job.id, _CANCELLING)
        return web.json_response({"id": job.id, "status": self._status(job)})

    async def purge(self, _request: web.Request, caller: Caller) -> web.Response:
        """Cancel the caller's own jobs that wait."""
        removed = 0
        for job in await self._service.ledger.unfinished():
            mine = job.token == caller.token and came_through(job, *self._contracts)
            if mine and self._status(job) == "IN_QUEUE":
                removed += (await self._service.cancel(job.id)).state == "cancelled"
        return web.json_response({"removed": removed, "status": "completed"})

    async def tell(self, delivery: Delivery, job: Job, desk: delivery_needs.Desk) -> dict[str, Any]:
        """Post the envelope to a webhook, as RunPod does, once it is the last one."""
        envelope = await self._envelope(job, str(delivery.target["base_url"]))
        if envelope["status"] == "IN_PROGRESS":
            raise delivery_needs.DeliveryFailed("what belongs to the job is still on its way")
        return await post_signed(delivery, desk, envelope)

    async def _job(self, request: web.Request, caller: Caller) -> Job:
        return await job_of(self._service, request.match_info["job_id"], caller, *self._contracts)

    async def _take(self, request: web.Request, caller: Caller) -> Job | dict[str, Any]:
        async with self._service.gate.place(request, caller) as place:
            return await self._answered(await read_json(place), request, caller)

    async def _answered(self, document: object, request: web.Request, caller: Caller) -> Job | dict[str, Any]:
        key = key_of(request)
        if key is not None and (earlier := self._answers.by_key(caller, key)) is not None:
            return earlier
        wanted, webhook, timeout_s = _read(document)
        webhooks: tuple[DeliveryOrder, ...] = ()
        if webhook:
            await self._service.deliveries.check_target(webhook)
            webhooks = (DeliveryOrder(WEBHOOK, {"url": webhook, "base_url": _base_url(self._service, request)}),)
        async with self._service.files.incoming() as folder:
            taken = await self._taken(wanted, Errand(caller, folder, key, webhooks, timeout_s))
        return taken if isinstance(taken, Job) else self._answers.keep(caller, key, taken)

    async def _taken(self, wanted: Mapping[str, Any], errand: Errand) -> Job | Direct:
        # The last one is VectraHub's where it is on, whose clients look for `success`.
        desk = next((one for one in self._desks if wanted.get(one.member) is not None), self._desks[-1])
        try:
            if wanted.get(desk.member) is None:
                members = " or ".join(f"`{one.member}`" for one in self._desks)
                raise bad_request(f"`input` has no {members}, by which it is known what is wanted")
            return await desk.take(wanted, errand)
        except UsageError as error:
            why = str(error)
        except Problem as problem:
            if problem.status not in _UNUSABLE:
                raise
            why = said(problem)
        return Direct(desk.failure(why), why, 0.0)

    async def _settled(self, job: Job, base_url: str) -> dict[str, Any]:
        deadline = time.monotonic() + self._wait_s
        job = await self._service.wait(job.id, self._wait_s)
        while (envelope := await self._envelope(job, base_url))["status"] == "IN_PROGRESS" and job.is_over:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(_AFTERWARDS)
        return envelope

    def _status(self, job: Job) -> str:
        if not job.is_over:
            return "IN_PROGRESS" if self._service.view(job)["state"] == "running" else "IN_QUEUE"
        if job.failure is not None and job.failure.kind == "timeout":
            return "TIMED_OUT"
        return job.state.upper()

    async def _envelope(self, job: Job, base_url: str) -> dict[str, Any]:
        status = self._status(job)
        known: dict[str, Any] = {"id": job.id, "status": status}
        if status == "IN_QUEUE":
            return known
        output = await self._output(job, base_url)
        if job.state == "completed" and output is None:
            known["status"] = status = "IN_PROGRESS"
        if output is not None:
            known["output"] = output
        if status == "IN_PROGRESS":
            known["progress"] = self._service.view(job)["progress"]
        elif status != "COMPLETED":
            known["error"] = why_failed(job)
        if job.started_at is not None:
            known["delayTime"] = max(0, round((job.started_at - job.created_at) * 1000))
        if job.is_over and known["status"] != "IN_PROGRESS":
            known["executionTime"] = milliseconds(job)
        return {**known, "workerId": self._service.settings.node_id}

    async def _output(self, job: Job, base_url: str) -> Mapping[str, Any] | None:
        desk = next(one for one in self._desks if job.metadata["contract"] == one.contract)
        if job.state == "completed":
            return await desk.output(job, base_url)
        return desk.failure(why_failed(job)) if job.is_over else None


class _Answers:
    """The last direct answers, by id and by idempotency key. They do not outlive the process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()
        self._keys: OrderedDict[tuple[str, str], str] = OrderedDict()

    def keep(self, caller: Caller, key: str | None, direct: Direct) -> dict[str, Any]:
        """The envelope of an answer."""
        envelope: dict[str, Any] = {"id": str(uuid.uuid4())}
        if direct.error is None:
            envelope.update(status="COMPLETED", output=dict(direct.output or {}))
        else:
            envelope.update(status="FAILED", error=direct.error)
            if direct.output is not None:
                envelope["output"] = dict(direct.output)
        envelope.update(delayTime=0, executionTime=round(direct.seconds * 1000))
        self._kept[envelope["id"]] = (caller.token, envelope)
        if key is not None and direct.error is None:
            self._keys[caller.token, key] = envelope["id"]
        for kept in (self._kept, self._keys):
            while len(kept) > _REMEMBERED:
                kept.popitem(last=False)
        return envelope

    def get(self, caller: Caller, answer_id: str) -> dict[str, Any] | None:
        """The caller's own; None for what is not known."""
        token, envelope = self._kept.get(answer_id, (None, None))
        return envelope if token == caller.token else None

    def by_key(self, caller: Caller, key: str) -> dict[str, Any] | None:
        """The answer to an earlier request under this key."""
        answer_id = self._keys.get((caller.token, key))
        return None if answer_id is None else self.get(caller, answer_id)


def _read(document: object) -> tuple[Mapping[str, Any], str | None, float | None]:
    """(input, webhook, seconds that the job may run) of a body."""
    if not isinstance(document, Mapping) or not isinstance(document.get("input"), Mapping):
        raise bad_request('the body is {"input": {...}}, with "webhook" and "policy" if they are wanted')
    unknown = sorted(name for name, value in document.items() if name not in _MEMBERS and value is not None)
    if unknown:
        raise bad_request(f"the body has no {unknown[0][:80]!r} here; it has {', '.join(_MEMBERS)}")
    webhook, policy = document.get("webhook"), document.get("policy")
    if webhook is not None and not isinstance(webhook, str):
        raise bad_request("`webhook` is an address")
    if policy is not None and not isinstance(policy, Mapping):
        raise bad_request("`policy` is an object")
    longest = (policy or {}).get("executionTimeout")
    if longest is None:
        return document["input"], webhook, None
    if isinstance(longest, bool) or not isinstance(longest, int | float) or not 0 < longest <= _LONGEST_MS:
        raise bad_request(f"`policy.executionTimeout` is milliseconds, above 0 and at most {_LONGEST_MS}")
    return document["input"], webhook, longest / 1000


def _base_url(service: Service, request: web.Request) -> str:
    """What links to this server begin with, for whoever asks."""
    with suppress(ValueError):
        return service.settings.public_url.rstrip("/") or str(request.url.origin())
    raise bad_request("the request has no Host header that could be linked to")
