"""What the old servers say when something is wrong with the server itself, each in its own words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from vectrahub.routes.contracts import Around, contract_routes
from vectrahub.routes.contracts.logo import refusal
from vectrahub.routes.contracts.vton_files import missing_files
from vectrahub.routes.fresh import Fresh
from vectrahub.routes.models.folders import ModelFolder
from vectrahub.routes.models.hashes import Hashes
from vectrahub.routes.models.store import ModelStore
from vectrahub.routes.models.uploads import Uploads
from vectrahub.routes.probes import HostState, probe_routes
from vectrahub.tests.routes.model_files import DiskFolders
from vectrahub.tests.service.job_server import job_server
from vectrahub.vectrahub_client.service.records import Caller
from vectrahub.vectrahub_client.service.route import PREFIX, Route
from vectrahub.vectrahub_client.service.service import Folders, Service
from vectrahub.vectrahub_client.service.settings import Settings
from vectrahub.vectrahub_client.service.systems.registry import EVERY_SYSTEM

HOST = HostState("0.30.0", 0, 0, (), 5 * 10**9)
ALL = {name: {"enabled": True} for name in ("vectrahub", "toolbox", "logo", "vton", "vehicle")}


def shut(folder: Path) -> list[Route]:
    """The contracts of a service whose ledger is not open."""
    settings = Settings(**cast(Any, {"contracts": ALL}))
    places = Folders(folder / "in", folder / "out", folder / "shut.sqlite")
    service = Service(settings, places, lambda _service: cast(Any, None), EVERY_SYSTEM)
    store = ModelStore(DiskFolders(folder), Hashes(folder / "hashes.json"))
    gpu, host = Fresh(lambda: None, None), Fresh(lambda: HOST, None)
    probes = probe_routes(service, gpu, host, lambda: service.ledger.trouble)
    return contract_routes(Around(service, gpu, host, store, Uploads(store), probes))


def asked(folder: Path, routes: list[Route], *calls: tuple[str, str]) -> list[tuple[int, Any, Any]]:
    """(status, JSON, headers) of each."""
    routes = [route for route in routes if not route.path.startswith(PREFIX)]

    async def main() -> list[Any]:
        async with job_server(folder, routes) as server:
            said = []
            for method, path in calls:
                async with server.http.request(method, server.url + path) as answer:
                    said.append((answer.status, await answer.json(content_type=None), answer.headers))
            return said

    return asyncio.run(main())


def test_a_server_that_can_keep_no_jobs_says_so(tmp_path: Path) -> None:
    health, test, endpoint, ready = asked(
        tmp_path, shut(tmp_path), *(("GET", path) for path in ("/health", "/test", "/v2/any/health", "/ready"))
    )
    assert health[0] == 503 and health[1]["status"] == "unhealthy" and "cannot be kept" in health[1]["error"]
    assert test[:2] == (503, {"status": "loading"}) and test[2]["Retry-After"]
    assert endpoint[1]["workers"] == {
        **dict.fromkeys(("idle", "initializing", "ready", "running", "throttled"), 0),
        "unhealthy": 1,
    }
    assert ready[0] == 503 and set(ready[1]) == {"status", "checks"} and ready[1]["status"] == "not_ready"


def test_the_logo_servers_own_mistake(tmp_path: Path) -> None:
    async def break_down(_request: web.Request, _caller: Caller) -> web.StreamResponse:
        raise RuntimeError("/secret/path")

    route = Route("POST", "/api/generate_logo", break_down, "jobs", refuse=refusal)
    ((status, said, headers),) = asked(tmp_path, [route], ("POST", "/api/generate_logo"))
    assert status == 500 and set(said) == {"status", "message", "request_id"} and said["status"] == "error"
    assert said["request_id"] == headers["X-Request-ID"] and "secret" not in said["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/v1/nothing", 404, None),
        ("GET", "/api/v1/jobs/x/output/pdf", 404, None),
        ("POST", "/api/v1/", 404, None),
        ("GET", "/api/v1/process", 405, "POST"),
        ("DELETE", "/api/v1/jobs", 405, "GET, HEAD"),
        ("PUT", "/api/v1/jobs/x", 405, "GET, HEAD"),
        ("GET", "/api/v1/jobs/x/cancel", 405, "POST"),
        ("POST", "/api/v1/jobs/x/output/svg", 405, "GET, HEAD"),
    ],
)
def test_addresses_that_are_not_there_are_problems(
    tmp_path: Path, method: str, path: str, status: int, allow: str | None
) -> None:
    ((got, said, headers),) = asked(tmp_path, shut(tmp_path), (method, path))
    assert (got, headers.get("Allow")) == (status, allow)
    assert headers["Content-Type"].startswith("application/problem+json")
    assert {"type", "title", "status", "detail", "instance"} <= set(said) and said["status"] == status
    assert path in said["detail"]


def test_files_of_a_try_on_are_looked_for_as_the_host_does(tmp_path: Path) -> None:
    folders = {
        name: ModelFolder(name, (tmp_path / name,), frozenset({".safetensors"}))
        for name in ("diffusion_models", "text_encoders", "vae", "loras")
    }
    said = str(missing_files({}, "lora"))
    for word in ("qwen_image_edit_2511_bf16", "Lightning", "qwen_2.5_vl_7b", "qwen_image_vae", "models get"):
        assert word in said
    names = ("qwen_image_edit_2511_bf16", "qwen_2.5_vl_7b_fp8_scaled", "qwen_image_vae")
    for folder, name in zip(("diffusion_models", "text_encoders", "vae"), names, strict=True):
        inner = tmp_path / folder / "qwen"
        inner.mkdir(parents=True)
        (inner / f"{name}.safetensors").touch()
    assert missing_files(folders, "base") is None
    assert "Lightning" in str(missing_files(folders, "lora")) and "bf16.safetensors (models/d" not in str(
        missing_files(folders, "lora")
    )
