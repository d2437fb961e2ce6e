"""Jobs from their acceptance to their delivery: what is promised is in the ledger before it is said."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .body_gate import BodyGate
from .delivery import Deliveries
from .files import JobFiles
from .ledger import Acceptance, Delivery, Full, KeyTaken, Ledger
from .live import Live, rfc3339
from .metrics import Metrics
from .net.fetch import Fetcher
from .problems import Problem, busy, not_found
from .records import Caller, Ending, Failure, Job, Order
from .runner import Runner
from .settings import Settings
from .systems.registry import System
from .views import Standing, brief_view, whole_view

log = logging.getLogger("vectrahub")
_BUSY_RETRY = 5  # seconds; what a client is told to wait when the queue is full
_CLEANING = 3600.0  # seconds between two looks for jobs whose time is over
_BATCH = 200
_RETRY = 5.0  # seconds between two tries to write a job's end


@dataclass(frozen=True)
class Folders:
    """`inputs`, `outputs`: the server's own; `ledger`: the file of the ledger, in a folder that nobody is served."""

    inputs: Path
    outputs: Path
    ledger: Path


class Service:
    """One per server. `make_runner` gets the service, to tell it what becomes of the jobs. For one event loop."""

    def __init__(
        self,
        settings: Settings,
        folders: Folders,
        make_runner: Callable[[Service], Runner],
        systems: Mapping[str, System],
    ) -> None:
        self.settings = settings
        self.systems = systems
        self.ledger = Ledger(folders.ledger)
        self.files = JobFiles(folders.inputs, folders.outputs)
        self.gate = BodyGate(settings.limits)
        self.live = Live()
        self.metrics = Metrics()
        self.fetcher = Fetcher(settings.urls)
        self.deliveries = Deliveries(self)
        self.runner = make_runner(self)
        self._states: dict[str, str] = {}  # of unfinished jobs
        self._counted: set[str] = set()  # jobs whose attempt was written before it began
        self._tasks: set[asyncio.Task[None]] = set()
        self.metrics.watch("vectrahub_queue_depth", "Unfinished jobs.", self._depth, "state")
        self.metrics.watch("job_queue_size", "Jobs that wait.", lambda: self._depth()["queued"])

    async def start(self) -> None:
        """Open the ledger and take up every job that was not finished when the process before ended."""
        await self.ledger.open()
        if self.ledger.trouble is not None:
            log.warning("no jobs are taken: %s", self.ledger.trouble)
            return
        try:
            left = await self.ledger.unfinished()
        except Problem as problem:
            log.error("no jobs are taken: %s", problem.detail)
            await self.ledger.close()
            return
        await self.runner.open()
        self._states.update((job.id, "queued") for job in left)
        self._in_background(self._resume(left))
        await self.deliveries.start()
        self._in_background(self._keep_clean(await self.ledger.all_litter()))

    async def stop(self) -> None:
        """Let go of everything; unfinished jobs stay in the ledger."""
        for task in self._tasks:
            task.cancel()
        await self.runner.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.deliveries.stop()
        await self.fetcher.close()
        if self.ledger.trouble is None:
            await self.ledger.close()

    async def submit(self, order: Order, caller: Caller) -> Job:
        """Accept an order: durable when this returns. A repeated idempotency key gives the job of the first request.

        Raises Problem: 429 where a bound is reached, 409 for a key of another request, 422 for what cannot run.
        """
        wanted = self._wanted(order, caller)
        try:
            if earlier := await self.ledger.repeated(caller.token, wanted):
                return earlier
            if len(self._states) >= wanted.queue:
                raise Full(False, wanted.queue)
            return await self._accept(order, caller, wanted)
        except Full as full:
            self.metrics.refused("busy")
            whose = "of this token " if full.mine else ""
            raise busy(
                f"{full.bound} jobs {whose}wait or run, which is the limit; try again later", _BUSY_RETRY
            ) from None
        except KeyTaken:
            raise Problem(
                409, "key-taken", "The key stands for another request", "an Idempotency-Key belongs to one request"
            ) from None
        except Problem as problem:
            self.metrics.refused(problem.kind)
            raise

    async def job(self, job_id: str, caller: Caller | None) -> Job:
        """One job. Raises Problem 404, also for a job of another token unless the caller is an admin."""
        job = await self.ledger.job(job_id)
        if job is None or not (caller is None or caller.may("admin") or job.token == caller.token):
            raise not_found(f"no job {job_id}")
        return job

    async def jobs(
        self, caller: Caller, *, state: str | None, limit: int, before: int | None, brief: bool = False
    ) -> list[Job]:
        """The caller's jobs, an admin's are all; the newest first. `brief` as `Ledger.jobs` has it."""
        token = None if caller.may("admin") else caller.token
        return await self.ledger.jobs(token=token, state=state, limit=limit, before=before, brief=brief)

    async def wait(self, job_id: str, seconds: float) -> Job:
        """The job when it is over, or after so long, whatever it does."""
        deadline = time.monotonic() + seconds
        async with self.live.subscribe(job_id) as events:
            while not (job := await self.job(job_id, None)).is_over:
                if (left := deadline - time.monotonic()) <= 0:
                    break
                with suppress(asyncio.TimeoutError):
                    while (await asyncio.wait_for(events.get(), left)).kind != "state":
                        left = max(0.0, deadline - time.monotonic())
        return job

    async def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; one that is over stays as it is."""
        job = await self.job(job_id, None)
        if not job.is_over:
            self.live.say(job_id, "cancel was asked for")
            await self.runner.cancel(job_id)
        return await self.job(job_id, None)

    async def delete(self, job_id: str) -> None:
        """Forget a job and its files. Raises Problem 409 while it is not over."""
        job = await self.job(job_id, None)
        if not job.is_over or not await self.ledger.remove(job_id):
            raise Problem(409, "not-over", "The job is not over", f"it is {job.state}; cancel it first")
        await self._remove_files(job_id)

    def output(self, job: Job, name: str) -> Path:
        """The file of a result. Raises Problem 404."""
        for output in job.outputs:
            if output.name == name:
                return self.files.output(output)
        raise not_found(f"the job {job.id} has no result {name!r}")

    def waits(self, job_id: str) -> bool:
        """Whether the job waits or runs, as far as this process has been told."""
        return job_id in self._states

    def unfinished(self) -> int:
        """Jobs that wait or run."""
        return len(self._states)

    def running(self) -> list[str]:
        """Ids of jobs that run."""
        return [job_id for job_id, state in self._states.items() if state == "running"]

    # What the runner tells.

    def started(self, job_id: str) -> None:
        """A run of the job begins."""
        now = time.time()
        self._states[job_id] = "running"
        self.live.state(job_id, "running")
        if job_id not in self._counted:
            self._in_background(self._begun(job_id, self.ledger.begin(job_id, now), now))

    def progress(self, job_id: str, share: float, stage: str | None) -> None:
        """The job got so far, 0..1; `stage`: the node at work and what it says of itself."""
        self.live.progress(job_id, share, stage)

    async def finish(self, job_id: str, ending: Ending) -> None:
        """The job is over; told twice, the first time counts. Its deliveries are due from now on."""
        if ending.failure is not None:
            self.live.say(job_id, ending.failure.message)
        job = await self._write_end(job_id, ending)
        self._states.pop(job_id, None)
        self._counted.discard(job_id)
        if job is not None:
            self.metrics.ended(job, ending)
            self.deliveries.wake()
        self.live.state(job_id, ending.state)
        self.live.forget(job_id)

    # What is shown.

    def brief_view(self, job: Job) -> dict[str, Any]:
        """The job as a list shows it."""
        return brief_view(job, self._standing(job))

    def view(self, job: Job, deliveries: Sequence[Delivery] = ()) -> dict[str, Any]:
        """The job as the API shows it."""
        return whole_view(job, self._standing(job), deliveries)

    async def full_view(self, job: Job) -> dict[str, Any]:
        """The same with its deliveries."""
        return self.view(job, await self.ledger.deliveries(job.id))

    # Inside.

    def _standing(self, job: Job) -> Standing:
        place = None if job.is_over else self.runner.place(job.id)
        live = self.live
        state = self._states.get(job.id, job.state)
        return Standing(state, live.share(job.id), live.stage(job.id), place, live.log(job.id))

    def _wanted(self, order: Order, caller: Caller) -> Acceptance:
        limits = self.settings.limits
        mine = limits.per_token if caller.max_jobs is None else caller.max_jobs
        return Acceptance(limits.queue, mine, order.idempotency_key, order.fingerprint)

    async def _accept(self, order: Order, caller: Caller, wanted: Acceptance) -> Job:
        job_id = str(uuid.uuid4())
        if order.files:
            await self.ledger.litter(job_id)
        try:
            inputs = await asyncio.to_thread(self.files.take, job_id, order.files)
            draft = self._draft(job_id, order, caller, inputs)
            draft = replace(draft, plan=await self.runner.plan(draft))
        except BaseException:
            await self._remove_files(job_id)
            raise
        # Whoever asked may be gone by now; the files are the job's from the moment that the ledger has it.
        return await asyncio.shield(asyncio.ensure_future(self._take_on(draft, order, wanted)))

    async def _take_on(self, draft: Job, order: Order, wanted: Acceptance) -> Job:
        try:
            job = await self.ledger.accept(draft, wanted, order.deliveries)
        except BaseException:
            await self._remove_files(draft.id)
            raise
        if job.id != draft.id:  # another request with this key was quicker
            await self._remove_files(draft.id)
            return job
        self._states[job.id] = "queued"
        self.metrics.accepted(job.system)
        self.live.state(job.id, "queued")
        await self.runner.start(job)
        return job

    def _draft(self, job_id: str, order: Order, caller: Caller, inputs: Mapping[str, str]) -> Job:
        limit = self.settings.limits.timeout_s
        return Job(
            id=job_id,
            seq=0,
            system=order.system,
            state="queued",
            token=caller.token,
            params=order.params,
            plan={},
            inputs=inputs,
            metadata=order.metadata,
            timeout_s=limit if order.timeout_s is None else min(order.timeout_s, limit),
            created_at=time.time(),
        )

    async def _write_end(self, job_id: str, ending: Ending) -> Job | None:
        """Until the disk takes it: the results are there, and running the job again would cost more than waiting."""
        lines = [*self.live.log(job_id), _last_line(ending)]
        while True:
            try:
                return await self.ledger.end(job_id, ending, time.time(), lines)
            except Problem as problem:
                if self.ledger.trouble is not None:
                    raise
                log.error("the end of the job %s cannot be written, again in %g s: %s", job_id, _RETRY, problem.detail)
                await asyncio.sleep(_RETRY)

    async def _resume(self, jobs: Sequence[Job]) -> None:
        first = True
        for job in jobs:
            try:
                first = not await self._resume_one(job, first) and first
            except Exception:  # whatever it is with this one, the others must not wait for the next restart
                log.exception("the job %s cannot be taken up again", job.id)
                text = "it could not be taken up again after a restart; the server's log says why"
                await self.finish(job.id, Ending("failed", failure=Failure("internal", text)))

    async def _resume_one(self, job: Job, first: bool) -> bool:
        """Whether it is in the queue again. `first`: nothing else is."""
        if not self.waits(job.id):  # cancelled meanwhile
            return False
        if job.attempts >= self.settings.limits.attempts:
            text = f"the server ended {job.attempts} times while the job ran; it is not tried again"
            await self.finish(job.id, Ending("failed", failure=Failure("lost", text)))
            return False
        await asyncio.to_thread(self.files.clear_outputs, job.id)
        self.live.say(job.id, "taken up again after a restart of the server")
        if first:  # it runs at once, and may end the process before anybody hears that it began
            self._counted.add(job.id)
            await self.ledger.begin(job.id, time.time())
        if not self.waits(job.id):
            return False
        await self.runner.resume(job)
        return True

    async def _begun(self, job_id: str, written: asyncio.Future[bool], at: float) -> None:
        await written
        if (job := await self.ledger.job(job_id)) is not None:
            self.metrics.waited(job.system, max(0.0, at - job.created_at))

    async def _keep_clean(self, litter: Sequence[str]) -> None:
        await asyncio.to_thread(self.files.sweep)
        left = [*litter]  # of the process before: what comes now is removed by whoever leaves it
        while True:
            try:
                while left:
                    await self._remove_files(left[-1])
                    left.pop()
                before = time.time() - self.settings.limits.keep_days * 86400
                while old := await self.ledger.finished_before(before, _BATCH):
                    for job_id in old:
                        if await self.ledger.remove(job_id):
                            await self._remove_files(job_id)
            except Problem as problem:
                log.warning("old jobs stay for now: %s", problem.detail)
            await asyncio.sleep(_CLEANING)

    async def _remove_files(self, job_id: str) -> None:
        await asyncio.to_thread(self.files.remove, job_id)
        await self.ledger.swept(job_id)

    def _depth(self) -> dict[str, float | None]:
        states = list(self._states.values())
        return {state: float(states.count(state)) for state in ("queued", "running")}

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job failed: %s", error, exc_info=error)


def _last_line(ending: Ending) -> str:
    return f"{rfc3339(time.time())} {ending.state} after {ending.seconds:.1f} s"
