"""S3, the try-on server: /tryon takes a job and tells others of its end, /infer answers with the picture.

`masked_user_image` is the person with a green mask painted in: picture 1 as it is. `provider` is "lightxv" or "qwen";
both name the one network that is here, and come back with the result. `config` (seed, steps, cfg, prompt) is used; 0
steps or cfg mean what suits `[contracts.vton] mode`. Above `max_jobs` unfinished jobs the server is busy. A /tryon that
comes again while its job_id waits or runs is that job; once it is over, the job_id is free for another run.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ...vectrahub_client._values import LARGEST_SEED
from ...vectrahub_client.errors import UsageError
from ...vectrahub_client.service.bodies import Stored, read_body
from ...vectrahub_client.service.plain_png import read_plain
from ...vectrahub_client.service.problems import Problem, bad_request
from ...vectrahub_client.service.records import Caller, DeliveryOrder, Job, Output
from ...vectrahub_client.service.route import Route
from ...vectrahub_client.service.service import Service
from ...vectrahub_client.service.systems.tryon import TRYON
from ...vectrahub_client.tryon import SAVE
from ..models.folders import Folders
from .intake import (
    Intake,
    Wish,
    came_through,
    key_of,
    known_parts,
    milliseconds,
    object_of,
    said,
    text_of,
    validated,
    why_failed,
)
from .vton_files import missing_files

CONTRACT = "vton"
MODEL_TYPE, MODEL_VERSION, BACKEND = "qwen-image-edit", "2511", "comfyui"
RETRY_AFTER = 5  # seconds

_PERSON, _GARMENT = "masked_user_image", "garment_image"
_ABOUT = ("job_id", "user_id", "session_id")
_PROVIDERS = ("lightxv", "qwen")
_REQUEST = "request"  # in a job's metadata: a digest of all that was asked for
_DAY = 86_400.0  # seconds; a job that long in the queue is given up by whoever asked
_LONGEST_ID = 200


class Config(BaseModel):
    """The JSON text `config` of a job, and the fields of /infer."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seed: int = Field(42, ge=0, le=LARGEST_SEED)
    steps: int = Field(4, ge=0, le=200)
    cfg: float = Field(1.0, ge=0, le=20)
    prompt: str | None = Field(None, max_length=4000)


class VtonContract:
    """The addresses, and who may come in."""

    def __init__(self, service: Service, intake: Intake, models: Folders) -> None:
        self._service, self._intake, self._models = service, intake, models
        self._settings = service.settings.contracts.vton
        self._entering = asyncio.Lock()

    def routes(self) -> list[Route]:
        """All of them but the shared probes."""
        return [
            Route("POST", "/tryon", self.tryon, "jobs", refuse=refusal),
            Route("POST", "/infer", self.infer, "jobs", refuse=refusal),
            Route("GET", "/gpu/status", self.gpu_status, "jobs", refuse=refusal),
        ]

    async def tryon(self, request: web.Request, caller: Caller) -> web.Response:
        """202: accepted, others will be told."""
        known = (*_ABOUT, "provider", "config", _PERSON, _GARMENT)
        async with self._service.files.incoming() as folder:
            parts = await self._form(request, caller, folder, known)
            about = {name: await text_of(parts, name) for name in _ABOUT}
            if not about["job_id"] or any(len(one) > _LONGEST_ID for one in about.values()):
                raise bad_request(
                    f"job_id, user_id and session_id have up to {_LONGEST_ID} characters; job_id is needed"
                )
            provider = await text_of(parts, "provider") or _PROVIDERS[0]
            if provider not in _PROVIDERS:
                raise bad_request(f"provider is {' or '.join(_PROVIDERS)}; {provider[:80]!r} is not")
            config = validated(Config, _without_nulls(await object_of(parts, "config")), "config")
            metadata = {**about, "provider": provider, "model_version": MODEL_VERSION}
            pictures = {"person": parts[_PERSON], "garment": parts[_GARMENT]}
            deliveries = self._deliveries(metadata)
            metadata[_REQUEST] = _digest(config, pictures, metadata)
            await self._accepted(request, caller, config, pictures, metadata, deliveries, folder)
        message = "Job accepted for processing"
        return web.json_response({"status": "accepted", "job_id": about["job_id"], "message": message}, status=202)

    async def infer(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """The picture, as PNG."""
        texts = ("seed", "steps", "cfg", "prompt")
        async with self._service.files.incoming() as folder:
            parts = await self._form(request, caller, folder, (_PERSON, _GARMENT, *texts))
            given = {name: text for name in texts if (text := await text_of(parts, name))}
            config = validated(Config, given, "form")
            pictures = {"person": parts[_PERSON], "garment": parts[_GARMENT]}
            job = await self._accepted(request, caller, config, pictures, {"provider": _PROVIDERS[0]}, (), folder)
        job = await self._service.wait(job.id, _DAY)
        output = _picture(job)
        if output is None:
            raise Problem(500, "failed", "Inference failed", why_failed(job))
        picture = await asyncio.to_thread(read_plain, self._service.output(job, output.name))
        headers = {
            "Content-Type": output.media_type,
            "X-Inference-Time-Ms": str(milliseconds(job)),
            "X-Job-Id": job.id,
        }
        return web.Response(body=picture, headers=headers)

    async def gpu_status(self, _request: web.Request, _caller: Caller) -> web.Response:
        """Whether a job would be taken now."""
        mine = await self._unfinished()
        running = {*self._service.running()}
        current = next((job for job in mine if job.id in running), None)
        return web.json_response(
            {
                "node_id": self._service.settings.node_id,
                "busy": len(mine) >= self._settings.max_jobs,
                "current_job_id": current and (current.metadata.get("job_id") or current.id),
                "queue_length": len(mine) - (current is not None),
            }
        )

    async def _form(
        self, request: web.Request, caller: Caller, folder: Path, known: tuple[str, ...]
    ) -> Mapping[str, Stored]:
        if request.content_type != "multipart/form-data":
            raise bad_request("send multipart/form-data")
        async with self._service.gate.place(request, caller) as place:
            parts = (await read_body(place, folder)).files
        known_parts(parts, known)
        for name in (_PERSON, _GARMENT):
            if name not in parts or not parts[name].bytes:
                raise bad_request(f"{name} is needed")
        return parts

    async def _accepted(
        self,
        request: web.Request,
        caller: Caller,
        config: Config,
        pictures: Mapping[str, Stored],
        metadata: Mapping[str, Any],
        deliveries: tuple[DeliveryOrder, ...],
        folder: Path,
    ) -> Job:
        values = {name: value for name, value in config.model_dump().items() if value is not None}
        params = {"mode": self._settings.mode, "resolution": self._settings.resolution, **values}
        wish = Wish(CONTRACT, TRYON.name, params, parts=pictures, metadata=metadata, deliveries=deliveries)
        if missing := await asyncio.to_thread(self._missing):
            raise Problem(503, "not-loaded", "The model cannot be run here", missing)
        key = key_of(request)
        async with self._entering:
            mine = await self._unfinished()
            if key is None and (same := _same(mine, caller, metadata)) is not None:
                return same
            if len(mine) >= self._settings.max_jobs:
                text = "GPU is busy processing another job"
                raise Problem(429, "busy", text, headers={"Retry-After": str(RETRY_AFTER)})
            try:
                return await self._intake.order(caller, wish, folder, key)
            except UsageError as error:  # the request was right: it is this server that lacks something
                raise Problem(503, "not-loaded", "The model cannot be run here", str(error)) from None

    def _missing(self) -> str | None:
        return missing_files(self._models.all(), self._settings.mode)

    async def _unfinished(self) -> list[Job]:
        jobs = await self._service.ledger.unfinished()
        return [job for job in jobs if job.system == TRYON.name and came_through(job, CONTRACT)]

    def _deliveries(self, about: Mapping[str, Any]) -> tuple[DeliveryOrder, ...]:
        """The load balancer is told after the first try with the asset service, which may go on trying for days."""
        wanted = []
        if self._settings.callback_url:
            wanted.append(DeliveryOrder("vton_result", dict(about)))
        if self._settings.load_balancer_url:
            told = {name: about[name] for name in ("user_id", "session_id", "provider")}
            wanted.append(DeliveryOrder("load_balancer", {"job_id": about["job_id"], "metadata": told}))
        return tuple(wanted)


def refusal(problem: Problem, _request_id: str) -> web.Response:
    """{"status": "error" | "busy", "message"}; what cannot be used is a 400 there."""
    status = 400 if problem.status in (415, 422) else problem.status
    text = said(problem)
    document: dict[str, Any] = {"status": "error", "message": text}
    if status == 429:
        document = {
            "status": "busy",
            "message": text,
            "retry_after": int(problem.headers.get("Retry-After", RETRY_AFTER)),
        }
    return web.json_response(document, status=status, headers=problem.headers)


def _digest(config: Config, pictures: Mapping[str, Stored], about: Mapping[str, Any]) -> str:
    asked = [config.model_dump(), {name: picture.digest for name, picture in pictures.items()}, dict(about)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _same(unfinished: list[Job], caller: Caller, metadata: Mapping[str, Any]) -> Job | None:
    """The job that this request ordered before. Raises Problem 400 where the job_id is another request's."""
    for job in unfinished:
        if "job_id" in metadata and job.token == caller.token and job.metadata.get("job_id") == metadata["job_id"]:
            if job.metadata.get(_REQUEST) == metadata[_REQUEST]:
                return job
            raise bad_request(
                f"the job_id {metadata['job_id']!r} waits or runs with other pictures or values; take another one"
            )
    return None


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _picture(job: Job) -> Output | None:
    if job.state != "completed":
        return None
    return next((output for output in job.outputs if output.node == SAVE), None)
