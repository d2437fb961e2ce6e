"""HTTP to the job API: a token on every request, refusals as this client's errors, retries of what may be repeated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from ._http import Http, Unreachable
from .errors import BadAnswer, JobLost, JobRejected, ServerBusy, ServerLost, UsageError

_LONGEST_PAUSE = 60.0  # seconds, whatever Retry-After says
_FIRST_PAUSE = 0.25

T = TypeVar("T")


class JobsHttp(Http):
    """`Http` for the job API. `patience`: seconds in which a request is repeated while nobody, or nobody free, answers.

    `ended` says why the server is known to be gone for good, or None.
    """

    def __init__(self, url: str, token: str | None, patience: float, ended: Callable[[], str | None]) -> None:
        super().__init__(url, timeout=30.0)
        self._patience = patience
        self._ended = ended
        if token:
            self._client.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer, None for an empty one. Repeated only by those who may: see `repeated`."""
        response = self._request(method, path, **options)
        return self._json(response) if response.content else None

    def repeated(self, do: Callable[[], T]) -> T:
        """`do()`, again after a lost connection, and after 429 and 503 when Retry-After says so.

        Raises ServerLost or ServerBusy once the patience is used up, and at once what repeating would not change.
        """
        deadline = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                return do()
            except ServerBusy as error:
                wait = min(error.retry_after or pause, _LONGEST_PAUSE)
                if time.monotonic() + wait > deadline:
                    raise
            except Unreachable as error:
                if reason := self._ended():
                    raise ServerLost(f"the server ended: {reason}") from error
                wait = pause
                if time.monotonic() + wait > deadline:
                    raise ServerLost(f"no answer within {self._patience:.0f} s: {error}") from error
            time.sleep(wait)
            pause = min(2 * pause, 5.0)

    def events(self, path: str) -> Iterator[Mapping[str, Any]]:
        """The data of the server-sent events at `path`, each a JSON object, until the server closes the stream."""
        # Heartbeats come every 15 s: a stream that is silent for longer is broken.
        timeout = httpx.Timeout(40.0, connect=5.0)
        headers = {"Accept": "text/event-stream"}
        with (
            self._translated("GET", path),
            self._client.stream("GET", path.lstrip("/"), headers=headers, timeout=timeout) as response,
        ):
            self._check(response, ())
            lines: list[str] = []
            for line in response.iter_lines():
                if line.startswith("data:"):
                    lines.append(line[5:].removeprefix(" "))
                elif not line and lines:
                    yield _object("\n".join(lines), path)
                    lines = []

    def _check(self, response: httpx.Response, accept: tuple[int, ...]) -> None:
        if response.is_success or response.status_code in accept:
            return
        response.read()
        raise _refusal(response)


def _object(text: str, path: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadAnswer(f"an event of {path} is not JSON: {text[:100]}") from error
    if not isinstance(data, Mapping):
        raise BadAnswer(f"an event of {path} is no JSON object: {text[:100]}")
    return data


def _refusal(response: httpx.Response) -> Exception:
    status = response.status_code
    text = _words(response)
    if status in (429, 503):
        return ServerBusy(f"{text} (status {status})", _retry_after(response))
    if status in (502, 504):  # a reverse proxy whose server is away
        return Unreachable(text)
    if status == 404:
        return JobLost(text)
    if status == 422:
        return JobRejected(text)
    if status in (401, 403):
        return UsageError(f"{text}: give a token of this server that has the scope")
    if 400 <= status < 500:
        return UsageError(text)
    return BadAnswer(f"{text} (status {status})")


def _words(response: httpx.Response) -> str:
    """A problem document's title and detail, or an error's words, else where and how the server answered."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if isinstance(problem, Mapping) and problem.get("title"):
        return ": ".join(str(problem[key]) for key in ("title", "detail") if problem.get(key))
    if isinstance(problem, Mapping) and isinstance(problem.get("error"), str):  # as the old servers' addresses say it
        return problem["error"]
    request = response.request
    where = f"{request.method} {request.url.path}"
    return f"{where} was answered with {response.status_code} {response.text.strip()[:300]}".rstrip()


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds (RFC 9110 section 10.2.3: a number of them, or a date), None where it is not said."""
    text = response.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
