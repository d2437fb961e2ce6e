"""Addresses below the prefix that do not exist, and methods that they do not have."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiohttp import web

from ..problems import Problem, not_found
from ..records import Caller
from ..route import PREFIX, Route

_PLACEHOLDER = re.compile(r"\{\w+(?::((?:[^{}]|\{[^{}]*\})*))?\}")


def catch_all_route(routes: Iterable[Route]) -> Route:
    """For every method of everything below the prefix; open, in no document, to be registered after `routes`.

    Raises Problem 405 with Allow where one of `routes` is there with another method, 404 elsewhere.
    """
    known = [(_pattern(route.path), route.method) for route in routes]

    async def handler(request: web.Request, _caller: Caller) -> web.StreamResponse:
        path = f"{PREFIX}/{request.match_info['tail']}"
        methods = {method for pattern, method in known if pattern.fullmatch(path)}
        if "GET" in methods:
            methods.add("HEAD")
        if not methods - {request.method}:
            raise not_found(f"no address {path[:200]!r}; {PREFIX}/openapi.json has all of them")
        allowed = ", ".join(sorted(methods))
        detail = f"{request.method[:40]} is not one of {allowed}"
        raise Problem(405, "method-not-allowed", "Not with this method", detail, headers={"Allow": allowed})

    return Route("*", f"{PREFIX}/{{tail:.*}}", handler)


def _pattern(path: str) -> re.Pattern[str]:
    pattern, at = "", 0
    for match in _PLACEHOLDER.finditer(path):
        pattern += re.escape(path[at : match.start()]) + f"(?:{match[1] or '[^/]+'})"
        at = match.end()
    return re.compile(pattern + re.escape(path[at:]))
