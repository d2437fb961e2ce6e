"""What is known of unfinished jobs beyond the ledger: how far they are, their last words, who listens."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

_LOG_LINES = 200
_UNREAD = 100  # events that a slow listener may leave unread; then the oldest is dropped


@dataclass(frozen=True)
class LiveEvent:
    """`data`: {"job_id", "state"?, "progress"?, "stage"?}."""

    kind: Literal["state", "progress"]
    data: dict[str, Any]


@dataclass
class _Now:
    share: float = 0.0
    stage: str | None = None
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))


class Live:
    """For one event loop."""

    def __init__(self) -> None:
        self._now: dict[str, _Now] = {}
        self._listeners: dict[str, set[asyncio.Queue[LiveEvent]]] = {}

    def share(self, job_id: str) -> float:
        """How far, 0..1."""
        return self._now[job_id].share if job_id in self._now else 0.0

    def stage(self, job_id: str) -> str | None:
        """The node at work and what it says of itself."""
        return self._now[job_id].stage if job_id in self._now else None

    def log(self, job_id: str) -> list[str]:
        """The lines so far, the last 200."""
        return list(self._now[job_id].log) if job_id in self._now else []

    def say(self, job_id: str, line: str) -> None:
        """Add a line to the job's log, with the time."""
        self._at(job_id).log.append(f"{rfc3339(time.time())} {line}")

    def progress(self, job_id: str, share: float, stage: str | None) -> None:
        """It got further."""
        now = self._at(job_id)
        if stage is not None and stage.split(":")[0] != (now.stage or "").split(":")[0]:
            self.say(job_id, stage)
        now.share, now.stage = share, stage
        self._tell(LiveEvent("progress", {"job_id": job_id, "progress": round(share, 4), "stage": stage}))

    def state(self, job_id: str, state: str) -> None:
        """It changed its state."""
        self.say(job_id, state)
        self._tell(LiveEvent("state", {"job_id": job_id, "state": state}))

    def forget(self, job_id: str) -> None:
        """It is over: the ledger knows the rest."""
        self._now.pop(job_id, None)

    @asynccontextmanager
    async def subscribe(self, job_id: str) -> AsyncIterator[asyncio.Queue[LiveEvent]]:
        """The events from now on."""
        queue: asyncio.Queue[LiveEvent] = asyncio.Queue(_UNREAD)
        self._listeners.setdefault(job_id, set()).add(queue)
        try:
            yield queue
        finally:
            self._listeners[job_id].discard(queue)
            if not self._listeners[job_id]:
                del self._listeners[job_id]

    def _at(self, job_id: str) -> _Now:
        return self._now.setdefault(job_id, _Now())

    def _tell(self, event: LiveEvent) -> None:
        for queue in self._listeners.get(event.data["job_id"], ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)


def rfc3339(at: float) -> str:
    """Seconds since the epoch as UTC with milliseconds: 2026-11-21T10:00:00.123Z."""
    text = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
