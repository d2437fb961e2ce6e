"""Refusals in the words of RFC 7807: what was wrong, the limit, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal. `kind` is its stable name for programs ("queue-full"), `detail` says value, limit and remedy.

    `headers` go with the answer (Retry-After, Allow); `extra` are further members of the document.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra

    def document(self, request_id: str) -> dict[str, Any]:
        """The members of RFC 7807 section 3.1, and our `request_id`."""
        return {
            "type": f"urn:vectrahub:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:vectrahub:request:{request_id}",
            "request_id": request_id,
            **self.extra,
        }


def problem_response(problem: Problem, request_id: str) -> web.Response:
    """The answer to a refused request."""
    return web.json_response(
        problem.document(request_id), status=problem.status, headers=problem.headers, content_type=CONTENT_TYPE
    )


def bad_request(detail: str, **extra: Any) -> Problem:
    """400: the request cannot be understood."""
    return Problem(400, "bad-request", "The request cannot be understood", detail, **extra)


def bad_value(detail: str, **extra: Any) -> Problem:
    """422: understood, but a value is outside its limits."""
    return Problem(422, "bad-value", "A value cannot be used", detail, **extra)


def not_found(what: str) -> Problem:
    """404 for a thing that does not exist, or that is not the caller's."""
    return Problem(404, "not-found", "There is no such thing", what)


def busy(detail: str, retry_after: int) -> Problem:
    """429 with Retry-After in seconds."""
    return Problem(429, "busy", "Too much to do", detail, headers={"Retry-After": str(retry_after)})


def too_large(detail: str) -> Problem:
    """413: the body, a file or a picture is larger than allowed."""
    return Problem(413, "too-large", "The request is too large", detail)


def unavailable(detail: str, retry_after: int = 5) -> Problem:
    """503 with Retry-After in seconds."""
    return Problem(503, "unavailable", "Not now", detail, headers={"Retry-After": str(retry_after)})
