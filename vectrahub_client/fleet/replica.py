"""A replica: one ComfyUI process and the jobs that it is given. Serve makes, watches and replaces it."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import ClientError, JobLost, ServerError, UsageError
from ..host_config import HostConfig, load_config
from ..host_process import PrivateHost
from ..jobs import FINAL, JobsClient, JobView
from .messages import Message, Over, Result, Standing, Task

_LOG = logging.getLogger("vectrahub")
_FOLDER, _LOCK = "vectrahub-replica-", "lock"
_BETWEEN = 0.2  # seconds between two reports of progress
_LENT = ("models", "custom_nodes")  # what all replicas of a machine read; the rest of a base directory is their own
_OURS = ("VECTRAHUB_HOST", "VECTRAHUB_CACHE")
_SECRET = ("APP_BASE_URL", "SVG_UPLOAD_SECRET", "FILE_PROXY_SECRET")


class Replica:
    """`limits`: those of the edge's settings, so that its ComfyUI refuses nothing that the edge accepted.

    Raises HostNotPrepared or HostFailed where its ComfyUI does not start.
    """

    def __init__(self, limits: Mapping[str, Any], node_id: str) -> None:
        self._place = _Place()
        self._folder = self._place.folder
        try:
            config = load_config()
            base = own_base(config, self._folder / "base")
            environ = environ_of_host(os.environ, limits, f"{node_id}-{os.getpid()}")
            self._host = PrivateHost(config, base=base, run_directory=self._folder, environ=environ)
            self._host.start()
        except BaseException:
            self._place.leave()
            raise
        self._jobs = JobsClient(self._host.url, host_ended=self._host.why_ended)

    def __del__(self) -> None:  # Serve calls it when the replica is to end
        if hasattr(self, "_jobs"):
            self._jobs.close()
            self._host.stop()
            self._place.leave()

    def check_health(self) -> None:
        """What Serve asks regularly. Raises RuntimeError once the ComfyUI process has ended."""
        if reason := self._host.why_ended():
            raise RuntimeError(reason)

    async def run(self, task: Task) -> AsyncIterator[Message]:
        """Run a job; the call lasts as long as the job. Cancelled, it cancels the job.

        Under its id the ComfyUI knows the job, so that the same task given twice runs once. The process ends when its
        ComfyUI has: Ray tells the edge at once, which gives the job to another replica.
        """
        job_id: str | None = None
        try:
            try:
                job_id = await self._submitted(task)
            except (UsageError, JobLost) as error:  # the ComfyUI cannot run it: a missing model, an unknown system
                yield Over("failed", {}, {"kind": "refused", "message": str(error), "node": _node_of(error)})
                return
            async for message in self._followed(job_id):
                yield message
        except ServerError as error:
            _LOG.error("the ComfyUI of this replica is lost: %s", error)
            self._end()
        finally:
            if job_id is not None:
                await asyncio.shield(asyncio.to_thread(self._forget, job_id))

    async def _submitted(self, task: Task) -> str:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            files: dict[str, Any] = {}
            for name, file_name in task.inputs.items():
                path = Path(folder) / file_name
                await asyncio.to_thread(path.write_bytes, await task.edge.read_input.remote(task.job_id, name))
                files[name] = path
            job = await asyncio.to_thread(
                self._jobs.submit,
                task.system,
                task.params,
                files,
                idempotency_key=task.job_id,
                timeout_s=task.timeout_s,
            )
        return str(job["job_id"])

    async def _followed(self, job_id: str) -> AsyncIterator[Message]:
        news: asyncio.Queue[JobView | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        following = asyncio.create_task(
            self._jobs.follow(job_id, lambda job: loop.call_soon_threadsafe(news.put_nowait, job))
        )
        following.add_done_callback(lambda _: news.put_nowait(None))
        try:
            state, next_at = "", 0.0
            while (view := await news.get()) is not None:
                if view["state"] in FINAL or (view["state"] == state and time.monotonic() < next_at):
                    continue
                state, next_at = view["state"], time.monotonic() + _BETWEEN
                yield Standing(state, float(view.get("progress") or 0.0), view.get("stage"))
            job = await following
        finally:
            following.cancel()
        for output in job.get("outputs") or ():
            data = await asyncio.to_thread(self._fetched, job, output["name"])
            yield Result(output["name"], output["node"], output["type"], data)
        yield Over(job["state"], job.get("report") or {}, job.get("error"))

    def _fetched(self, job: JobView, name: str) -> bytes:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            return self._jobs.download(job, name, Path(folder) / "result").read_bytes()

    def _forget(self, job_id: str) -> None:
        """Cancel a job that is not over, and remove its files: the edge has them, or does not want them."""
        try:
            if self._jobs.job(job_id)["state"] not in FINAL:
                self._jobs.cancel(job_id)
                self._jobs.wait(job_id, timeout=60)
            self._jobs.delete(job_id)
        except ClientError as error:
            _LOG.warning("the job %s stays on its replica: %s", job_id, error)

    def _end(self) -> None:
        self._host.stop()
        self._place.leave()
        os._exit(1)  # not sys.exit: Serve would take it for a failed request and keep the replica


class _Place:
    """A folder for this process. Those of processes that were killed are removed first: they are locked no longer."""

    def __init__(self) -> None:
        import fcntl  # not on Windows, where Serve is not either

        for left in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
            with suppress(OSError), (left / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        self.folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
        self._lock = (self.folder / _LOCK).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def leave(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def own_base(config: HostConfig, base: Path) -> Path:
    """A base directory that has the prepared one's models and nodes, and inputs, settings and a ledger of its own."""
    base.mkdir(parents=True)
    for name in _LENT:
        if (config.base / name).is_dir():
            (base / name).symlink_to(config.base / name, target_is_directory=True)
    return base


def environ_of_host(environ: Mapping[str, str], limits: Mapping[str, Any], node_id: str) -> dict[str, str]:
    """The environment of a replica's ComfyUI: the edge's limits, and none of its secrets, contracts and tokens."""
    kept = {
        name: value
        for name, value in environ.items()
        if name in _OURS or not (name.startswith(("VECTRAHUB_", "RAY_AUTH_")) or name in _SECRET)
    }
    given = {f"VECTRAHUB_LIMITS__{name.upper()}": str(value) for name, value in limits.items()}
    return {**kept, **given, "VECTRAHUB_NODE_ID": node_id}


def _node_of(error: Exception) -> dict[str, Any] | None:
    if (node_id := getattr(error, "node_id", None)) is None:
        return None
    return {"id": node_id, "type": getattr(error, "node_type", None), "title": getattr(error, "title", None)}
