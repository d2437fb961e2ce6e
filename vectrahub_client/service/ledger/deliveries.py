"""Deliveries in the ledger: what is still to be handed over, to whom, and how often that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from .database import Database
from .tables import DELIVERIES

_PENDING = DELIVERIES.c.state == "pending"


@dataclass(frozen=True)
class Delivery:
    """`id` is the same in every try, so that a receiver can tell a repetition. Times: seconds since the epoch."""

    id: str
    job_id: str
    kind: str
    target: Mapping[str, Any]
    state: Literal["pending", "done", "dead"]
    attempts: int
    next_at: float
    error: str | None
    reply: Mapping[str, Any] | None
    created_at: float


class DeliveryRecords:
    """Mixed into Ledger."""

    _database: Database

    def due(self, now: float, limit: int) -> asyncio.Future[list[Delivery]]:
        """Those whose time has come, the longest due first."""
        wish = select(DELIVERIES).where(_PENDING, DELIVERIES.c.next_at <= now)
        return self._read(wish.order_by(DELIVERIES.c.next_at, DELIVERIES.c.created_at).limit(limit))

    def next_due(self) -> asyncio.Future[float | None]:
        """When the next one is due, None where nothing is pending."""
        wish = select(func.min(DELIVERIES.c.next_at)).where(_PENDING)
        return self._database.do(lambda connection: connection.execute(wish).scalar_one())

    def deliveries(self, job_id: str) -> asyncio.Future[list[Delivery]]:
        """Those of a job, as they were ordered."""
        return self._read(select(DELIVERIES).where(DELIVERIES.c.job_id == job_id).order_by(DELIVERIES.c.seq))

    def delivered(self, delivery_id: str, reply: Mapping[str, Any]) -> asyncio.Future[None]:
        """It arrived; what the receiver said."""
        return self._change(
            delivery_id, state="done", reply=dict(reply), error=None, attempts=DELIVERIES.c.attempts + 1
        )

    def put_off(self, delivery_id: str, attempts: int, next_at: float, error: str) -> asyncio.Future[None]:
        """It failed and is tried again at `next_at`."""
        return self._change(delivery_id, attempts=attempts, next_at=next_at, error=error)

    def give_up(self, delivery_id: str, attempts: int, error: str) -> asyncio.Future[None]:
        """It failed for good."""
        return self._change(delivery_id, state="dead", attempts=attempts, error=error)

    def _read(self, wish: Any) -> asyncio.Future[list[Delivery]]:
        return self._database.do(lambda connection: [_delivery(row) for row in connection.execute(wish)])

    def _change(self, delivery_id: str, **values: Any) -> asyncio.Future[None]:
        def work(connection: Connection) -> None:
            connection.execute(DELIVERIES.update().where(DELIVERIES.c.id == delivery_id).values(values))

        return self._database.do(work)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**{name: value for name, value in row._mapping.items() if name != "seq"})
