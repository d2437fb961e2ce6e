"""One address of the service: its handler, who may use it, and what the OpenAPI document says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .problems import Problem, problem_response
from .records import Caller, Scope

PREFIX = "/vectrahub/v1"

Handler = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """`scope` None: open to everybody, as probes are; the caller is then whoever it is, perhaps without a scope.

    `doc`: the OpenAPI operation, None for the old servers' addresses. `refuse` words a refusal as that API does.
    """

    method: str
    path: str
    handler: Handler
    scope: Scope | None = None
    doc: Mapping[str, Any] | None = None
    refuse: Callable[[Problem, str], web.Response] = problem_response
