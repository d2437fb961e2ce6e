"""Tokens over HTTP, for admins. Those of the settings are not listed: the operator has them in a file."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..bodies import read_json
from ..live import rfc3339
from ..openapi import bare_answer, json_answer, operation
from ..orders import refused_values
from ..problems import not_found
from ..records import Caller, Scope, TokenRecord
from ..route import PREFIX, Route
from ..service import Service
from ..tokens import make
from .queries import check_query
from .shapes import NewToken, TokenList

_TAG = "tokens"
_LONGEST_WISH = 64 * 1024  # bytes
_ID = re.compile(r"[0-9a-f]{8}")


class TokenWish(BaseModel):
    """What a new token is for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=100, description="For people.")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=3, description="admin has all.")]
    max_jobs: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="Unfinished jobs at a time.")] = None


_LIST = operation("The tokens, without their secrets", _TAG, {200: json_answer("All.", TokenList)}, refusals=(422,))
_MAKE = operation(
    "A new token",
    _TAG,
    {201: json_answer("It is shown this once.", NewToken)},
    refusals=(400, 408, 413, 415, 422, 429),
    body={"application/json": TokenWish},
)
_REVOKE = operation(
    "Revoke a token; its jobs go on",
    _TAG,
    {204: bare_answer("Nobody gets in with it any more.")},
    refusals=(404, 422),
    path={"token_id": {"type": "string"}},
)


def token_routes(service: Service) -> list[Route]:
    """GET, POST tokens; DELETE tokens/{id}."""

    async def listed(request: web.Request, _caller: Caller) -> web.Response:
        check_query(request)
        return web.json_response({"tokens": [_shown(token) for token in await service.ledger.tokens()]})

    async def made(request: web.Request, caller: Caller) -> web.Response:
        check_query(request)
        async with service.gate.place(request, caller, _LONGEST_WISH) as place:
            document = await read_json(place)
        try:
            wish = TokenWish.model_validate(document)
        except ValidationError as error:
            raise refused_values(error, model=TokenWish) from None
        record, token = make(wish.name, wish.scopes, wish.max_jobs, time.time())
        await service.ledger.add_token(record)
        return web.json_response({**_shown(record), "token": token}, status=201)

    async def revoked(request: web.Request, _caller: Caller) -> web.Response:
        check_query(request)
        token_id = request.match_info["token_id"]
        if not _ID.fullmatch(token_id) or not await service.ledger.remove_token(token_id):
            raise not_found("no token has this id")
        return web.Response(status=204)

    return [
        Route("GET", f"{PREFIX}/tokens", listed, "admin", _LIST),
        Route("POST", f"{PREFIX}/tokens", made, "admin", _MAKE),
        Route("DELETE", f"{PREFIX}/tokens/{{token_id}}", revoked, "admin", _REVOKE),
    ]


def _shown(token: TokenRecord) -> dict[str, Any]:
    """Without the digest, too."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "max_jobs": token.max_jobs,
        "created_at": rfc3339(token.created_at),
    }
