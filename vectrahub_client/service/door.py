"""The door in front of every address: who asks, whether it may, and one way of saying no.

Deny by default: a token that is not known, two that differ, a header that hints at a proxy, each is a 401.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from ..errors import UsageError
from . import logs
from .origin import is_local
from .problems import Problem, bad_value, problem_response
from .records import Caller
from .route import Route
from .settings import Settings
from .tokens import TokenLookup, find

log = logging.getLogger("vectrahub")

LOCAL = Caller("local", "local", frozenset({"admin"}))
NOBODY = Caller("", "nobody", frozenset())

REQUEST_ID_HEADER = "X-Request-ID"
TOKEN_HEADERS = ("X-API-Key", "X-Internal-Auth")

_SMALL = 64 * 1024  # bytes of a body that are read to their end, so that the connection can be used again
_NOT_ENCODED = ("", "identity")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CLIENT_GONE = 499  # as proxies count it; nobody is there to read it

WebHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestCounter(Protocol):
    """Of the metrics."""

    def request(self, route: str, status: int, seconds: float) -> None:
        """An answer was given."""
        ...


class Door:
    """Of one service."""

    def __init__(self, settings: Settings, ledger: TokenLookup, metrics: RequestCounter) -> None:
        self._settings = settings
        self._ledger = ledger
        self._metrics = metrics
        self._ours: set[WebHandler] = set()

    def behind(self, route: Route) -> WebHandler:
        """The route's handler as aiohttp calls it: with a caller that may, and with refusals in the route's words."""

        async def handler(request: web.Request) -> web.StreamResponse:
            begun = time.monotonic()
            status = _CLIENT_GONE
            request_id_of(request)
            try:
                response = await self._answer(request, route)
                status = response.status
                return read_no_more(request, response)
            except web.HTTPException as moved:  # only redirections come this far
                status = moved.status
                raise
            finally:
                self._metrics.request(route.path, status, time.monotonic() - begun)

        self._ours.add(handler)
        return handler

    @web.middleware
    async def guard_host(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        """Every address that is not ours wants the scope admin, those that do not exist too."""
        if request.match_info.handler in self._ours:
            return await handler(request)
        try:
            check_encoding(request)
            caller = await self.caller(request)
            if not caller.may("admin"):
                raise forbidden("admin")
        except Problem as problem:
            refused = seal(request, problem_response(problem, request_id_of(request)))
            return read_no_more(request, refused)
        return await handler(request)

    async def caller(self, request: web.Request) -> Caller:
        """Who asks. Raises Problem 401 where that is not beyond doubt, 503 where the ledger cannot be asked."""
        tokens = presented_tokens(request)
        if tokens:
            found = None
            if len(tokens) == 1:
                found = await find(next(iter(tokens)), self._ledger, self._settings.secrets.tokens)
            if found is None:
                raise unauthorized("the token is not known here; it may have been revoked", 'error="invalid_token"')
            return found
        if self._settings.auth.trust_loopback and is_local(request):
            return LOCAL
        raise unauthorized(f"send a token, as Authorization: Bearer TOKEN, or in {' or '.join(TOKEN_HEADERS)}")

    async def _answer(self, request: web.Request, route: Route) -> web.StreamResponse:
        try:
            check_encoding(request)
            caller = await self._admitted(request, route)
            response = await route.handler(request, caller)
        except Problem as problem:
            response = self._refusal(request, route, problem)
        except UsageError as error:
            response = self._refusal(request, route, bad_value(str(error)))
        except web.HTTPException as error:
            if error.status < 400:
                seal(request, error)
                raise
            title = error.reason or "The request was refused"
            kind = "too-large" if error.status == 413 else f"http-{error.status}"
            response = self._refusal(request, route, Problem(error.status, kind, title, error.text or ""))
        except Exception as error:
            if isinstance(error, ConnectionError) and request.transport is None:
                return web.Response(status=_CLIENT_GONE)
            log.exception("%s %s failed (request %s)", route.method, route.path, request_id_of(request))
            title = "The server made a mistake"
            response = self._refusal(
                request, route, Problem(500, "internal", title, "its log has the request id and the reason")
            )
        return seal(request, response)

    async def _admitted(self, request: web.Request, route: Route) -> Caller:
        try:
            caller = await self.caller(request)
        except Problem:
            if route.scope is not None:
                raise
            return NOBODY
        if route.scope is not None and not caller.may(route.scope):
            raise forbidden(route.scope)
        return caller

    def _refusal(self, request: web.Request, route: Route, problem: Problem) -> web.StreamResponse:
        return route.refuse(problem, request_id_of(request))


@web.middleware
async def no_reading_on(request: web.Request, handler: WebHandler) -> web.StreamResponse:
    """Outermost of a server with middlewares of its own: what they refuse is not read, or inflated, either."""
    try:
        return read_no_more(request, await handler(request))
    except web.HTTPException as error:
        read_no_more(request, error)
        raise


def check_encoding(request: web.Request) -> None:
    """Raises Problem 415 for a compressed body: a small one may be a gigabyte, and costs time before it is read."""
    for value in request.headers.getall("Content-Encoding", []):
        if value.strip().lower() not in _NOT_ENCODED:
            detail = f"the body comes as Content-Encoding: {value[:40]}; send it as it is"
            raise Problem(415, "content-encoding", "The body is compressed", detail)


def read_no_more(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """The same response; what is left of a large or compressed body is thrown away as it comes.

    Of itself aiohttp would go on for seconds to parse and inflate it, to use the connection again.
    """
    if not request.content.is_eof():
        length = request.content_length
        if length is None or length > _SMALL or "Content-Encoding" in request.headers:
            request.protocol.close()
            if not response.prepared:
                response.force_close()
    return response


def request_id_of(request: web.Request) -> str:
    """The id that the client gave the request, if it is harmless, else one of ours; the same at every call.

    It is also what the log calls the request: aiohttp gives every request a task, and so a context, of its own.
    """
    known = logs.request_id.get()
    if known is None:
        given = request.headers.getall(REQUEST_ID_HEADER, [])
        usable = len(given) == 1 and _REQUEST_ID.fullmatch(given[0])
        known = given[0] if usable else uuid.uuid4().hex
        logs.request_id.set(known)
    return known


def seal(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """The headers of every answer. A handler that streams calls it before `prepare`."""
    if not response.prepared:
        response.headers[REQUEST_ID_HEADER] = request_id_of(request)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def presented_tokens(request: web.Request) -> set[str]:
    """The tokens in the headers. An Authorization that is no Bearer counts as one that nobody has."""
    tokens = {value.strip() for name in TOKEN_HEADERS for value in request.headers.getall(name, [])}
    for value in request.headers.getall("Authorization", []):
        scheme, _, token = value.strip().partition(" ")
        tokens.add(token.strip() if scheme.lower() == "bearer" else "")
    return tokens


def unauthorized(detail: str, attribute: str = "") -> Problem:
    """401, with the challenge of RFC 6750."""
    challenge = f'Bearer realm="vectrahub"{", " if attribute else ""}{attribute}'
    return Problem(401, "unauthorized", "Who are you?", detail, headers={"WWW-Authenticate": challenge})


def forbidden(scope: str) -> Problem:
    """403: the token lacks a scope."""
    challenge = f'Bearer realm="vectrahub", error="insufficient_scope", scope="{scope}"'
    detail = f"this needs a token with the scope {scope}"
    return Problem(403, "forbidden", "The token may not do this", detail, headers={"WWW-Authenticate": challenge})
