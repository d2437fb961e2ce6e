"""A RunPod serverless worker: one ComfyUI, and RunPod's jobs handed to it.

    import runpod
    from vectrahub_client.runpod import Worker

    with Worker.from_environment(runpod.serverless.progress_update) as worker:
        runpod.serverless.start({"handler": worker.handle})

`input` of a job is what the ComfyUI's own RunPod-style door takes (`{"image": ...}`, `{"action": ...}`), or an order
for the job API: {"system", "params"?, "files"?, "callback_url"?, "timeout_s"?, "metadata"?}, where a file is an https
URL, a data URI or base64. The package `runpod` is not imported here: whoever starts it has it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ._jobs_http import JobsHttp
from ._worker_host import GivenHost, OwnHost, worker_host
from .client import Client
from .errors import (
    BadAnswer,
    ClientError,
    HostFailed,
    JobLost,
    NoServer,
    ServerLost,
    UsageError,
)
from .jobs import FINAL, JobsClient, JobView, Source, completed
from .warmup import warm_up, warmup_workflow

INLINE_MB = 8.0  # RunPod takes 10 MB from /run and 20 MB from /runsync, the JSON around the files included
_ORDER = {"system", "params", "files", "callback_url", "timeout_s", "metadata"}
_OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"}
_BETWEEN_UPDATES = 1.0  # seconds
_DELIVERIES = 60.0  # seconds in which callbacks may be delivered before the worker is let go
_PATIENCE = 60.0
_DOOR_CLOSED = (
    "the ComfyUI at {url} has no door for this input: turn on the old address with "
    "VECTRAHUB_CONTRACTS__VECTRAHUB__ENABLED=true or VECTRAHUB_CONTRACTS__TOOLBOX__ENABLED=true, or give `system`"
)

_LOG = logging.getLogger("vectrahub")

Event = Mapping[str, Any]
Tell = Callable[[Any, Any], object]


class Worker:
    """Use it as a context manager: on entry the host is up and warm, on exit it is stopped.

    `tell(event, progress)` reports progress, at most every second. `token`: of the job API, where the host wants one.
    `public_url`: where results that are too large to be carried can be fetched; empty = nowhere.
    """

    def __init__(
        self,
        host: GivenHost | OwnHost,
        tell: Tell,
        *,
        token: str = "",
        public_url: str = "",
        warmup: tuple[str, ...] = (),
    ) -> None:
        self._host = host
        self._tell = tell
        self._token = token
        self._public_url = public_url.rstrip("/")
        self._warmup = warmup
        self._starting = asyncio.Lock()
        self._starts = 0

    @classmethod
    def from_environment(cls, tell: Tell, environ: Mapping[str, str] = os.environ) -> Worker:
        """By $COMFYUI_URL or host.json, $VECTRAHUB_TOKEN, $VECTRAHUB_PUBLIC_URL, $VECTRAHUB_WARMUP ("vectorize,logo").

        A host of its own has the two RunPod-style doors open unless the environment closes them. Raises
        HostNotPrepared, UsageError for an unknown name of a workflow.
        """
        names = tuple(name.strip() for name in environ.get("VECTRAHUB_WARMUP", "").split(",") if name.strip())
        for name in names:
            warmup_workflow(name)
        doors = {f"VECTRAHUB_CONTRACTS__{door}__ENABLED": "true" for door in ("VECTRAHUB", "TOOLBOX")}
        token, public_url = environ.get("VECTRAHUB_TOKEN", ""), environ.get("VECTRAHUB_PUBLIC_URL", "")
        return cls(worker_host(environ, **doors), tell, token=token, public_url=public_url, warmup=names)

    def __enter__(self) -> Worker:
        try:
            self._host.start()
            self._warm_up()
        except BaseException:
            self._host.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._host.stop()

    async def handle(self, event: Event) -> dict[str, Any]:
        """RunPod's handler. An answer with `error` is a failed job; `refresh_worker` ends this worker after it.

        A host that died is started again once, and the job goes on there. Cancelled by RunPod, it cancels the job.
        """
        try:
            start, errand = self._starts, _Errand(self._tell, event)
            try:
                return await self._answer(errand)
            except ServerLost as error:
                _LOG.warning("the host was lost in the middle of job %s: %s", event.get("id"), error)
                await self._start_again(start)
                return await self._answer(errand)
        except (ServerLost, HostFailed, NoServer) as error:
            return {"error": str(error), "refresh_worker": True}
        except ClientError as error:
            return {**error.as_dict(), "error": str(error), "kind": error.kind}

    async def _answer(self, errand: _Errand) -> dict[str, Any]:
        order = errand.event.get("input")
        if not isinstance(order, Mapping):
            raise UsageError(f"`input` must be an object, not {str(order)[:80]!r}")
        jobs = JobsClient(self._host.url, self._token or None, patience=_PATIENCE, host_ended=self._host.why_ended)
        door = JobsHttp(self._host.url, self._token or None, _PATIENCE, self._host.why_ended)
        try:
            if "system" in order:
                return await self._ordered(jobs, order, errand)
            return await _proxied(jobs, door, order, errand)
        finally:
            jobs.close()
            door.close()

    async def _ordered(self, jobs: JobsClient, order: Mapping[str, Any], errand: _Errand) -> dict[str, Any]:
        arguments, files = _read_order(order)
        system, params = str(order["system"]), order.get("params")

        def submit() -> str:
            return jobs.submit(system, params, files, idempotency_key=errand.key, **arguments)["job_id"]

        async with _submitted(jobs, submit, errand) as job_id:
            job = completed(await jobs.follow(job_id, errand.progress))
            if arguments.get("callback_url"):
                job = await _delivered(jobs, job)
        return await asyncio.to_thread(self._with_results, jobs, job)

    def _with_results(self, jobs: JobsClient, job: JobView) -> dict[str, Any]:
        """The job's end with its results inside, or where they are too large, with links to them."""
        kept = ("job_id", "system", "state", "report", "metadata", "deliveries")
        answer = {name: job[name] for name in kept if job.get(name)}
        outputs = [dict(output) for output in job.get("outputs") or ()]
        carried = sum(output["bytes"] for output in outputs) * 4 / 3 / 1e6
        if carried > INLINE_MB and not self._public_url:
            raise UsageError(
                f"the results have {carried:.1f} MB, and a RunPod job carries {INLINE_MB:g}: set VECTRAHUB_PUBLIC_URL "
                "to where this server can be reached, have them delivered, or ask for smaller ones"
            )
        with tempfile.TemporaryDirectory() as folder:
            for number, output in enumerate(outputs):
                if carried > INLINE_MB:
                    output["url"] = self._public_url + output["url"]
                    continue
                path = jobs.download(job, output["name"], Path(folder) / str(number))
                output["data"] = base64.b64encode(path.read_bytes()).decode("ascii")
                del output["url"]
        return {**answer, "outputs": outputs}

    async def _start_again(self, start: int) -> None:
        async with self._starting:
            if self._starts == start:  # else another job has done it meanwhile
                self._starts += 1
                await asyncio.to_thread(self._host.restart)

    def _warm_up(self) -> None:
        for name in self._warmup:
            with Client(self._host.url, host_ended=self._host.why_ended) as client:
                try:
                    warm_up(client, name)
                except (HostFailed, ServerLost):
                    raise
                except ClientError as error:  # a missing model: the jobs that need it will say so
                    _LOG.warning("%s was not warmed up: %s", name, error)


class _Errand:
    """One job of RunPod's: its name on the host, and how it is reported."""

    def __init__(self, tell: Tell, event: Event) -> None:
        self.event = event
        self.key = f"runpod-{event['id']}" if event.get("id") else None
        self.job_id: str | None = None  # once the host has accepted it
        self._tell = tell
        self._next = 0.0
        self._lock = threading.Lock()

    def progress(self, job: JobView) -> None:
        """Tell RunPod how far it is, at most every second; called from other threads."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + _BETWEEN_UPDATES
        self._tell(self.event, {name: job.get(name) for name in ("state", "progress", "stage", "queue_place")})


@asynccontextmanager
async def _submitted(jobs: JobsClient, submit: Callable[[], str], errand: _Errand) -> AsyncIterator[str]:
    """The job's id, submitted unless an earlier try did so; cancelled inside, the job is cancelled too."""

    def once() -> str:
        errand.job_id = errand.job_id or submit()
        return errand.job_id

    submitting = asyncio.create_task(asyncio.to_thread(once))
    try:
        yield await asyncio.shield(submitting)
    except asyncio.CancelledError:
        try:
            await asyncio.to_thread(jobs.cancel, await submitting)
        except ClientError as error:
            _LOG.warning("a cancelled job could not be cancelled on the host: %s", error)
        raise


async def _proxied(jobs: JobsClient, door: JobsHttp, order: Mapping[str, Any], errand: _Errand) -> dict[str, Any]:
    """The answer of the host's own RunPod-style door."""
    headers = {"Idempotency-Key": errand.key} if errand.key else {}

    def submit() -> str:
        try:
            answer = door.repeated(lambda: door.call("POST", "run", json={"input": order}, headers=headers))
        except JobLost:
            raise UsageError(_DOOR_CLOSED.format(url=door.url)) from None
        if not isinstance(answer, Mapping) or not answer.get("id"):
            raise BadAnswer(f"{door.url} answered /run with {str(answer)[:100]!r}")
        return str(answer["id"])

    def look(job_id: str) -> Mapping[str, Any]:
        return door.repeated(lambda: door.call("GET", f"status/{job_id}"))

    async with _submitted(jobs, submit, errand) as job_id:
        while (status := await asyncio.to_thread(look, job_id)).get("status") not in _OVER:
            if (await jobs.follow(job_id, errand.progress))["state"] in FINAL:
                await asyncio.sleep(0.1)  # what comes after the job, as an upload
    return _final(status)


def _final(status: Mapping[str, Any]) -> dict[str, Any]:
    output = status.get("output")
    if status["status"] != "COMPLETED":
        rest = output if isinstance(output, Mapping) else {}
        return {**rest, "error": str(status.get("error") or f"the job ended as {status['status']}")}
    size = len(json.dumps(output)) / 1e6
    if size > INLINE_MB:
        raise UsageError(
            f"the answer has {size:.1f} MB, and a RunPod job carries {INLINE_MB:g}: ask for less at a time, or have "
            "it uploaded (APP_BASE_URL)"
        )
    return dict(output) if isinstance(output, Mapping) else {"output": output}


async def _delivered(jobs: JobsClient, job: JobView) -> JobView:
    """The job once nothing of it is left to deliver, at the latest after a minute: RunPod may stop a worker then."""
    deadline = time.monotonic() + _DELIVERIES
    while any(each["state"] == "pending" for each in job.get("deliveries") or ()) and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        job = await asyncio.to_thread(jobs.job, str(job["job_id"]))
    return job


def _read_order(order: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Source]]:
    """The arguments of `submit` that are given, and the files. Raises UsageError."""
    if unknown := sorted(set(order) - _ORDER):
        raise UsageError(f"unknown {', '.join(unknown)} in `input`; known are {', '.join(sorted(_ORDER))}")
    for name in ("params", "files", "metadata"):
        if not isinstance(order.get(name, {}), Mapping):
            raise UsageError(f"`{name}` must be an object")
    files = {str(name): _file(str(name), value) for name, value in order.get("files", {}).items()}
    given = {name: order[name] for name in ("callback_url", "timeout_s", "metadata") if order.get(name) is not None}
    return given, files


def _file(name: str, value: object) -> Source:
    if not isinstance(value, str):
        raise UsageError(f"the file {name!r} must be an https URL, a data URI or base64")
    if value.startswith(("https://", "http://", "data:")):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"the file {name!r} is neither a URL, nor a data URI, nor base64: {error}") from error
