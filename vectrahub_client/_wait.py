"""Waiting for a job: a race of the websocket and the history, which always has the last word."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._events import EventReader, Listener
from ._http import Http, Silent, Unreachable
from ._socket import JobSocket
from .errors import BadAnswer, JobLost, JobTimeout, ServerLost

_OVER = ("execution_success", "execution_error", "execution_interrupted")


@dataclass(frozen=True)
class Patience:
    """Seconds. The two limits bound how long a job can be waited for without any answer of the server.

    `gone`: nobody listens at the address (stopped, crashed). `silent`: connected without an answer; long, because
    a node that works in native code can hold the server's interpreter. `poll`: between two looks at the history.
    `poll_queue`: between two looks at the queue, whose answer holds every waiting workflow.
    """

    gone: float = 10.0
    silent: float = 120.0
    poll: float = 1.0
    poll_queue: float = 5.0


class Waiter:
    """Waits for one job that was posted as `prompt_id`."""

    def __init__(
        self,
        http: Http,
        socket: JobSocket,
        prompt_id: str,
        graph: Mapping[str, Any],
        patience: Patience,
        host_ended: Callable[[], str | None],
    ) -> None:
        self._http = http
        self._socket = socket
        self._prompt_id = prompt_id
        self._reader = EventReader(prompt_id, graph)
        self._patience = patience
        self._host_ended = host_ended
        self._last_answer = time.monotonic()

    def wait(self, on_event: Listener, timeout: float | None) -> Mapping[str, Any]:
        """The job's history entry, finished in whatever way. Raises ServerLost, JobLost, JobTimeout."""
        started = time.monotonic()
        next_poll = next_queue = 0.0
        while True:
            now = time.monotonic()
            if timeout is not None and now - started > timeout:
                raise JobTimeout(f"the job took longer than {timeout:g} s and was cancelled")
            if now >= next_poll:
                look_at_queue = now >= next_queue
                entry = self._poll(look_at_queue)
                if entry is not None:
                    on_event(self._reader.event("done"))
                    return entry
                next_poll = time.monotonic() + self._patience.poll
                if look_at_queue:
                    next_queue = time.monotonic() + self._patience.poll_queue
            remaining = None if timeout is None else max(0.0, started + timeout - time.monotonic())
            pause = max(0.0, next_poll - time.monotonic())
            kind = self._hear(on_event, pause if remaining is None else min(pause, remaining + 0.01))
            if kind in _OVER:
                # Sent before the entry is in the history: look now, and often until it is there.
                next_poll = time.monotonic()
                entry = self._settle()
                if entry is not None:
                    on_event(self._reader.event("done"))
                    return entry
            elif kind == "connection_back":
                next_poll = next_queue = 0.0

    def knows_job(self) -> bool:
        """Whether the server has the job, in whatever state. The queue first: a job moves from it to the history."""
        waiting = self._http.get("queue")
        jobs = [*waiting.get("queue_running", ()), *waiting.get("queue_pending", ())]
        return any(job[1] == self._prompt_id for job in jobs) or self._entry() is not None

    def _hear(self, on_event: Listener, pause: float) -> str | None:
        try:
            message = self._socket.messages.get(timeout=pause) if pause else self._socket.messages.get_nowait()
        except queue.Empty:
            return None
        kind = message.get("type")
        if kind in ("connection_lost", "connection_back"):
            on_event(self._reader.event(kind))
            return kind
        event = self._reader.read(message)
        if event is not None:
            on_event(event)
        data = message.get("data")
        return kind if isinstance(data, Mapping) and data.get("prompt_id") == self._prompt_id else None

    def _settle(self) -> Mapping[str, Any] | None:
        for _ in range(20):
            entry = self._poll(look_at_queue=False)
            if entry is not None:
                return entry
            time.sleep(0.05)
        return None

    def _poll(self, look_at_queue: bool) -> Mapping[str, Any] | None:
        try:
            lost = look_at_queue and not self.knows_job()
            entry = self._entry()
        except Unreachable as error:
            self._endure(error)
            return None
        self._last_answer = time.monotonic()
        if lost and entry is None:
            raise JobLost(
                f"{self._http.url} no longer knows the job {self._prompt_id}: the server was restarted, "
                "or somebody removed the job from its queue"
            )
        return entry

    def _entry(self) -> Mapping[str, Any] | None:
        history = self._http.get(f"history/{self._prompt_id}")
        entry = history.get(self._prompt_id) if isinstance(history, Mapping) else history
        if entry is not None and not isinstance(entry, Mapping):
            raise BadAnswer(f"{self._http.url} answered a question for its history with {str(entry)[:100]}")
        return entry

    def _endure(self, error: Unreachable) -> None:
        if reason := self._host_ended():
            raise ServerLost(f"the server ended in the middle of the job: {reason}") from error
        silence = time.monotonic() - self._last_answer
        if silence > (self._patience.silent if isinstance(error, Silent) else self._patience.gone):
            raise ServerLost(f"no answer for {silence:.0f} s in the middle of the job: {error}") from error
