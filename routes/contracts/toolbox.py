"""S1, the AI Assets Toolbox: one `action` per RunPod job.

`caption` and `upscale` are jobs of the queue. `list_models`, `upload_model`, `delete_model` and `health` need no GPU:
they are answered at once, in an envelope that is COMPLETED (or FAILED) already. Models want the scope `models`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ...vectrahub_client.caption import captions_by_name
from ...vectrahub_client.service.body_gate import byte_limit
from ...vectrahub_client.service.door import forbidden
from ...vectrahub_client.service.plain_png import read_plain
from ...vectrahub_client.service.problems import Problem, bad_request, bad_value, too_large
from ...vectrahub_client.service.records import Job
from ...vectrahub_client.service.systems.caption import CAPTION
from ...vectrahub_client.service.systems.toolbox_tiles import TILES, seeds_of
from ..models.chunks import Chunk, take_chunk
from ..models.store import Model
from .around import Around
from .intake import Intake, Wish, said, validated
from .runpod import Direct, Errand
from .toolbox_inputs import Caption, DeleteModel, Health, ListModels, UploadModel, Upscale, caption_params, tiles_params

CONTRACT = "toolbox"
_MB = 1024 * 1024
_REFUSED_JOB = (400, 404, 409, 413, 422, 507)  # what an action that is done at once fails with; 401, 429 are the door's


class ToolboxDesk:
    """Takes actions."""

    contract = CONTRACT
    member = "action"

    def __init__(self, around: Around, intake: Intake) -> None:
        self._around, self._intake = around, intake
        self._service = around.service
        self._jobs = {"caption": self._caption, "upscale": self._upscale}
        self._direct = {
            "list_models": (ListModels, self._list_models, "models"),
            "upload_model": (UploadModel, self._upload_model, "models"),
            "delete_model": (DeleteModel, self._delete_model, "models"),
            "health": (Health, self._health, None),
        }

    async def take(self, wanted: Mapping[str, Any], errand: Errand) -> Job | Direct:
        """Accept a job, or answer."""
        action = wanted["action"]
        rest = {name: value for name, value in wanted.items() if name != "action"}
        if not isinstance(action, str) or action not in (*self._jobs, *self._direct):
            known = ", ".join((*self._jobs, *self._direct))
            raise bad_request(f"`action` is one of {known}; {str(action)[:80]!r} is not")
        if action in self._jobs:
            return await self._jobs[action](rest, errand)
        model, answer, scope = self._direct[action]
        if scope is not None and not errand.caller.may(scope):
            raise forbidden(scope)
        return await self._answered(model, answer, rest)

    async def output(self, job: Job, base_url: str) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Captions, or tiles in base64, by their ids."""
        if job.system == CAPTION.name:
            said = captions_by_name(job.plan["graph"], job.report)
            return {"captions": [{"tile_id": name, "caption": text} for name, text in said.items()]}
        return await asyncio.to_thread(self._tiles, job)

    def failure(self, why: str) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Nothing beside the envelope's `error`."""
        return None

    async def _caption(self, wanted: Mapping[str, Any], errand: Errand) -> Job:
        asked = validated(Caption, wanted, "input")
        return await self._order(CAPTION.name, caption_params(asked), asked.pictures(), errand)

    async def _upscale(self, wanted: Mapping[str, Any], errand: Errand) -> Job:
        asked = validated(Upscale, wanted, "input")
        params = tiles_params(asked, self._service.settings.contracts.toolbox.models)
        return await self._order(TILES.name, params, asked.pictures(), errand)

    async def _order(self, system: str, params: Mapping[str, Any], files: Mapping[str, str], errand: Errand) -> Job:
        wish = Wish(CONTRACT, system, params, files, deliveries=errand.webhooks, timeout_s=errand.timeout_s)
        return await self._intake.order(errand.caller, wish, errand.folder, errand.key)

    def _tiles(self, job: Job) -> dict[str, Any]:
        seeds = seeds_of(job.plan["graph"])
        files = {output.node: self._service.output(job, output.name) for output in job.outputs}
        return {
            "tiles": [
                {"tile_id": name, "image_b64": base64.b64encode(read_plain(files[name])).decode(), "seed_used": seed}
                for name, seed in seeds.items()
                if name in files
            ]
        }

    async def _answered(self, model: type[BaseModel], answer: Any, wanted: Mapping[str, Any]) -> Direct:
        began = time.perf_counter()
        try:
            output = await answer(validated(model, wanted, "input"))
            return Direct(output, None, time.perf_counter() - began)
        except Problem as problem:
            if problem.status not in _REFUSED_JOB:
                raise
            return Direct(None, said(problem), time.perf_counter() - began)

    async def _list_models(self, asked: ListModels) -> dict[str, Any]:
        found = await asyncio.to_thread(self._around.store.models, asked.model_type, asked.base_model_filter)
        return {"models": [_listed(model) for model in found]}

    async def _upload_model(self, asked: UploadModel) -> dict[str, Any]:
        limit = byte_limit(self._service.settings.limits)
        data = await asyncio.to_thread(_decoded, asked.file_b64, limit)
        chunk = Chunk(asked.filename, asked.model_type, asked.base_model, asked.chunk_index, asked.total_chunks, data)
        model = await take_chunk(self._around.uploads, chunk)
        if model is None:
            return {"status": "uploading", "chunk_index": asked.chunk_index, "total_chunks": asked.total_chunks}
        return {"status": "complete", "path": _path(model), "size_mb": _megabytes(model.size)}

    async def _delete_model(self, asked: DeleteModel) -> dict[str, Any]:
        store = self._around.store
        model = await asyncio.to_thread(store.delete, *store.split(asked.path))
        return {"status": "deleted", "path": _path(model)}

    async def _health(self, _asked: Health) -> dict[str, Any]:
        gpu, host = await self._around.gpu.get(), await self._around.host.get()
        return {
            "status": "ok",
            "gpu": gpu and gpu.name,
            "vram_total_gb": round(gpu.total / 2**30, 1) if gpu else 0,
            "vram_used_gb": round(gpu.used / 2**30, 1) if gpu else 0,
            "loaded_model": ", ".join(host.models) or None if host else None,
            "network_storage_available_gb": round(host.disk_free / 2**30, 1) if host else None,
        }


def _decoded(text: str, limit: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_value(f"input.file_b64 is no base64: {error}") from None
    if len(data) > limit:
        raise too_large(f"a chunk may have {limit} bytes")
    return data


def _listed(model: Model) -> dict[str, Any]:
    named = {"name": model.name, "path": _path(model)}
    return {**named, "size_mb": _megabytes(model.size), "base_model": model.base_model}


def _path(model: Model) -> str:
    return f"{model.type}/{model.path}"


def _megabytes(size: int) -> float:
    return round(size / _MB, 2)
