from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from vectrahub.tests.service.local_server import serving
from vectrahub.tests.service.outbox import Office, a_job, office_settings, until
from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.service.delivery import Deliveries
from vectrahub.vectrahub_client.service.ledger import Delivery
from vectrahub.vectrahub_client.service.net.sign import verify
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.records import Failure, Job

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PICTURE = bytes(range(256)) * 8000


@dataclass
class Got:
    """A request as it came in; `fields` of a multipart body, files as (name, type, bytes)."""

    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    fields: dict[str, Any] = field(default_factory=dict)


async def read(request: web.Request) -> Got:
    got = Got(request.path, dict(request.headers))
    if not request.content_type.startswith("multipart/"):
        got.body = await request.read()
        return got
    assert request.content_length is not None, "PHP wants to know the length"
    async for part in await request.multipart():
        data = bytes(await part.read())
        content_type = part.headers.get("Content-Type", "")
        got.fields[part.name] = (part.filename, content_type, data) if part.filename else data.decode()
    return got


def handed_over(
    folder: Path,
    kind: str,
    target: dict[str, Any],
    job: Job,
    answer: Any = None,
    configured: bool = True,
    **secrets: str,
) -> tuple[Delivery, list[Got]]:
    """The delivery after its first try, and what the receiver got."""
    (folder / "art.png").write_bytes(PICTURE)
    (folder / "art.svg").write_bytes(b"<svg/>")
    got: list[Got] = []

    async def receive(request: web.Request) -> web.Response:
        got.append(await read(request))
        return web.json_response({"ok": True} if answer is None else answer)

    async def run() -> Delivery:
        async with serving(receive) as address:
            base = f"http://{address}"
            contracts = {
                "vton": {"callback_url": f"{base}/v1/vton/result", "load_balancer_url": f"{base}/lb/"},
                "vectrahub": {"app_base_url": base},
            }
            settings = office_settings(
                address if kind == "callback" else "nowhere",
                contracts=contracts if configured else None,
                secrets=secrets,
            )
            office = Office(settings, folder)
            office.jobs["job"] = job
            if kind == "callback":
                target["url"] = f"{base}/hook?a=b"
            name = office.ledger.add(kind, target)
            deliveries = Deliveries(office)
            await deliveries.start()
            await until(lambda: bool(office.ledger.outcomes))
            await deliveries.stop()
            return office.ledger.kept[name]

    return asyncio.run(run()), got


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
def test_a_callback_is_the_signed_job(tmp_path: Path, state: Any) -> None:
    delivery, (got,) = handed_over(tmp_path, "callback", {}, a_job(state=state), callbacks=SECRET)
    assert delivery.state == "done" and delivery.reply == {"status": 200}
    assert verify(got.headers, got.body, SECRET)
    assert got.headers["webhook-id"] == delivery.id and got.headers["Content-Type"] == "application/json"
    assert json.loads(got.body) == {
        "id": delivery.id,
        "type": f"job.{state}",
        "timestamp": "2026-11-21T10:00:00.123Z",
        "data": {"job_id": "job", "state": state, "finished_at": "2026-11-21T10:00:00.123Z"},
    }


def test_a_callback_without_a_secret_is_not_signed(tmp_path: Path) -> None:
    _, (got,) = handed_over(tmp_path, "callback", {}, a_job())
    assert "webhook-signature" not in got.headers and got.headers["webhook-id"]


def test_a_try_on_goes_to_the_asset_service(tmp_path: Path) -> None:
    about = {"job_id": "theirs", "user_id": "u1", "session_id": "s1"}
    job = a_job(metadata={"provider": "qwen", "model_version": "2511", "user_id": "older"})
    delivery, (got,) = handed_over(tmp_path, "vton_result", about, job, asset_service="s3cret")
    assert (delivery.state, delivery.error, got.path) == ("done", None, "/v1/vton/result")
    assert got.headers["X-Internal-Auth"] == "s3cret"
    assert got.fields == {
        **about,
        "provider": "qwen",
        "model_version": "2511",
        "node_id": "vectrahub-1",
        "inference_time_ms": "2500",
        "output_image": ("art.png", "image/png", PICTURE),
    }


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (a_job(state="failed", failure=Failure("node", "out of memory")), "out of memory"),
        (a_job(state="cancelled", started_at=None), "the job was cancelled"),
        (a_job(outputs=()), "the job gave no such file"),
    ],
)
def test_a_try_on_without_a_picture_says_why(tmp_path: Path, job: Job, error: str) -> None:
    delivery, (got,) = handed_over(tmp_path, "vton_result", {}, job)
    assert delivery.state == "done"
    assert got.fields["error"] == error and "output_image" not in got.fields and got.fields["job_id"] == "job"


def test_the_load_balancer_is_told(tmp_path: Path) -> None:
    job = a_job(metadata={"a": 1})
    delivery, (got,) = handed_over(tmp_path, "load_balancer", {}, job, load_balancer="s3cret")
    assert delivery.state == "done" and got.path == "/lb/job_complete"
    assert json.loads(got.body) == {"node_id": "vectrahub-1", "job_id": "job", "metadata": {"a": 1}}
    assert got.headers["X-Internal-Auth"] == "s3cret"


def test_an_svg_goes_to_the_website(tmp_path: Path) -> None:
    reply = {"success": True, "svg_url": "https://a.example/b.svg"}
    target = {"original_filename": "logo.png"}
    delivery, (got,) = handed_over(tmp_path, "svg_upload", target, a_job(), reply, svg_upload="s3cret")
    assert delivery.state == "done" and delivery.reply == reply
    assert got.path == "/php/api/svg_upload.php"
    assert got.fields == {
        "secret": "s3cret",
        "original_filename": "logo.png",
        "svg_file": ("art.svg", "image/svg+xml", b"<svg/>"),
    }


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"success": False, "error": "disk full for s3cret"}, "disk full for ***"),
        ({"success": "yes", "svg_url": "x"}, "no reason given"),
        ({"success": True}, "no reason given"),
        ([1], "no JSON object"),
    ],
)
def test_an_upload_that_the_website_refuses_is_tried_again(tmp_path: Path, reply: Any, error: str) -> None:
    delivery, _ = handed_over(tmp_path, "svg_upload", {}, a_job(), reply, svg_upload="s3cret")
    assert delivery.state == "pending" and delivery.attempts == 1
    assert delivery.error is not None and error in delivery.error and "s3cret" not in delivery.error


def test_without_an_svg_there_is_nothing_to_upload(tmp_path: Path) -> None:
    job = a_job(state="failed", failure=Failure("timeout", "too slow"))
    delivery, got = handed_over(tmp_path, "svg_upload", {}, job, svg_upload="s3cret")
    assert (delivery.state, delivery.error, got) == ("dead", "there is no SVG to upload: too slow", [])


@pytest.mark.parametrize(
    ("kind", "configured", "setting"),
    [
        ("vton_result", False, "contracts.vton.callback_url"),
        ("load_balancer", False, "contracts.vton.load_balancer_url"),
        ("svg_upload", False, "contracts.vectrahub.app_base_url"),
        ("svg_upload", True, "secrets.svg_upload"),
    ],
)
def test_what_is_not_configured_is_named_and_may_still_come(
    tmp_path: Path, kind: str, configured: bool, setting: str
) -> None:
    delivery, got = handed_over(tmp_path, kind, {}, a_job(), configured=configured)
    assert delivery.state == "pending" and not got
    assert delivery.error is not None and delivery.error.startswith(f"{setting} is not set")


def test_a_missing_file_is_no_bug_and_shows_no_path(tmp_path: Path) -> None:
    job = a_job()
    target = {"output": "gone.png"}
    delivery, (got,) = handed_over(tmp_path, "vton_result", target, job)
    assert got.fields["error"] == "the job gave no such file"
    lost = a_job(outputs=(job.outputs[1].__class__("lost.png", "PNG", "image/png", 0, "lost.png"),))
    delivery, got_nothing = handed_over(tmp_path, "vton_result", {}, lost)
    assert not got_nothing and delivery.error == "FileNotFoundError: No such file or directory"


def test_an_unknown_kind_is_dead(tmp_path: Path) -> None:
    delivery, _ = handed_over(tmp_path, "pigeon", {}, a_job())
    assert delivery.state == "dead" and "pigeon" in str(delivery.error)


def test_targets_are_checked_when_they_are_given(tmp_path: Path) -> None:
    async def lookup(host: str, port: int) -> list[str]:
        return ["10.0.0.1"]

    contracts = {"vton": {"callback_url": "http://asset-service:9009/v1/vton/result"}}
    deliveries = Deliveries(Office(office_settings("hooks:81", contracts=contracts), tmp_path), lookup)
    asyncio.run(deliveries.check_target("http://hooks:81/a"))
    for url in ("http://hooks:82/", "https://other.example/", "http://asset-service:9009/v1/vton/result", "x"):
        with pytest.raises(Problem) as caught:
            asyncio.run(deliveries.check_target(url))
        assert (caught.value.status, caught.value.kind) == (422, "address-refused")


@pytest.mark.parametrize(
    ("contracts", "secrets", "named"),
    [
        ({"vton": {"callback_url": "asset-service:9009"}}, {}, "contracts.vton.callback_url"),
        ({"vectrahub": {"app_base_url": "ftp://a.example"}}, {}, "contracts.vectrahub.app_base_url"),
        ({}, {"callbacks": "whsec_***"}, "callbacks"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(
    tmp_path: Path, contracts: Any, secrets: dict[str, str], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        Deliveries(Office(office_settings(contracts=contracts, secrets=secrets), tmp_path))
