"""One ComfyUI to talk to: upload, run, cancel, download."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from ._catalogue import remedy
from ._events import Event, Listener, describe, ignore
from ._http import Http, Unreachable, normal_url
from ._names import safe_name, write_whole
from ._outputs import JobResult, OutputFile, read_entry
from ._paths import check_input
from ._socket import JobSocket
from ._wait import Patience, Waiter
from ._workflow import check_graph
from .errors import BadAnswer, JobLost, JobRejected, ServerError, ServerLost, UsageError

_AGAIN = 0.2  # seconds between two cancellations of one job
_UPLOADS = "vectrahub_client"  # subfolder of the server's input folder


def _unknown_end() -> str | None:
    return None


class Client:
    """Talks to the ComfyUI at `url`. One client may run jobs from several threads; each has its own websocket.

    `patience` bounds the waiting for a server that stopped answering. `host_ended` says why the server is known to
    have ended, or None: it makes the end of a private host known at once.
    """

    def __init__(
        self, url: str, *, patience: Patience | None = None, host_ended: Callable[[], str | None] = _unknown_end
    ) -> None:
        self._http = Http(normal_url(url))
        self._patience = patience or Patience()
        self._host_ended = host_ended
        self._schemas: dict[str, Mapping[str, Any] | None] = {}

    @property
    def url(self) -> str:
        return self._http.url

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """The JSON at a path of the server, or None where it has no such path."""
        return self._http.get_or_none(path)

    def schema(self, node_type: str) -> Mapping[str, Any] | None:
        """A node class as /object_info gives it, or None where the server lacks it; asked for once."""
        if node_type not in self._schemas:
            answer = self._http.get(f"object_info/{quote(node_type, safe='')}")
            self._schemas[node_type] = answer.get(node_type) if isinstance(answer, Mapping) else None
        return self._schemas[node_type]

    def upload(self, path: Path) -> str:
        """Put an image into the server's input folder; the value for LoadImage's `image`. Raises UsageError.

        Its name there begins with a digest of its content, so the same file is kept once and nobody else's file
        of the same name is overwritten.
        """
        check_input(path)
        try:
            with path.open("rb") as stream:
                digest = _digest(stream)
            # ComfyUI reads "[output]" at the end of a value as a folder, so a name may not look like it.
            name = f"{digest[:16]}-{safe_name(path.name).replace('[', '(').replace(']', ')')}"
            form = {"subfolder": _UPLOADS, "type": "input", "overwrite": "true"}
            answer = self._http.upload("upload/image", "image", name, path, form)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
        try:
            return f"{answer['subfolder']}/{answer['name']}" if answer.get("subfolder") else str(answer["name"])
        except (KeyError, AttributeError, TypeError) as error:
            raise BadAnswer(f"{self.url} answered an upload with {answer!r}") from error

    def run(self, graph: Mapping[str, Any], *, on_event: Listener = ignore, timeout: float | None = None) -> JobResult:
        """Run an API-format graph and wait for its end; `timeout` in seconds includes the time in the queue.

        Raises JobRejected, JobFailed, JobCancelled, JobTimeout or a ServerError. On any exception, also
        KeyboardInterrupt and one raised by `on_event`, the job is cancelled on the server first.
        """
        checked = check_graph(graph, "the workflow")
        prompt_id, client_id = str(uuid.uuid4()), uuid.uuid4().hex
        started = time.monotonic()
        socket = JobSocket(self.url, client_id)
        waiter = Waiter(self._http, socket, prompt_id, checked, self._patience, self._host_ended)
        try:
            socket.open()
            try:
                self._submit(checked, prompt_id, client_id, waiter)
                on_event(Event("queued", prompt_id, total=len(checked)))
                entry = waiter.wait(on_event, timeout)
            except (ServerLost, JobLost):
                raise  # nobody there to cancel it
            except BaseException:
                self._cancel_quietly(prompt_id)
                raise
        finally:
            socket.close()
        return read_entry(prompt_id, entry, checked, time.monotonic() - started)

    def cancel(self, prompt_id: str) -> None:
        """Take a job from the queue, or interrupt it where it runs. A job that is over or unknown is left alone."""
        status, _ = self._http.post(f"api/jobs/{prompt_id}/cancel", {}, accept=(404, 405))
        if status in (404, 405):  # a ComfyUI older than its job API
            self._http.post("queue", {"delete": [prompt_id]})
            self._http.post("interrupt", {"prompt_id": prompt_id})

    def download(self, file: OutputFile, target: Path, *, replace: bool = False) -> Path:
        """Fetch a result into `target`, whole or not at all; the path written (see `replace` of `write_whole`)."""
        params = {"filename": file.filename, "subfolder": file.subfolder, "type": file.kind}
        return write_whole(target, lambda stream: self._http.download("view", params, stream.write), replace=replace)

    def download_all(self, result: JobResult, folder: Path) -> list[Path]:
        """Fetch every result file into `folder`, flat, under safe names; files already there are kept."""
        return [self.download(file, folder / safe_name(file.filename)) for file in result.files]

    def _submit(self, graph: Mapping[str, Any], prompt_id: str, client_id: str, waiter: Waiter) -> None:
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id}
        try:
            status, answer = self._http.post("prompt", body, accept=(400,))
        except Unreachable:
            # It may have arrived and only its answer been lost; the id is ours, so the server can be asked.
            if not waiter.knows_job():
                raise
            return
        if not isinstance(answer, Mapping):
            raise BadAnswer(f"{self.url} answered /prompt with {status} and no JSON object")
        if status == 400 or answer.get("node_errors"):
            # With status 200 the host has queued the valid outputs: half a result is none. The caller cancels.
            raise rejection(answer, graph)

    def _cancel_quietly(self, prompt_id: str) -> None:
        # The exception under way says more than a failed cancel.
        with suppress(ServerError):
            self.cancel(prompt_id)
            time.sleep(_AGAIN)  # ComfyUI forgets an interruption that comes while it begins the job
            self.cancel(prompt_id)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def rejection(answer: Mapping[str, Any], graph: Mapping[str, Any]) -> JobRejected:
    """What the server's refusal of a graph says, {"error", "node_errors"}, and how what is missing can be got."""
    lines: list[str] = []
    remedies: dict[str, None] = {}
    first: tuple[str | None, str | None, str | None] = (None, None, None)
    for node_id, trouble in (answer.get("node_errors") or {}).items():
        node_type, title = describe(graph, node_id)
        first = (node_id, node_type, title) if first[0] is None else first
        for error in trouble.get("errors") or ():
            named = f"{title!r} ({node_type})" if title else f"{node_type}"
            lines.append(f"node {named}, id {node_id}: {error.get('message')}: {error.get('details')}")
            wanted = (error.get("extra_info") or {}).get("received_value")
            if error.get("type") == "value_not_in_list" and (way := remedy(str(wanted))):
                remedies[way] = None
    if not lines:
        error = answer.get("error") or {}
        if isinstance(error, Mapping):
            lines = [": ".join(str(error[key]) for key in ("message", "details") if error.get(key))]
            node_id = (error.get("extra_info") or {}).get("node_id")
            if node_id is not None:
                first = (str(node_id), *describe(graph, str(node_id)))
                lines.append(f"that node is a {first[1]}")  # the host names only its title
        else:
            lines = [str(error)]
    return JobRejected("the server refused the workflow: " + "; ".join([*lines, *remedies]), *first)
