"""Who runs accepted jobs: the ComfyUI around us, or a fleet of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .records import Job


class Runner(Protocol):
    """Runs jobs and tells the service: `started`, `progress` and, once per run, `finish`."""

    async def open(self) -> None:
        """The service opens."""
        ...

    async def close(self) -> None:
        """The service closes."""
        ...

    async def plan(self, job: Job) -> Mapping[str, Any]:
        """What will be run for an order, kept with the job; called before the job is accepted.

        Raises UsageError for what cannot run here: a missing model, a value that a node refuses.
        """
        ...

    async def start(self, job: Job) -> None:
        """Put a job into the queue that was just accepted."""
        ...

    async def resume(self, job: Job) -> None:
        """The same for one that an earlier process accepted; one that cannot run any more ends as failed."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Take it from the queue or interrupt it; the end is told as any other."""
        ...

    def place(self, job_id: str) -> int | None:
        """0 = running, 1 = next and so on; None = not in the queue."""
        ...
