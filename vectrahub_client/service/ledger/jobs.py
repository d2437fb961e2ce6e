"""Jobs in the ledger."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from ..records import FINAL, DeliveryOrder, Ending, Failure, Job, Output
from .database import Database
from .tables import DELIVERIES, JOBS, LITTER

_LONG = {"plan": {}, "params": {}, "report": {}, "log": ()}  # columns that a list can do without
_UNFINISHED = JOBS.c.state.in_(("queued", "running"))


@dataclass(frozen=True)
class Acceptance:
    """What must be true when a job is written: bounds of unfinished jobs, and the request that its key stands for."""

    queue: int
    per_token: int
    key: str | None
    fingerprint: str


class Full(Exception):
    """A bound is reached; `mine`: that of the token rather than that of all."""

    def __init__(self, mine: bool, bound: int) -> None:
        super().__init__(f"{bound} unfinished jobs")
        self.mine = mine
        self.bound = bound


class KeyTaken(Exception):
    """The token used this idempotency key for another request."""


class JobRecords:
    """Mixed into Ledger."""

    _database: Database

    def accept(self, job: Job, wanted: Acceptance, deliveries: Sequence[DeliveryOrder]) -> asyncio.Future[Job]:
        """Write a new job; a repeated request gives the job that is there. Raises Full, KeyTaken."""
        row = {
            **{name: getattr(job, name) for name in ("id", "system", "state", "token", "params", "plan", "inputs")},
            **{name: getattr(job, name) for name in ("metadata", "timeout_s", "created_at")},
            "idempotency_key": wanted.key,
            "fingerprint": wanted.fingerprint,
            "deliveries": [[order.kind, dict(order.target)] for order in deliveries],
        }

        def work(connection: Connection) -> Job:
            earlier = _by_key(connection, job.token, wanted)
            if earlier is not None:
                return earlier
            if _count(connection) >= wanted.queue:
                raise Full(False, wanted.queue)
            if _count(connection, job.token) >= wanted.per_token:
                raise Full(True, wanted.per_token)
            connection.execute(JOBS.insert().values(row))
            connection.execute(LITTER.delete().where(LITTER.c.id == job.id))
            return _one(connection, job.id)

        return self._database.do(work)

    def repeated(self, token: str, wanted: Acceptance) -> asyncio.Future[Job | None]:
        """The job of an earlier request under the same key. Raises KeyTaken where that was another request."""
        return self._database.do(lambda connection: _by_key(connection, token, wanted))

    def begin(self, job_id: str, at: float) -> asyncio.Future[bool]:
        """A run begins: state, time and number of attempts. False where the job is over."""

        def work(connection: Connection) -> bool:
            change = JOBS.update().where(JOBS.c.id == job_id, _UNFINISHED)
            change = change.values(state="running", started_at=at, attempts=JOBS.c.attempts + 1)
            return connection.execute(change).rowcount == 1

        return self._database.do(work)

    def end(self, job_id: str, ending: Ending, at: float, log: Sequence[str]) -> asyncio.Future[Job | None]:
        """The end and its deliveries in one transaction; the job, or None where it was over or is gone."""
        values = {
            "state": ending.state,
            "finished_at": at,
            "outputs": [asdict(output) for output in ending.outputs],
            "report": dict(ending.report),
            "failure": ending.failure.as_dict() if ending.failure else None,
            "log": list(log),
        }

        def work(connection: Connection) -> Job | None:
            change = JOBS.update().where(JOBS.c.id == job_id, _UNFINISHED).values(values)
            if connection.execute(change).rowcount != 1:
                return None
            orders = connection.execute(select(JOBS.c.deliveries).where(JOBS.c.id == job_id)).scalar_one()
            for kind, target in orders:
                row = {"id": str(uuid.uuid4()), "job_id": job_id, "kind": kind, "target": target}
                row |= {"state": "pending", "attempts": 0, "next_at": at, "created_at": at}
                connection.execute(DELIVERIES.insert().values(row))
            return _one(connection, job_id)

        return self._database.do(work)

    def job(self, job_id: str) -> asyncio.Future[Job | None]:
        """One job, or None."""
        return self._database.do(lambda connection: _find(connection, job_id))

    def jobs(
        self, *, token: str | None, state: str | None, limit: int, before: int | None, brief: bool = False
    ) -> asyncio.Future[list[Job]]:
        """The newest first; None takes all tokens, all states, from the newest on.

        `brief` leaves plan, parameters, report and log empty: they are most of a job, and a list is asked for often.
        """
        columns = [column for column in JOBS.c if not (brief and column.name in _LONG)]

        def work(connection: Connection) -> list[Job]:
            wish = select(*columns).order_by(JOBS.c.seq.desc()).limit(limit)
            for column, value in ((JOBS.c.token, token), (JOBS.c.state, state)):
                wish = wish if value is None else wish.where(column == value)
            if before is not None:
                wish = wish.where(JOBS.c.seq < before)
            return [_job(row) for row in connection.execute(wish)]

        return self._database.do(work)

    def unfinished(self) -> asyncio.Future[list[Job]]:
        """All that wait or run, in the order of acceptance."""
        wish = select(JOBS).where(_UNFINISHED).order_by(JOBS.c.seq)
        return self._database.do(lambda connection: [_job(row) for row in connection.execute(wish)])

    def unfinished_count(self, token: str | None = None) -> asyncio.Future[int]:
        """How many wait or run, of one token or of all."""
        return self._database.do(lambda connection: _count(connection, token))

    def finished_before(self, at: float, limit: int) -> asyncio.Future[list[str]]:
        """Ids of jobs that ended earlier and have nothing left to hand over."""
        pending = select(DELIVERIES.c.job_id).where(DELIVERIES.c.state == "pending")
        wish = select(JOBS.c.id).where(JOBS.c.finished_at < at, JOBS.c.id.not_in(pending)).limit(limit)
        return self._database.do(lambda connection: list(connection.execute(wish).scalars()))

    def remove(self, job_id: str) -> asyncio.Future[bool]:
        """Forget a job that is over, and its deliveries; its files are litter. False where it is not over."""

        def work(connection: Connection) -> bool:
            gone = connection.execute(JOBS.delete().where(JOBS.c.id == job_id, JOBS.c.state.in_(FINAL))).rowcount == 1
            if gone:
                connection.execute(LITTER.insert().values(id=job_id))
            return gone

        return self._database.do(work)

    def litter(self, job_id: str) -> asyncio.Future[None]:
        """The files that will come under this id are litter until the job is accepted."""

        def work(connection: Connection) -> None:
            connection.execute(LITTER.insert().values(id=job_id))

        return self._database.do(work)

    def all_litter(self) -> asyncio.Future[list[str]]:
        """Ids whose files are to be removed."""
        return self._database.do(lambda connection: list(connection.execute(select(LITTER.c.id)).scalars()))

    def swept(self, job_id: str) -> asyncio.Future[None]:
        """Its files are removed."""

        def work(connection: Connection) -> None:
            connection.execute(LITTER.delete().where(LITTER.c.id == job_id))

        return self._database.do(work)


def _count(connection: Connection, token: str | None = None) -> int:
    wish = select(func.count()).select_from(JOBS).where(_UNFINISHED)
    return connection.execute(wish if token is None else wish.where(JOBS.c.token == token)).scalar_one()


def _by_key(connection: Connection, token: str, wanted: Acceptance) -> Job | None:
    if wanted.key is None:
        return None
    row = connection.execute(
        select(JOBS).where(JOBS.c.token == token, JOBS.c.idempotency_key == wanted.key)
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != wanted.fingerprint:
        raise KeyTaken
    return _job(row)


def _find(connection: Connection, job_id: str) -> Job | None:
    row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).one_or_none()
    return None if row is None else _job(row)


def _one(connection: Connection, job_id: str) -> Job:
    return _job(connection.execute(select(JOBS).where(JOBS.c.id == job_id)).one())


def _job(row: Row[Any]) -> Job:
    kept = {**_LONG, **row._mapping}
    plain = ("id", "seq", "system", "state", "token", "params", "plan", "inputs", "metadata", "timeout_s")
    times = ("created_at", "started_at", "finished_at", "attempts", "report")
    return Job(
        **{name: kept[name] for name in (*plain, *times)},
        outputs=tuple(Output(**output) for output in kept["outputs"]),
        failure=Failure(**kept["failure"]) if kept["failure"] else None,
        log=tuple(kept["log"]),
    )
