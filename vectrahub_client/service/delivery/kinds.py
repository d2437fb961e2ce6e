"""The kinds of deliveries: who is told, in which words.

What each kind reads from its delivery's `target` (all of it JSON, never a secret):

    callback       url                             where the signed JSON goes
    vton_result    job_id, user_id, session_id, provider, model_version; output
    load_balancer  job_id, metadata; after         `after`: a kind that must be done or dead first
    svg_upload     original_filename; output       `output`: the name of the result; without it the first that fits

Names that are missing in `target` are looked up in the job's metadata.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO

import aiohttp
from pydantic import SecretStr

from ..ledger import Delivery
from ..net.sign import webhook_headers
from ..plain_png import read_plain
from ..records import Job, Output
from .needs import DeliveryFailed, Desk, Sender

VTON_TIMEOUT_S = 10.0
UPLOAD_TIMEOUT_S = 120.0
UPLOAD_PATH = "/php/api/svg_upload.php"
_REPLY_BYTES = 64 * 1024
_SVG = "image/svg+xml"


async def send_callback(delivery: Delivery, job: Job, desk: Desk) -> dict[str, Any]:
    """POST of {"id", "type", "timestamp", "data": the job's public JSON}; see `net.sign` for its signature.

    The id stays the same over all tries, the signature's time is that of the try. 410 ends the tries.
    """
    data = await desk.service.full_view(job)
    message = {"id": delivery.id, "type": f"job.{job.state}", "timestamp": data["finished_at"], "data": data}
    return await post_signed(delivery, desk, message)


async def post_signed(delivery: Delivery, desk: Desk, message: Mapping[str, Any]) -> dict[str, Any]:
    """POST of JSON to the target's `url`, signed; the reply. Raises DeliveryFailed."""
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    headers = webhook_headers(delivery.id, int(time.time()), body, _reveal(desk.settings.secrets.callbacks))
    headers["Content-Type"] = "application/json"
    url = str(delivery.target["url"])
    answer = await desk.callers.post(url, body, headers=headers, timeout_s=desk.settings.callbacks.timeout_s)
    return taken(answer.status)


async def send_vton_result(delivery: Delivery, job: Job, desk: Desk) -> dict[str, Any]:
    """Multipart POST to `[contracts.vton] callback_url`: who, how long, and `output_image` or `error`."""
    url = _setting(desk.settings.contracts.vton.callback_url, "contracts.vton.callback_url")
    form = aiohttp.FormData(default_to_multipart=True)  # also without a picture
    form.add_field("job_id", _about(delivery, job, "job_id") or job.id)
    for name in ("user_id", "session_id", "provider", "model_version"):
        form.add_field(name, _about(delivery, job, name))
    form.add_field("node_id", desk.settings.node_id)
    form.add_field("inference_time_ms", str(_milliseconds(job)))
    output = _output(delivery, job, lambda media_type: media_type.startswith("image/") and media_type != _SVG)
    headers = _authorised(desk.settings.secrets.asset_service)
    if output is None:
        form.add_field("error", _why_not(job))
        answer = await desk.operator.post(url, form, headers=headers, timeout_s=VTON_TIMEOUT_S)
        return taken(answer.status)
    picture = io.BytesIO(await asyncio.to_thread(read_plain, desk.service.output(job, output.name)))
    form.add_field("output_image", picture, filename=output.name, content_type=output.media_type)
    answer = await desk.operator.post(url, form, headers=headers, timeout_s=VTON_TIMEOUT_S)
    return taken(answer.status)


async def send_job_complete(delivery: Delivery, job: Job, desk: Desk) -> dict[str, Any]:
    """POST {load_balancer_url}/job_complete with {"node_id", "job_id", "metadata"}."""
    base = _setting(desk.settings.contracts.vton.load_balancer_url, "contracts.vton.load_balancer_url")
    message = {
        "node_id": desk.settings.node_id,
        "job_id": _about(delivery, job, "job_id") or job.id,
        "metadata": dict(delivery.target.get("metadata", job.metadata)),
    }
    headers = {**_authorised(desk.settings.secrets.load_balancer), "Content-Type": "application/json"}
    answer = await desk.operator.post(
        base.rstrip("/") + "/job_complete",
        json.dumps(message).encode(),
        headers=headers,
        timeout_s=desk.settings.callbacks.timeout_s,
    )
    return taken(answer.status)


async def send_svg_upload(delivery: Delivery, job: Job, desk: Desk) -> dict[str, Any]:
    """Multipart POST of the job's SVG to the website; its reply {"success": true, "svg_url"} is kept."""
    base = _setting(desk.settings.contracts.vectrahub.app_base_url, "contracts.vectrahub.app_base_url")
    secret = _reveal(desk.settings.secrets.svg_upload)
    if secret is None:
        raise DeliveryFailed("secrets.svg_upload is not set (SVG_UPLOAD_SECRET)")
    output = _output(delivery, job, lambda media_type: media_type == _SVG)
    if output is None:
        raise DeliveryFailed(f"there is no SVG to upload: {_why_not(job)}", permanent=True)
    with await asyncio.to_thread(_opened, desk, job, output) as file:
        form = aiohttp.FormData()
        form.add_field("secret", secret)
        form.add_field("original_filename", _about(delivery, job, "original_filename") or output.name)
        form.add_field("svg_file", file, filename=output.name, content_type=output.media_type)
        answer = await desk.operator.post(
            base.rstrip("/") + UPLOAD_PATH, form, timeout_s=UPLOAD_TIMEOUT_S, keep=_REPLY_BYTES
        )
    taken(answer.status)
    return _upload_reply(answer.body.decode("utf-8", "replace").replace(secret, "***"))


KINDS: Mapping[str, Sender] = MappingProxyType(
    {
        "callback": send_callback,
        "vton_result": send_vton_result,
        "load_balancer": send_job_complete,
        "svg_upload": send_svg_upload,
    }
)


def taken(status: int) -> dict[str, Any]:
    """The reply that is kept. Raises DeliveryFailed for anything but 2xx; 410 ends the tries."""
    if not 200 <= status < 300:
        raise DeliveryFailed(f"the receiver answers {status}", permanent=status == 410)
    return {"status": status}


def _upload_reply(text: str) -> dict[str, Any]:
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise DeliveryFailed("the website's reply is no JSON object")
    if reply.get("success") is not True or not isinstance(reply.get("svg_url"), str):
        raise DeliveryFailed(f"the website did not take the SVG: {str(reply.get('error') or 'no reason given')[:500]}")
    return reply


def _output(delivery: Delivery, job: Job, fits: Callable[[str], bool]) -> Output | None:
    wanted = delivery.target.get("output")
    if job.state != "completed":
        return None
    return next((one for one in job.outputs if (one.name == wanted if wanted else fits(one.media_type))), None)


def _opened(desk: Desk, job: Job, output: Output) -> BinaryIO:
    return desk.service.output(job, output.name).open("rb")


def _why_not(job: Job) -> str:
    if job.failure is not None:
        return job.failure.message
    return "the job was cancelled" if job.state == "cancelled" else "the job gave no such file"


def _about(delivery: Delivery, job: Job, name: str) -> str:
    value = delivery.target.get(name, job.metadata.get(name))
    return "" if value is None else str(value)


def _milliseconds(job: Job) -> int:
    if job.started_at is None or job.finished_at is None:
        return 0
    return max(0, round((job.finished_at - job.started_at) * 1000))


def _authorised(secret: SecretStr | None) -> dict[str, str]:
    return {} if secret is None else {"X-Internal-Auth": secret.get_secret_value()}


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _setting(value: str, name: str) -> str:
    if not value:
        raise DeliveryFailed(f"{name} is not set")
    return value
