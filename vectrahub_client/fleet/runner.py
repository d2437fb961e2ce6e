"""Accepted jobs, handed to replicas: each until it is over, and to another replica when one dies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from .._names import safe_name, write_whole
from ..errors import OutputError
from ..service.problems import unavailable
from ..service.records import Ending, Failure, Job, Output
from ..service.service import Service
from ._ray import import_ray
from .messages import Message, Over, Result, Standing, Task

_LOG = logging.getLogger("vectrahub")
_PAUSE = 1.0  # seconds before a job whose replica died is given to another
_NOT_BEGUN = 30  # replicas that may die in a row before the job began there


@dataclass
class _Errand:
    """A job between its start and its end."""

    job: Job
    begun: int  # runs, those of earlier lives of the edge included
    running: bool = False
    since: float = 0.0  # time.monotonic() of the run's begin
    response: Any = None  # of Serve, while a replica is asked
    cancelled: bool = False
    outputs: list[Output] = field(default_factory=list)


class RayRunner:
    """A Runner for one event loop. `ask(task)` asks a replica and gives an async iterator of messages, with `cancel()`.

    `edge`: the handle of the actor that reads inputs for replicas.
    """

    def __init__(self, service: Service, ask: Callable[[Task], Any], edge: Any) -> None:
        self._service = service
        self._ask = ask
        self._edge = edge
        self._errands: dict[str, _Errand] = {}  # in the order of their starts
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        ray, serve = import_ray()
        self._lost = (ray.exceptions.RayError, serve.exceptions.RayServeException)
        self._raised_there = ray.exceptions.RayTaskError

    async def open(self) -> None:
        """Nothing to do: replicas are asked when there are jobs."""

    async def close(self) -> None:
        """Let go of all jobs; they stay in the ledger."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def plan(self, job: Job) -> Mapping[str, Any]:
        """{}: the replica makes the graph. Raises Problem 503 while the fleet is stopping, UsageError for bad values.

        What only a ComfyUI can tell, as a missing model, ends the job as failed, kind "refused".
        """
        if self.draining:
            raise unavailable("this server is being stopped and takes no jobs", 30)
        system = self._service.systems[job.system]
        if not system.any_files:  # a workflow of one's own can only be made where its nodes are known
            await asyncio.to_thread(system.build, system.params.model_validate(job.params), job.inputs, None)
        return {}

    async def resume(self, job: Job) -> None:
        """The same as `start`: what a replica did of it, it still knows by the id."""
        await self.start(job)

    async def start(self, job: Job) -> None:
        """Hand it to the next replica that is free."""
        errand = self._errands[job.id] = _Errand(job, job.attempts)
        task = asyncio.get_running_loop().create_task(self._carry(errand))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def cancel(self, job_id: str) -> None:
        """The replica that has it, or will get it, is told."""
        errand = self._errands.get(job_id)
        if errand is None:
            await self._service.finish(job_id, Ending("cancelled"))
            return
        errand.cancelled = True
        if errand.response is not None:
            errand.response.cancel()

    def place(self, job_id: str) -> int | None:
        """0 = on a replica that runs it."""
        errand = self._errands.get(job_id)
        if errand is None:
            return None
        waiting = [each.job.id for each in self._errands.values() if not each.running]
        return 0 if errand.running else 1 + waiting.index(job_id)

    async def drain(self, seconds: float) -> int:
        """Take no more, let those that run end, keep the others in the ledger for the next start; how many are left."""
        self.draining = True
        for errand in self._errands.values():
            if not errand.running and errand.response is not None:
                errand.response.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return len(self._errands)

    async def _carry(self, errand: _Errand) -> None:
        job, idle = errand.job, 0
        while not self.draining or errand.running:
            begun = errand.begun
            ending = await self._one_run(errand)
            errand.running = False
            if errand.cancelled:
                ending = Ending("cancelled") if ending is None or ending.state != "completed" else ending
            if ending is None and not self.draining:
                idle = 0 if errand.begun > begun else idle + 1
                if errand.begun < self._service.settings.limits.attempts and idle < _NOT_BEGUN:
                    self._service.live.say(job.id, "the replica was lost; the job is given to another one")
                    await asyncio.sleep(_PAUSE)
                    continue
                text = f"{errand.begun} replicas ended while they ran the job; it is not tried again"
                ending = Ending("failed", failure=Failure("lost", text))
            if ending is not None:
                await self._service.finish(job.id, ending)
                del self._errands[job.id]
            return

    async def _one_run(self, errand: _Errand) -> Ending | None:
        """How the run ended, None where the replica was lost or the run was called off."""
        job, files = errand.job, self._service.files
        names = {name: PurePosixPath(path).name for name, path in job.inputs.items()}
        await asyncio.to_thread(files.clear_outputs, job.id)
        errand.outputs = []
        if errand.cancelled:
            return None
        errand.response = self._ask(Task(job.id, job.system, job.params, names, job.timeout_s, self._edge))
        try:
            async for message in errand.response:
                if (ending := await self._heard(errand, message)) is not None:
                    return ending
            _LOG.warning("a replica left job %s without an end", job.id)
        except self._raised_there as error:
            if isinstance(error.cause, asyncio.CancelledError):
                return None
            return Ending("failed", failure=Failure("internal", f"the replica failed: {error.cause}"))
        except OutputError as error:
            return Ending("failed", failure=Failure("internal", str(error)))
        except self._lost as error:
            if not (errand.cancelled or self.draining):
                _LOG.warning("the replica of job %s was lost: %s", job.id, str(error).splitlines()[0])
        finally:
            errand.response = None
        return None

    async def _heard(self, errand: _Errand, message: Message) -> Ending | None:
        job = errand.job
        if isinstance(message, Standing) and message.state == "running":
            self._begin(errand)
            self._service.progress(job.id, message.share, message.stage)
        elif isinstance(message, Result):
            errand.outputs.append(await asyncio.to_thread(self._kept, job.id, message))
        elif isinstance(message, Over):
            if message.state != "cancelled":
                self._begin(errand)  # a short job may be over before anybody saw it run
            return _ending(message, errand)
        return None

    def _begin(self, errand: _Errand) -> None:
        if not errand.running:
            errand.running, errand.since = True, time.monotonic()
            errand.begun += 1
            self._service.started(errand.job.id)

    def _kept(self, job_id: str, result: Result) -> Output:
        files = self._service.files
        target = files.output_folder(job_id) / safe_name(result.name)
        path = write_whole(target, lambda stream: stream.write(result.data), replace=False)
        place = path.relative_to(files.outputs).as_posix()
        return Output(result.name, result.node, result.media_type, len(result.data), place)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("carrying a job failed: %s", error, exc_info=error)


def _ending(over: Over, errand: _Errand) -> Ending:
    seconds = time.monotonic() - errand.since if errand.running else 0.0
    if over.state == "completed":
        return Ending("completed", tuple(errand.outputs), over.report, seconds=seconds)
    if over.state == "cancelled":
        return Ending("cancelled", seconds=seconds)
    error = over.error or {}
    failure = Failure(error.get("kind") or "internal", str(error.get("message")), error.get("node"))
    return replace(Ending("failed", seconds=seconds), report=over.report, failure=failure)
