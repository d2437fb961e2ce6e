"""The job service on a real port, in front of a runner that does what the test tells it."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from PIL import Image
from yarl import URL

from vectrahub.vectrahub_client.service.api.jobs import job_routes
from vectrahub.vectrahub_client.service.api.tokens import token_routes
from vectrahub.vectrahub_client.service.api.unknown import catch_all_route
from vectrahub.vectrahub_client.service.door import Door
from vectrahub.vectrahub_client.service.openapi import openapi_route
from vectrahub.vectrahub_client.service.records import Ending, Job, Output
from vectrahub.vectrahub_client.service.route import PREFIX, Route
from vectrahub.vectrahub_client.service.service import Folders, Service
from vectrahub.vectrahub_client.service.settings import Settings
from vectrahub.vectrahub_client.service.systems.registry import SYSTEMS

SECRET = "a-secret-that-the-operator-chose"
OTHER = "another-secret-of-another-caller"

SETTINGS: dict[str, Any] = {
    "secrets": {
        "tokens": {
            "ours": {"secret": SECRET},
            "theirs": {"secret": OTHER},
            "models": {"secret": "may-do-models-but-no-jobs", "scopes": ["models"]},
        }
    }
}


class Runner:
    """Keeps jobs until the test ends them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.waiting: list[str] = []

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def plan(self, job: Job) -> Mapping[str, Any]:
        return {"planned": job.system}

    async def start(self, job: Job) -> None:
        self.waiting.append(job.id)

    async def cancel(self, job_id: str) -> None:
        await self.end(job_id, Ending("cancelled"))

    def place(self, job_id: str) -> int | None:
        return self.waiting.index(job_id) if job_id in self.waiting else None

    async def end(self, job_id: str, ending: Ending) -> None:
        self.waiting.remove(job_id)
        await self._service.finish(job_id, ending)

    async def complete(self, job_id: str, files: Mapping[str, tuple[str, bytes]]) -> None:
        """End it with results: name -> (media type, content)."""
        folder = self._service.files.output_folder(job_id)
        folder.mkdir(parents=True)
        outputs = []
        for name, (kind, data) in files.items():
            (folder / name).write_bytes(data)
            path = (folder / name).relative_to(self._service.files.outputs)
            outputs.append(Output(name, "Save", kind, len(data), path.as_posix()))
        await self.end(job_id, Ending("completed", tuple(outputs)))


@dataclass
class Server:
    """`http` sends the secret of the token "ours" unless a call says otherwise."""

    url: str
    service: Service
    runner: Runner
    http: aiohttp.ClientSession
    door: Door
    bare: aiohttp.ClientSession = field(repr=False)

    async def ask(self, method: str, path: str, **how: Any) -> tuple[int, Any, Mapping[str, str]]:
        """(status, JSON or bytes, headers) of an answer; the path is below the prefix and sent as it is written."""
        session = self.bare if how.pop("bare", False) else self.http
        url = URL(self.url + PREFIX + path, encoded=True)
        async with session.request(method, url, allow_redirects=False, **how) as answer:
            is_json = answer.content_type.endswith("json") and method != "HEAD"
            return answer.status, await (answer.json(content_type=None) if is_json else answer.read()), answer.headers

    async def order(self, **how: Any) -> tuple[int, Any, Mapping[str, str]]:
        """POST of a workflow that needs no file."""
        return await self.ask("POST", "/workflows", json=how.pop("json", workflow()), **how)


def workflow(**more: Any) -> dict[str, Any]:
    """The smallest order."""
    return {"params": {"workflow": {"1": {"class_type": "Test", "inputs": {}}}}, **more}


@asynccontextmanager
async def job_server(
    folder: Path, routes: Sequence[Route] = (), *, guard: bool = False, **settings: Any
) -> AsyncIterator[Server]:
    """A server with the settings above and these."""
    made: list[Runner] = []

    def runner(service: Service) -> Runner:
        made.append(Runner(service))
        return made[0]

    limits = {"workflows": True, **settings.pop("limits", {})}
    chosen = Settings(**{**SETTINGS, **settings, "limits": limits})
    service = Service(chosen, Folders(folder / "in", folder / "out", folder / "jobs.sqlite"), runner, SYSTEMS)
    door = Door(chosen, service.ledger, service.metrics)
    own = [*job_routes(service), *token_routes(service), *routes]
    app = web.Application(middlewares=[door.guard_host] if guard else [])
    for route in [*own, openapi_route(own), catch_all_route(own)]:
        add = app.router.add_get if route.method == "GET" else None
        (add or (lambda path, handler, route=route: app.router.add_route(route.method, path, handler)))(
            route.path, door.behind(route)
        )

    async def elsewhere(_request: web.Request) -> web.Response:
        return web.Response(text="the host's own")

    app.router.add_get("/elsewhere", elsewhere)
    runner_of_app = web.AppRunner(app, shutdown_timeout=0.2)
    await runner_of_app.setup()
    await service.start()
    try:
        site = web.TCPSite(runner_of_app, "127.0.0.1", 0)
        await site.start()
        url = "http://{}:{}".format(*runner_of_app.addresses[0][:2])
        ours = {"Authorization": f"Bearer {SECRET}"}
        async with aiohttp.ClientSession(headers=ours) as http, aiohttp.ClientSession() as bare:
            async with asyncio.timeout(60) if hasattr(asyncio, "timeout") else _no_limit():
                yield Server(url, service, made[0], http, door, bare)
    finally:
        await runner_of_app.cleanup()
        await service.stop()


@asynccontextmanager
async def _no_limit() -> AsyncIterator[None]:
    yield


THEIRS = {"Authorization": f"Bearer {OTHER}"}


def picture(kind="PNG", size=(20, 10)):
    data = io.BytesIO()
    Image.new("RGB", size, "teal").save(data, kind)
    return data.getvalue()


def text(data):
    return base64.b64encode(data).decode()


def run(tmp_path, story, **settings):
    async def main():
        async with job_server(tmp_path, **settings) as server:
            return await story(server)

    return asyncio.run(main())


def ask(tmp_path, method, path, settings=None, **how):
    return run(tmp_path, lambda server: server.ask(method, path, **how), **(settings or {}))


def inputs(server, job_id):
    folder = server.service.files.inputs / "vectrahub" / "jobs" / job_id
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def job_folders(server):
    """Folders of jobs, of inputs and of outputs."""
    files = server.service.files
    return [path for place in (files.inputs, files.outputs) for path in (place / "vectrahub" / "jobs").glob("*")]


PNG = text(picture())
