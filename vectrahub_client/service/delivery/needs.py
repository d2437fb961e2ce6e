"""What handing over needs of the service, and what a sender works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..ledger import Delivery
from ..net.outgoing import Poster
from ..records import Caller, Job
from ..settings import Settings


class DeliveryLedger(Protocol):
    """The part of the ledger that deliveries live in; times are seconds since the epoch."""

    def due(self, now: float, limit: int) -> Awaitable[list[Delivery]]: ...
    def next_due(self) -> Awaitable[float | None]: ...
    def deliveries(self, job_id: str) -> Awaitable[Sequence[Delivery]]: ...
    def delivered(self, delivery_id: str, reply: Mapping[str, Any]) -> Awaitable[None]: ...
    def put_off(self, delivery_id: str, attempts: int, next_at: float, error: str) -> Awaitable[None]: ...
    def give_up(self, delivery_id: str, attempts: int, error: str) -> Awaitable[None]: ...


class DeliveryMetrics(Protocol):
    """Counts tries: `outcome` is "done", "retry" or "dead"."""

    def delivery(self, kind: str, outcome: str) -> None: ...


class DeliveryService(Protocol):
    """The part of `Service` that is used here."""

    @property
    def settings(self) -> Settings: ...
    @property
    def ledger(self) -> DeliveryLedger: ...
    @property
    def metrics(self) -> DeliveryMetrics: ...
    async def job(self, job_id: str, caller: Caller | None) -> Job: ...
    async def full_view(self, job: Job) -> dict[str, Any]: ...
    def output(self, job: Job, name: str) -> Path: ...


class DeliveryFailed(Exception):
    """The other side did not take it. `permanent`: no later try would help. The message goes into the job's view."""

    def __init__(self, message: str, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True)
class Desk:
    """What senders work with. `callers` posts to addresses from requests, `operator` to those of the settings."""

    service: DeliveryService
    callers: Poster
    operator: Poster

    @property
    def settings(self) -> Settings:
        return self.service.settings


# Gives the reply that is kept on the delivery. Raises DeliveryFailed, Problem, or one of outgoing.NETWORK_ERRORS.
Sender = Callable[[Delivery, Job, Desk], Awaitable[dict[str, Any]]]
