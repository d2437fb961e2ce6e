"""The OpenAPI 3.1 document, from what the routes say of themselves and the models that they name.

In an operation a pydantic model may stand wherever a schema does; the document has it once, among the components.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from .door import REQUEST_ID_HEADER
from .problems import CONTENT_TYPE
from .records import Caller
from .route import PREFIX, Route

VERSION = "1.0"  # of the API

_REF = "#/components/schemas/{model}"
_PLACEHOLDER = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}")
_SECURITY: tuple[dict[str, list[str]], ...] = ({"bearer": []}, {"apiKey": []}, {"internalAuth": []}, {})

PROBLEM = {
    "type": "object",
    "description": "RFC 7807.",
    "properties": {
        "type": {"type": "string", "description": "Stable name of the kind of refusal."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "Value, limit and remedy."},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
}

# What a refusal of this status means, wherever it occurs.
_REFUSALS = {
    400: "It cannot be understood.",
    401: "No token, or one that is not known.",
    403: "The token lacks the scope.",
    404: "There is no such thing, or it is not the caller's.",
    408: "The body came too slowly.",
    409: "It contradicts what is there.",
    410: "It is gone.",
    411: "The length of the body must be said.",
    412: "A condition in the headers does not hold.",
    413: "The body, a file or a picture is too large.",
    415: "The body is of another kind, or compressed.",
    416: "The range is outside of the file.",
    422: "A value is outside its limits.",
    429: "Too much to do; Retry-After says when to come back.",
    500: "The server's own fault.",
    503: "Not now; Retry-After says when to come back.",
    507: "The disk is full.",
}


def operation(
    summary: str,
    tag: str,
    answers: Mapping[int, Mapping[str, Any]],
    *,
    refusals: Sequence[int] = (),
    query: Sequence[Mapping[str, Any]] = (),
    headers: Sequence[Mapping[str, Any]] = (),
    path: Mapping[str, Mapping[str, Any]] | None = None,
    body: Mapping[str, Any] | None = None,
    description: str = "",
) -> dict[str, Any]:
    """An operation. `answers`: from `json_answer` and its relatives; `refusals`: statuses of problems.

    `query`, `headers`: from `parameter`; `path`: schemas of the placeholders; `body`: {media type: schema}.
    """
    made: dict[str, Any] = {"summary": summary, "tags": [tag]}
    if description:
        made["description"] = description
    parameters = [dict(one, **{"in": "query"}) for one in query] + [dict(one, **{"in": "header"}) for one in headers]
    parameters += [
        {"name": name, "in": "path", "required": True, "schema": schema} for name, schema in (path or {}).items()
    ]
    if parameters:
        made["parameters"] = parameters
    if body:
        content = {kind: {"schema": schema} for kind, schema in body.items()}
        made["requestBody"] = {"required": True, "content": content}
    made["responses"] = {str(status): answer for status, answer in answers.items()}
    for status in sorted({*refusals, 415, 500}):
        made["responses"].setdefault(str(status), refusal(status))
    return made


def json_answer(description: str, schema: Any, **headers: str) -> dict[str, Any]:
    """An answer in JSON. `headers`: name with _ for - -> description."""
    return _with_headers(
        {"description": description, "content": {"application/json": {"schema": schema}}},
        {name.replace("_", "-"): text for name, text in headers.items()},
    )


def bare_answer(description: str, media_type: str = "", schema: Any = None) -> dict[str, Any]:
    """An answer of another kind, or without a body."""
    made: dict[str, Any] = {"description": description}
    if media_type:
        made["content"] = {media_type: {"schema": schema} if schema else {}}
    return _with_headers(made, {})


def refusal(status: int) -> dict[str, Any]:
    """A problem document."""
    headers = {429: "Retry-After", 503: "Retry-After", 401: "WWW-Authenticate", 403: "WWW-Authenticate"}
    about = {headers[status]: "See RFC 9110."} if status in headers else {}
    schema = {"$ref": _REF.format(model="Problem")}
    return _with_headers(
        {"description": _REFUSALS.get(status, "Refused."), "content": {CONTENT_TYPE: {"schema": schema}}},
        {} if status in (401, 403, 503) else about,
    )


def _with_headers(answer: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    schema = {"type": "string"}
    made = {name: {"description": text, "schema": schema} for name, text in headers.items()}
    made[REQUEST_ID_HEADER] = {"description": "The same id as in the server's log.", "schema": schema}
    return {**answer, "headers": made}


def parameter(name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    """An optional query parameter or header."""
    return {"name": name, "schema": dict(schema), "description": description, "required": False}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document. Raises ValueError where two different schemas have one name."""
    components: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if route.doc is None:
            continue
        made = _resolved(route.doc, components)
        made.setdefault("operationId", _operation_id(route))
        if route.scope is None:
            made["security"] = []
        else:
            made["description"] = f"{made.get('description', '')} Scope: {route.scope}.".strip()
            for status in (401, 403, 503):  # 503: the ledger, which knows the tokens, cannot be asked
                made["responses"].setdefault(str(status), refusal(status))
        made["responses"] = dict(sorted(made["responses"].items()))
        paths.setdefault(_PLACEHOLDER.sub(r"{\1}", route.path), {})[route.method.lower()] = made
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "VectraHub",
            "version": VERSION,
            "summary": "Jobs that survive: pictures in, drawings and pictures out.",
        },
        "servers": [{"url": "/"}],
        "security": list(_SECURITY),
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "internalAuth": {"type": "apiKey", "in": "header", "name": "X-Internal-Auth"},
            },
        },
    }


def openapi_route(routes: Iterable[Route]) -> Route:
    """GET openapi.json, of these routes and itself."""
    answer = bare_answer("This document.", "application/json", {"type": "object"})
    doc = operation("The description of this API", "service", {200: answer})
    listed = list(routes)

    async def handler(_request: web.Request, _caller: Caller) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    route = Route("GET", f"{PREFIX}/openapi.json", handler, doc=doc)
    body = json.dumps(document([*listed, route])).encode()
    return route


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", _PLACEHOLDER.sub(r"\1", route.path.removeprefix(PREFIX)))
    return "_".join([route.method.lower(), *words])


def _resolved(value: Any, components: dict[str, Any]) -> Any:
    if isinstance(value, type) and issubclass(value, BaseModel):
        return _component(value, components)
    if isinstance(value, Mapping):
        return {key: _resolved(one, components) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(one, components) for one in value]
    return value


def _component(model: type[BaseModel], components: dict[str, Any]) -> dict[str, str]:
    schema = model.model_json_schema(ref_template=_REF)
    found = {**schema.pop("$defs", {}), model.__name__: schema}
    for name, one in found.items():
        if components.setdefault(name, one) != one:
            raise ValueError(f"two schemas are called {name}")
    return {"$ref": _REF.format(model=model.__name__)}
