"""The edge: an actor with the job service and its address. Ray starts it again when it dies; the ledger refills it."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from aiohttp import web

from ..errors import HostFailed
from ..service import logs
from ..service.service import Folders, Service
from ..service.settings import Settings
from ..service.systems.registry import SYSTEMS
from ._ray import import_ray
from .app import Fleet, application
from .messages import Task
from .options import FleetOptions
from .runner import RayRunner

APP = "vectrahub"  # of Serve
DEPLOYMENT = "Replica"
_LOOK = 2.0  # seconds between two looks at the fleet
_START = 240.0  # seconds, on a machine that starts ComfyUI processes at the same time
_LOG = logging.getLogger("vectrahub")


class Edge:
    """Serves from a thread of its own, so that the actor's own threads are free to read inputs for replicas.

    Raises HostFailed where the address is taken or the ledger cannot be opened.
    """

    def __init__(self, options: FleetOptions, settings: Settings) -> None:
        logs.configure(settings.log)
        self._options = options
        self._settings = settings
        self._seen: Fleet = None
        self._loop = asyncio.new_event_loop()
        self._service: Service | None = None
        self._runner: RayRunner | None = None
        self._web: web.AppRunner | None = None
        up: Future[None] = Future()
        threading.Thread(target=self._live, args=(up,), name="edge", daemon=True).start()
        up.result(_START)

    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._options.host}:{self._options.port}"

    def read_input(self, job_id: str, name: str) -> bytes:
        """A file of a job, for the replica that has the job."""
        service = self._started()
        job = asyncio.run_coroutine_threadsafe(service.job(job_id, None), self._loop).result()
        return (service.files.inputs / job.inputs[name]).read_bytes()

    def drain(self, seconds: float) -> int:
        """End gracefully: no new jobs, those that run may end; how many are left for the next start."""
        return asyncio.run_coroutine_threadsafe(self._drain(seconds), self._loop).result()

    def _live(self, up: Future[None]) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._open())
        except BaseException as error:
            up.set_exception(error)
            raise
        up.set_result(None)
        self._loop.run_forever()

    async def _open(self) -> None:
        ray, serve = import_ray()
        state = self._options.state
        folders = Folders(state / "input", state / "output", state / "jobs.sqlite")
        await asyncio.to_thread(_make, folders)
        handle = serve.get_app_handle(APP).options(stream=True)
        me = ray.get_runtime_context().current_actor

        def ask(task: Task) -> Any:
            return handle.run.remote(task)

        def make_runner(service: Service) -> RayRunner:
            self._runner = RayRunner(service, ask, me)
            return self._runner

        self._service = service = Service(self._settings, folders, make_runner, SYSTEMS)
        app = application(service, lambda: self._seen, lambda: self._runner is not None and self._runner.draining)
        self._web = web.AppRunner(app, handle_signals=False, shutdown_timeout=5)
        await self._web.setup()
        if service.ledger.trouble is not None:
            raise HostFailed(f"the ledger {folders.ledger} cannot be used: {service.ledger.trouble}")
        self._watching = self._loop.create_task(self._watch())
        await web.TCPSite(self._web, self._options.host, self._options.port).start()

    async def _drain(self, seconds: float) -> int:
        self._started()
        left = await self._runner.drain(seconds) if self._runner else 0
        self._watching.cancel()
        if self._web is not None:
            await self._web.cleanup()
        return left

    def _started(self) -> Service:
        if self._service is None:
            raise HostFailed("the edge was not started")
        return self._service

    async def _watch(self) -> None:
        while True:
            self._seen = await asyncio.to_thread(_fleet)
            await asyncio.sleep(_LOOK)


def _make(folders: Folders) -> None:
    for folder in (folders.inputs, folders.outputs, folders.ledger.parent):
        Path(folder).mkdir(parents=True, exist_ok=True)


def _fleet() -> Fleet:
    ray, serve = import_ray()
    try:
        app = serve.status().applications.get(APP)
    except (ray.exceptions.RayError, serve.exceptions.RayServeException) as error:
        _LOG.warning("Serve does not say how the replicas are: %s", error)
        return None
    if app is None or DEPLOYMENT not in app.deployments:
        return None
    states = {str(state): count for state, count in app.deployments[DEPLOYMENT].replica_states.items()}
    running = states.pop("RUNNING", 0)
    return {"replicas": running, "others": sum(states.values())}
