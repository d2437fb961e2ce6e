"""Deliveries with what they need around them: a ledger in memory, one kind of job, folders of files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vectrahub.vectrahub_client.service.ledger import Delivery
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.records import Caller, Job, Output, State
from vectrahub.vectrahub_client.service.settings import Callbacks, Settings, Urls

QUICK = Callbacks(timeout_s=5, pauses_s=(0.01, 0.02, 0.03), longest_pause_s=0.05)


class MemoryLedger:
    """Keeps deliveries as the ledger's promises say; `outcomes` lists every change in order."""

    def __init__(self) -> None:
        self.kept: dict[str, Delivery] = {}
        self.outcomes: list[tuple[str, str]] = []
        self.troubles: list[OSError] = []  # raised, one by one, instead of the next answers

    def add(self, kind: str, target: Mapping[str, Any], job_id: str = "job", created_at: float | None = None) -> str:
        name, now = f"{job_id}-{kind}-{len(self.kept)}", time.time()
        created = now if created_at is None else created_at
        self.kept[name] = Delivery(name, job_id, kind, target, "pending", 0, now, None, None, created)
        return name

    async def due(self, now: float, limit: int) -> list[Delivery]:
        self._stumble()
        due = [one for one in self.kept.values() if one.state == "pending" and one.next_at <= now]
        return sorted(due, key=lambda one: one.next_at)[:limit]

    async def next_due(self) -> float | None:
        return min((one.next_at for one in self.kept.values() if one.state == "pending"), default=None)

    async def deliveries(self, job_id: str) -> list[Delivery]:
        return [one for one in self.kept.values() if one.job_id == job_id]

    async def delivered(self, delivery_id: str, reply: Mapping[str, Any]) -> None:
        self._change(delivery_id, "done", state="done", reply=reply, attempts=self.kept[delivery_id].attempts + 1)

    async def put_off(self, delivery_id: str, attempts: int, next_at: float, error: str) -> None:
        self._change(delivery_id, "put off", attempts=attempts, next_at=next_at, error=error)

    async def give_up(self, delivery_id: str, attempts: int, error: str) -> None:
        self._change(delivery_id, "dead", state="dead", attempts=attempts, error=error)

    def _change(self, delivery_id: str, outcome: str, **values: Any) -> None:
        self._stumble()
        self.kept[delivery_id] = replace(self.kept[delivery_id], **values)
        self.outcomes.append((delivery_id, outcome))

    def _stumble(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)


class Counts:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def delivery(self, kind: str, outcome: str) -> None:
        self.seen.append((kind, outcome))


class Office:
    """The part of the service that deliveries use."""

    def __init__(self, settings: Settings, folder: Path, ledger: MemoryLedger | None = None) -> None:
        self.settings = settings
        self.ledger = ledger or MemoryLedger()
        self.metrics = Counts()
        self.folder = folder
        self.jobs: dict[str, Job] = {"job": a_job()}

    async def job(self, job_id: str, caller: Caller | None) -> Job:
        if job_id not in self.jobs:
            raise Problem(404, "not-found", "There is no such thing", f"no job {job_id}")
        return self.jobs[job_id]

    async def full_view(self, job: Job) -> dict[str, Any]:
        return {"job_id": job.id, "state": job.state, "finished_at": "2026-11-21T10:00:00.123Z"}

    def output(self, job: Job, name: str) -> Path:
        return self.folder / name


def a_job(job_id: str = "job", state: State = "completed", **values: Any) -> Job:
    outputs = (
        Output("art.svg", "SVG", "image/svg+xml", 0, "art.svg"),
        Output("art.png", "PNG", "image/png", 0, "art.png"),
    )
    job = Job(job_id, 1, "tryon", state, "local", {}, {}, {}, {}, 60, 1000.0, 1001.0, 1003.5, 1, outputs)
    return replace(job, **values)


def office_settings(
    *addresses: str,
    contracts: Mapping[str, Any] | None = None,
    callbacks: Callbacks = QUICK,
    secrets: Mapping[str, str] | None = None,
) -> Settings:
    return Settings(
        urls=Urls(internal=addresses), callbacks=callbacks, contracts=contracts or {}, secrets=secrets or {}
    )


async def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something; a generous deadline, only so that a failure ends."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.005)
