"""S0, the old VectraHub: a picture in RunPod's envelope, a link to its SVG out.

`image`: address, base64 or data URI. `upscale`: 4 traces at 12 megapixels as the old server always did, 2 at 3, 1 at
0.75, each half the sides of the one before. `color_mode`: "color", or "binary" (also "bw") for black and white alone.
`vtracer_params`: inputs of the node Trace; `colormode` there means `color_mode`.

With `[contracts.vectrahub] app_base_url` and secrets.svg_upload the SVG goes to the website, and the job counts as
over when the first try did; a website that does not take it leaves our own link and a warning. Links of our own are
signed for `link_hours`, as vectrahub_client/service/net/sign.py defines; without secrets.links by a key that lasts as
long as the process.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...vectrahub_client.service.api.jobs import result_headers
from ...vectrahub_client.service.net.sign import check_link, sign_link
from ...vectrahub_client.service.problems import Problem, not_found
from ...vectrahub_client.service.records import Caller, DeliveryOrder, Job, Output
from ...vectrahub_client.service.route import Route
from ...vectrahub_client.service.service import Service
from ...vectrahub_client.service.systems.vectrahub_trace import TRACED
from .intake import Intake, Wish, came_through, validated
from .runpod import Errand, refusal

CONTRACT = "vectrahub"
PROXY = "/php/api/file_proxy.php"
FOLDER = "outputs"

_NAME = re.compile(r"vectorized_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.svg")
_EXPIRES = re.compile(r"[0-9]{1,12}")
_SVG = "image/svg+xml"
_UPLOAD = "svg_upload"


class Input(BaseModel):
    """`input` of a job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str = Field(min_length=1)
    filename: str | None = Field(None, max_length=255)
    upscale: Literal[1, 2, 4] = 4
    color_mode: Literal["color", "binary", "bw"] = "color"
    vtracer_params: dict[str, str | int | float] = {}

    @field_validator("upscale", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("vtracer_params", mode="before")
    @classmethod
    def _members(cls, value: object) -> object:
        return {} if value == [] else value  # what PHP makes of an empty array


class VectraHubDesk:
    """Takes images. `proxy_routes` serves what its links lead to."""

    contract = CONTRACT
    member = "image"

    def __init__(self, service: Service, intake: Intake) -> None:
        self._service, self._intake = service, intake
        kept = service.settings.secrets.links
        self._key = secrets.token_urlsafe(32) if kept is None else kept.get_secret_value()

    async def take(self, wanted: Mapping[str, Any], errand: Errand) -> Job:
        """Accept a picture."""
        asked = validated(Input, {name: value for name, value in wanted.items() if value is not None}, "input")
        trace = dict(asked.vtracer_params)
        color_mode = trace.pop("colormode", asked.color_mode)
        params = {
            "upscale": asked.upscale,
            "color_mode": "binary" if color_mode == "bw" else color_mode,
            "trace": trace,
        }
        name = {} if asked.filename is None else {"original_filename": asked.filename}
        uploads = (DeliveryOrder(_UPLOAD, name),) if self._uploads() else ()
        wish = Wish(
            CONTRACT,
            TRACED.name,
            params,
            {"image": asked.image},
            metadata=name,
            deliveries=(*uploads, *errand.webhooks),
            timeout_s=errand.timeout_s,
        )
        return await self._intake.order(errand.caller, wish, errand.folder, errand.key)

    async def output(self, job: Job, base_url: str) -> Mapping[str, Any] | None:
        """The link, once it is known which."""
        svg = _svg(job)
        if svg is None:
            return {"success": False, "error": "the job gave no SVG"}
        told = {"svg_size": svg.bytes, "success": True, "image_type": _image_type(job)}
        upload = next((one for one in await self._service.ledger.deliveries(job.id) if one.kind == _UPLOAD), None)
        if upload is None:
            return {"svg_url": self._link(job, base_url), **told}
        if upload.state == "done":
            return {"svg_url": upload.reply["svg_url"] if upload.reply else self._link(job, base_url), **told}
        if upload.state == "pending" and upload.attempts == 0:
            return None
        later = "" if upload.state == "dead" else "; it is tried again"
        warning = f"the SVG could not be uploaded: {upload.error}{later}"
        return {"svg_url": self._link(job, base_url), **told, "warning": warning}

    def failure(self, why: str) -> Mapping[str, Any] | None:
        """As the old server said it, inside the envelope."""
        return {"success": False, "error": why}

    def proxy_routes(self) -> list[Route]:
        """Where our own links lead to: open, because the signature lets in."""
        return [Route("GET", PROXY, self.proxy, refuse=refusal)]

    async def proxy(self, request: web.Request, _caller: Caller) -> web.StreamResponse:
        """The SVG of a signed link; nothing else is looked at before the signature is right."""
        name, folder, expires, signature = (request.query.get(one, "") for one in ("name", "dir", "expires", "sig"))
        until = int(expires) if _EXPIRES.fullmatch(expires) else 0
        if not check_link(name, folder, until, signature, self._key):
            raise Problem(
                403, "bad-link", "The link is not valid", "it is not signed by this server, or its time is over"
            )
        match = _NAME.fullmatch(name)
        job = await self._service.job(match[1], None) if match and folder == FOLDER else None
        svg = None if job is None or not came_through(job, CONTRACT) else _svg(job)
        if job is None or svg is None:
            raise not_found(f"no file {name[:100]!r}")
        path = self._service.output(job, svg.name)
        if not await asyncio.to_thread(path.is_file):
            raise not_found(f"the file {name!r} is gone")
        # As a file to be saved: an <img> shows it all the same, and nobody's SVG becomes a page of this server.
        return web.FileResponse(path, headers=result_headers(name, _SVG))

    def _link(self, job: Job, base_url: str) -> str:
        name = f"vectorized_{job.id}.svg"
        expires = int(time.time() + self._service.settings.contracts.vectrahub.link_hours * 3600)
        signature = sign_link(name, FOLDER, expires, self._key)
        query = urlencode({"name": name, "dir": FOLDER, "expires": expires, "sig": signature})
        return f"{base_url}{PROXY}?{query}"

    def _uploads(self) -> bool:
        settings = self._service.settings
        return bool(settings.contracts.vectrahub.app_base_url) and settings.secrets.svg_upload is not None


def _svg(job: Job) -> Output | None:
    if job.state != "completed":
        return None
    return next((output for output in job.outputs if output.media_type == _SVG), None)


def _image_type(job: Job) -> str | None:
    """What the node Route took the picture for."""
    report = job.report.get("Route")
    images = report.get("images") if isinstance(report, Mapping) else None
    return images[0].get("route") if images else None
