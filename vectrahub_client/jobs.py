"""A client of the job API: jobs that outlive the connection, the client and the server's process.

    with JobsClient("https://gpu.example", token="vh_...") as jobs:
        job = jobs.submit("vectorize", {}, {"image": Path("logo.png")})
        job = jobs.wait(job["job_id"], on_event=print)
        jobs.download_all(completed(job), Path("out"))

A job is the JSON object that the API answers: docs/serving.md.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import queue
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

from ._http import Unreachable, normal_url
from ._jobs_http import JobsHttp
from ._names import safe_name, write_whole
from ._paths import check_input
from .errors import (
    BadAnswer,
    JobCancelled,
    JobError,
    JobFailed,
    JobLost,
    JobRejected,
    JobTimeout,
    OutputError,
    ServerBusy,
    ServerError,
    ServerLost,
    UsageError,
)

PREFIX = "vectrahub/v1"
FINAL = frozenset({"completed", "failed", "cancelled"})
PATIENCE = 180.0  # seconds; a ComfyUI that is restarted answers again after 20 to 60

_POLL = 1.0  # seconds between two looks while no events come
_POLL_BESIDE_EVENTS = 10.0
_GLANCE = 0.25  # seconds after which a waiting thread looks whether it should stop

JobView = Mapping[str, Any]
Listener = Callable[[JobView], object]
Source = Path | bytes | str


def ignore(_job: JobView) -> None:
    """Listen to nothing."""


def _unknown_end() -> str | None:
    return None


def completed(job: JobView) -> JobView:
    """The job, if it is completed. Raises why it is not: JobFailed, JobRejected, JobTimeout, JobLost, JobCancelled."""
    state = job.get("state")
    if state == "completed":
        return job
    if state == "cancelled":
        raise JobCancelled(f"the job {job.get('job_id')} was cancelled")
    if state != "failed":
        raise JobTimeout(f"the job {job.get('job_id')} is not over: it is {state}")
    error = job.get("error") or {}
    message, node = str(error.get("message") or "no reason was given"), error.get("node") or {}
    about = (node.get("id"), node.get("type"), node.get("title"))
    kinds: dict[object, Exception] = {
        "timeout": JobTimeout(message),
        "lost": JobLost(message),
        "refused": JobRejected(message, *about),
    }
    raise kinds.get(error.get("kind"), JobFailed(message, *about))


class JobsClient:
    """Talks to the job API at `url`, with a token where the server wants one. It may be used by several threads.

    `patience`: seconds for which a server that does not answer, or has no room, is asked again. `host_ended` says why
    the server is known to have ended, or None: of a host that belongs to this process. Every method raises UsageError
    for what the server refuses, ServerLost, ServerBusy, JobLost (it does not know the job) or BadAnswer.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience: float = PATIENCE,
        host_ended: Callable[[], str | None] = _unknown_end,
    ) -> None:
        self._patience = patience
        self._host_ended = host_ended
        self._http = JobsHttp(normal_url(url), token, patience, host_ended)

    @property
    def url(self) -> str:
        return self._http.url

    def __enter__(self) -> JobsClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(
        self,
        system: str,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, Source] | None = None,
        *,
        idempotency_key: str | None = None,
        callback_url: str | None = None,
        timeout_s: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Order a job of a system ("vectorize", ...); the job, accepted for good.

        `files` by the system's names: a Path or bytes are sent, a str is a URL (or data URI) that the server fetches.
        A lost answer is asked for again under the same `idempotency_key` (1..200 printable characters; a new one
        without it), so that the order is carried out once.
        """
        options = {"callback_url": callback_url, "timeout_s": timeout_s, "metadata": metadata}
        request: dict[str, Any] = {"params": dict(params or {})}
        request |= {name: value for name, value in options.items() if value is not None}
        links = {name: source for name, source in (files or {}).items() if isinstance(source, str)}
        sent = {name: source for name, source in (files or {}).items() if not isinstance(source, str)}
        for name, link in links.items():
            if not link.startswith(("https://", "http://", "data:")):
                raise UsageError(f"the file {name!r} is given as {link[:80]!r}, which is no URL; a Path names a file")
        for source in sent.values():
            if isinstance(source, Path):
                check_input(source)
        if links:
            request["files"] = links
        key = idempotency_key or str(uuid.uuid4())
        return self._http.repeated(lambda: self._post(f"{PREFIX}/{quote(system, safe='')}", request, sent, key))

    def workflow(
        self,
        graph: Mapping[str, Any],
        values: Mapping[str, Any] | None = None,
        files: Mapping[str, Source] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Order an API-format graph. `values`: {"Title.input": value}; `files` by node title; `options` of `submit`."""
        return self.submit("workflows", {"workflow": dict(graph), "set": dict(values or {})}, files, **options)

    def job(self, job_id: str) -> dict[str, Any]:
        """Where the job stands."""
        return self._http.repeated(lambda: self._look(job_id))

    def jobs(self, state: str | None = None, limit: int = 50, before: str | int | None = None) -> Any:
        """What GET /jobs answers: the newest jobs first."""
        query = {"state": state, "limit": limit, "before": before}
        path = f"{PREFIX}/jobs?{urlencode({k: v for k, v in query.items() if v is not None})}"
        return self._http.repeated(lambda: self._http.call("GET", path))

    def wait(
        self,
        job_id: str,
        on_event: Listener = ignore,
        timeout: float | None = None,
        stop: threading.Event | None = None,
    ) -> dict[str, Any]:
        """The job when it is over, or as it is after `timeout` seconds or when `stop` is set; it goes on then.

        `on_event` hears each change as far as the server tells it ({"state", "progress", "stage", ...}). Server-sent
        events and looks race, so neither a lost event nor a lost connection makes it hang. `completed` tells how a
        job ended.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        feed = _Feed(self._http, self._path(job_id, "events"))
        heard: dict[str, Any] = {}
        last_answer, last_look = time.monotonic(), -_POLL_BESIDE_EVENTS

        def hear(news: JobView) -> None:
            before = _gist(heard)
            heard.update(news)
            if _gist(heard) != before:
                on_event(dict(heard))

        def ends() -> bool:
            return (deadline is not None and time.monotonic() >= deadline) or (stop is not None and stop.is_set())

        try:
            while True:
                pause = _POLL_BESIDE_EVENTS if feed.open else _POLL
                if time.monotonic() >= last_look + pause:
                    ending = ends()
                    try:
                        job = self._look(job_id)
                    except (Unreachable, ServerBusy) as error:
                        self._endure(error, last_answer)
                        if ending:
                            raise
                    else:
                        last_answer = time.monotonic()
                        hear(job)
                        if ending or job["state"] in FINAL:
                            return job
                    last_look = time.monotonic()
                news = feed.next(_GLANCE)
                if news is not None:
                    hear(news)
                if ends() or (news or {}).get("state") in FINAL:
                    last_look = -_POLL_BESIDE_EVENTS  # the whole job has the last word
        finally:
            feed.close()

    async def follow(self, job_id: str, on_event: Listener = ignore) -> dict[str, Any]:
        """`wait` for a coroutine; `on_event` is called in another thread. Cancelled, it leaves the job alone."""
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self.wait, job_id, on_event, None, stop)
        finally:
            stop.set()

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Take the job from the queue, or interrupt it; one that is over is left alone. The job."""
        return self._http.repeated(lambda: self._http.call("POST", self._path(job_id, "cancel")))

    def delete(self, job_id: str) -> None:
        """Forget a job that is over, with its files; one that is not known is none."""
        self._http.repeated(lambda: self._http.call("DELETE", self._path(job_id), accept=(404,)))

    def download(self, job: JobView, name: str, target: Path, *, replace: bool = False) -> Path:
        """Fetch an output into `target`, whole or not at all; the path written (see `replace` of `write_whole`)."""
        size = next((output["bytes"] for output in job.get("outputs") or () if output["name"] == name), None)
        if size is None:
            raise OutputError(f"the job {job.get('job_id')} has no output {name!r}")
        path = self._path(str(job["job_id"]), f"outputs/{quote(name, safe='')}")

        def fill(stream: BinaryIO) -> None:
            if (got := self._http.download(path, {}, stream.write)) != size:
                raise Unreachable(f"{name} came with {got} of {size} bytes")

        return self._http.repeated(lambda: write_whole(target, fill, replace=replace))

    def download_all(self, job: JobView, folder: Path) -> list[Path]:
        """Fetch every output into `folder`, under safe names; files already there are kept."""
        return [self.download(job, each["name"], folder / safe_name(each["name"])) for each in job.get("outputs") or ()]

    def _post(self, path: str, request: Mapping[str, Any], sent: Mapping[str, Source], key: str) -> dict[str, Any]:
        try:
            body = json.dumps(request, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"the order cannot be sent as JSON: {error}") from error
        headers = {"Idempotency-Key": key}
        if not sent:
            headers["Content-Type"] = "application/json"
            return _job(self._http.call("POST", path, content=body.encode(), headers=headers))
        with ExitStack() as opened:
            parts = {name: _part(name, source, opened) for name, source in sent.items()}
            form = {"request": body}
            return _job(self._http.call("POST", path, files=parts, data=form, headers=headers, timeout=120.0))

    def _look(self, job_id: str) -> dict[str, Any]:
        return _job(self._http.call("GET", self._path(job_id)))

    def _path(self, job_id: str, rest: str = "") -> str:
        return f"{PREFIX}/jobs/{quote(job_id, safe='')}" + (f"/{rest}" if rest else "")

    def _endure(self, error: ServerError, last_answer: float) -> None:
        if reason := self._host_ended():
            raise ServerLost(f"the server ended in the middle of the job: {reason}") from error
        silence = time.monotonic() - last_answer
        if silence > self._patience:
            raise ServerLost(f"no answer for {silence:.0f} s in the middle of the job: {error}") from error


class _Feed:
    """The events of one job, read by a thread of its own from the first `next` on; `open` while they come."""

    def __init__(self, http: JobsHttp, path: str) -> None:
        self._http = http
        self._path = path
        self._news: queue.Queue[JobView] = queue.Queue()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.open = False

    def next(self, pause: float) -> JobView | None:
        """The next event, None where none comes within `pause` seconds."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, name="job-events", daemon=True)
            self._thread.start()
        try:
            return self._news.get(timeout=pause) if pause else self._news.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        self._closed.set()

    def _read(self) -> None:
        pause = 0.5
        while not self._closed.is_set():
            try:
                for data in self._http.events(self._path):
                    self.open, pause = True, 0.5
                    self._news.put(data)
                    if self._closed.is_set() or data.get("state") in FINAL:
                        return
            except (UsageError, JobError, JobLost, BadAnswer):
                return  # no events for us; the looks go on and say why
            except (ServerError, RuntimeError):  # lost, or the client was closed meanwhile
                pass
            finally:
                self.open = False
            self._closed.wait(pause)
            pause = min(2 * pause, 5.0)


def _part(name: str, source: Source, opened: ExitStack) -> tuple[str, bytes | BinaryIO, str]:
    """(file name, content, type) of a part. Raises UsageError where the file cannot be read."""
    if isinstance(source, bytes):
        return name, source, "application/octet-stream"
    path = Path(source)
    try:
        stream = opened.enter_context(path.open("rb"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    return safe_name(path.name), stream, mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _gist(job: JobView) -> tuple[object, ...]:
    """What is worth telling when it changes."""
    return tuple(job.get(key) for key in ("state", "progress", "stage", "queue_place"))


def _job(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict) or "job_id" not in answer or "state" not in answer:
        raise BadAnswer(f"the server answered {str(answer)[:100]!r} where it should be a job")
    return answer
