"""The addresses of the models: list, download, delete, hash, and uploads that may be resumed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from aiohttp import web
from pydantic import ValidationError

from ...vectrahub_client.service.api.queries import check_query
from ...vectrahub_client.service.bodies import read_json, step
from ...vectrahub_client.service.body_gate import BodyGate, Place
from ...vectrahub_client.service.orders import refused_values
from ...vectrahub_client.service.problems import Problem, bad_request
from ...vectrahub_client.service.records import Caller
from ...vectrahub_client.service.route import PREFIX, Route
from . import docs
from .pending import Pending
from .store import Model, ModelStore
from .uploads import Uploads

_BLOCK = 1 << 20
_LONGEST_WISH = 64 * 1024  # bytes of what begins an upload
_WHOLE = re.compile(r"[0-9]{1,16}")


def model_routes(store: ModelStore, uploads: Uploads, gate: BodyGate) -> list[Route]:
    """All of them, with the scope models. One PATCH may bring `limits.body_mb`."""
    models = _Models(store, uploads, gate)
    upload, model = f"{PREFIX}/models/uploads/{{upload_id}}", f"{PREFIX}/models/{{type}}/{{path:.+}}"
    return [
        Route("GET", f"{PREFIX}/models", models.list, "models", docs.LIST),
        Route("POST", f"{PREFIX}/models/uploads", models.start, "models", docs.START),
        Route("HEAD", upload, models.status, "models", docs.STATUS),
        Route("PATCH", upload, models.append, "models", docs.APPEND),
        Route("DELETE", upload, models.abandon, "models", docs.ABANDON),
        Route("POST", f"{model}/hash", models.hash, "models", docs.HASH),
        Route("GET", model, models.download, "models", docs.DOWNLOAD),
        Route("DELETE", model, models.delete, "models", docs.DELETE),
    ]


class _Models:
    def __init__(self, store: ModelStore, uploads: Uploads, gate: BodyGate) -> None:
        self._store, self._uploads, self._gate = store, uploads, gate

    async def list(self, request: web.Request, _caller: Caller) -> web.Response:
        """GET models."""
        check_query(request, ("type", "base_model"))
        found = await asyncio.to_thread(self._store.models, request.query.get("type"), request.query.get("base_model"))
        types = [*self._store.folders.all()]
        return web.json_response({"models": [model.as_dict() for model in found], "types": types})

    async def download(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """GET models/TYPE/PATH; aiohttp reads Range and the conditions."""
        check_query(request)
        file = await asyncio.to_thread(self._store.file, *_place(request))
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        }
        return web.FileResponse(file, headers=headers)

    async def delete(self, request: web.Request, _caller: Caller) -> web.Response:
        """DELETE models/TYPE/PATH."""
        check_query(request)
        return web.json_response((await asyncio.to_thread(self._store.delete, *_place(request))).as_dict())

    async def hash(self, request: web.Request, _caller: Caller) -> web.Response:
        """POST models/TYPE/PATH/hash."""
        check_query(request)
        return web.json_response((await asyncio.to_thread(self._store.hash, *_place(request))).as_dict())

    async def start(self, request: web.Request, caller: Caller) -> web.Response:
        """POST models/uploads."""
        check_query(request)
        async with self._gate.place(request, caller, _LONGEST_WISH) as place:
            document = await read_json(place)
        try:
            new = docs.NewUpload.model_validate(document)
        except ValidationError as error:
            raise refused_values(error, model=docs.NewUpload) from None
        pending = await self._uploads.start(
            new.model_type, new.filename, new.base_model, size=new.size, sha256=new.sha256
        )
        headers = {"Location": f"{PREFIX}/models/uploads/{pending.id}", **_where(pending)}
        shown = {"upload_id": pending.id, "offset": pending.offset, "size": pending.size}
        return web.json_response(shown, status=201, headers=headers)

    async def status(self, request: web.Request, _caller: Caller) -> web.Response:
        """HEAD models/uploads/ID."""
        check_query(request)
        return web.Response(headers=_where(await self._uploads.get(request.match_info["upload_id"])))

    async def append(self, request: web.Request, caller: Caller) -> web.Response:
        """PATCH models/uploads/ID."""
        check_query(request)
        pending = await self._uploads.get(request.match_info["upload_id"])
        if request.content_type not in docs.CHUNK_TYPES or "Content-Type" not in request.headers:
            raise Problem(415, "media-type", "The body is of another kind", f"send {docs.CHUNK_TYPES[0]}")
        offset = _offset(request)
        async with self._gate.place(request, caller, to_disk=True) as place:
            model = await self._uploads.receive(pending.id, offset, _blocks(place))
        if model is None:
            return web.Response(status=204, headers=_where(pending))
        return web.json_response(model.as_dict(), status=201, headers={"Location": _address(model), **_where(pending)})

    async def abandon(self, request: web.Request, _caller: Caller) -> web.Response:
        """DELETE models/uploads/ID."""
        check_query(request)
        await self._uploads.discard(request.match_info["upload_id"])
        return web.Response(status=204)


async def _blocks(place: Place) -> AsyncIterator[bytes]:
    """The body as it comes. Raises Problem 413 above the limit, 408 when nothing comes, 400 when it breaks off."""
    came = 0
    waiting = bytearray()
    try:
        while block := await step(place.request.content.readany()):
            came += len(block)
            if came > place.limit:
                raise place.above()
            waiting += block
            if len(waiting) >= _BLOCK:
                yield bytes(waiting)
                waiting.clear()
    except (web.RequestPayloadError, ConnectionError) as error:
        trouble = bad_request(f"the body broke off: {error}; what came before is kept, go on there")
    except Problem as problem:
        trouble = problem
    else:
        trouble = None
    if waiting:
        yield bytes(waiting)
    if trouble is not None:
        raise trouble


def _offset(request: web.Request) -> int:
    text = request.headers.get("Upload-Offset", "")
    if not _WHOLE.fullmatch(text):
        raise bad_request(f"the header Upload-Offset says where the bytes belong; {text[:80]!r} does not")
    return int(text)


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["type"], request.match_info["path"]


def _where(pending: Pending) -> dict[str, Any]:
    length = {} if pending.size is None else {"Upload-Length": str(pending.size)}
    return {"Upload-Offset": str(pending.offset), **length}


def _address(model: Model) -> str:
    return f"{PREFIX}/models/{model.type}/{quote(model.path)}"
