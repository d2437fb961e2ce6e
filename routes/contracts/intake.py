"""From an old server's request to a job: the same checks, limits and records as through the job API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from ...vectrahub_client.service.bodies import Body, Stored
from ...vectrahub_client.service.ledger import Acceptance, KeyTaken
from ...vectrahub_client.service.orders import examine_files, fetch_files, idempotency_key, read_draft, refused_values
from ...vectrahub_client.service.problems import Problem, bad_request, bad_value, not_found
from ...vectrahub_client.service.records import Caller, DeliveryOrder, Job, Order
from ...vectrahub_client.service.service import Service
from ...vectrahub_client.service.settings import Limits
from ...vectrahub_client.service.strict_json import parse
from ...vectrahub_client.service.systems.caption import CAPTION
from ...vectrahub_client.service.systems.logo import LOGO
from ...vectrahub_client.service.systems.toolbox_tiles import TILES
from ...vectrahub_client.service.systems.tryon import TRYON
from ...vectrahub_client.service.systems.vectrahub_trace import TRACED
from ...vectrahub_client.service.systems.vehicle import VEHICLE

CONTRACT = "contract"  # in a job's metadata: through which of the old servers' doors it came
# What each of them orders.
SYSTEMS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "vectrahub": (TRACED.name,),
        "toolbox": (CAPTION.name, TILES.name),
        "logo": (LOGO.name,),
        "vton": (TRYON.name,),
        "vehicle": (VEHICLE.name,),
    }
)
_LONGEST_TEXT = 64 * 1024  # bytes of a text in a form
_DEPTH = 16  # of JSON in it
_FETCHED_AT_A_TIME = 8
_ADMITTED_AT_A_TIME = 2

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Wish:
    """A job as an old server's client wants it. `files`: base64, data URI or address; `parts`: those of a form.

    `timeout_s` is cut to the service's limit.
    """

    contract: str
    system: str
    params: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Stored] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    deliveries: tuple[DeliveryOrder, ...] = ()
    timeout_s: float | None = None


class Intake:
    """One for all contracts of a server: decoding and planning take a processor, so few at a time, and probes answer.

    For one event loop.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._fetching = asyncio.Semaphore(_FETCHED_AT_A_TIME)
        self._admitting = asyncio.Semaphore(_ADMITTED_AT_A_TIME)

    async def order(self, caller: Caller, wish: Wish, folder: Path, key: str | None = None) -> Job:
        """The accepted job; a repeated `key` gives the earlier one. `folder`: of `service.files.incoming`.

        Raises Problem and UsageError as the job API does.
        """
        try:
            order = await self._checked(caller, wish, folder, key)
        except Problem as problem:
            self._service.metrics.refused(problem.kind)
            raise
        if isinstance(order, Job):
            return order
        async with self._admitting:
            return await self._service.submit(order, caller)

    async def _checked(self, caller: Caller, wish: Wish, folder: Path, key: str | None) -> Order | Job:
        """The order with its files, or the job of an earlier request like this one."""
        service, limits = self._service, self._service.settings.limits
        system = service.systems[wish.system]
        async with self._admitting:
            draft = await read_draft(Body(_document(wish, limits), dict(wish.parts)), key, system, limits, folder)
        if key is not None:
            with suppress(KeyTaken):  # submit says so
                wanted = Acceptance(0, 0, key, draft.order.fingerprint)
                if earlier := await service.ledger.repeated(caller.token, wanted):
                    return earlier
        async with self._fetching:
            order = await fetch_files(draft, service.fetcher.fetch, limits, folder)
        async with self._admitting:
            order = await examine_files(order, system, limits)
        return replace(order, deliveries=wish.deliveries)


def _document(wish: Wish, limits: Limits) -> dict[str, Any]:
    """The wish as the job API's body."""
    document: dict[str, Any] = {
        "params": dict(wish.params),
        "files": dict(wish.files),
        "metadata": {CONTRACT: wish.contract, **wish.metadata},
    }
    if wish.timeout_s is not None:
        document["timeout_s"] = min(wish.timeout_s, limits.timeout_s)
    return document


def key_of(request: web.Request) -> str | None:
    """The request's Idempotency-Key, which the old servers did not know. Raises Problem 400."""
    return idempotency_key(request)


def came_through(job: Job, *contracts: str) -> bool:
    """Whether the job was ordered at one of these doors. Metadata alone does not say it: clients give their own."""
    contract = job.metadata.get(CONTRACT)
    return contract in contracts and job.system in SYSTEMS_OF.get(str(contract), ())


async def job_of(service: Service, job_id: str, caller: Caller | None, *contracts: str) -> Job:
    """A job of these doors. Raises Problem 404 for any other."""
    job = await service.job(job_id[:100], caller)
    if not came_through(job, *contracts):
        raise not_found(f"no job {job.id} here")
    return job


def validated(model: type[M], value: object, place: str) -> M:
    """The value as `model`. Raises Problem 422 with every place that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refused_values(error, place, model) from None


async def text_of(parts: Mapping[str, Stored], name: str) -> str:
    """The text of a form's field, "" without it. Raises Problem 400."""
    part = parts.get(name)
    if part is None:
        return ""
    if part.bytes > _LONGEST_TEXT:
        raise bad_request(f"{name} has {part.bytes} bytes; at most {_LONGEST_TEXT} are taken")
    try:
        return (await asyncio.to_thread(part.path.read_bytes)).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise bad_request(f"{name} is not UTF-8") from None


async def object_of(parts: Mapping[str, Stored], name: str) -> Mapping[str, Any]:
    """The JSON object of a form's field, {} without it. Raises Problem 400, 422."""
    text = await text_of(parts, name)
    if not text:
        return {}
    try:
        value = parse(text.encode(), _DEPTH, "it")
    except Problem as problem:
        raise bad_value(f"{name}: {problem.detail}") from None
    if not isinstance(value, Mapping):
        raise bad_value(f"{name} is a JSON object; {text[:80]!r} is none")
    return value


def known_parts(parts: Mapping[str, Stored], known: tuple[str, ...]) -> None:
    """Raises Problem 400 for a field that a form does not have."""
    if unknown := sorted(set(parts) - set(known)):
        raise bad_request(f"the form has no field {unknown[0][:80]!r}; it has {', '.join(known)}")


def milliseconds(job: Job) -> int:
    """Of its last run, 0 where there was none."""
    if job.started_at is None or job.finished_at is None:
        return 0
    return max(0, round((job.finished_at - job.started_at) * 1000))


def said(problem: Problem) -> str:
    """A refusal in one line."""
    return f"{problem.title}: {problem.detail}" if problem.detail else problem.title


def why_failed(job: Job) -> str:
    """Why an ended job has no result."""
    if job.failure is not None:
        return job.failure.message
    return "the job was cancelled" if job.is_over else "the job is not over"
