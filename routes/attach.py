"""The job service inside ComfyUI: its settings, its folders, its addresses."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import folder_paths
from aiohttp import web
from server import PromptServer

from ..vectrahub_client.errors import UsageError
from ..vectrahub_client.service import logs
from ..vectrahub_client.service.api.jobs import job_routes
from ..vectrahub_client.service.api.tokens import token_routes
from ..vectrahub_client.service.api.unknown import catch_all_route
from ..vectrahub_client.service.door import Door, WebHandler, no_reading_on, request_id_of
from ..vectrahub_client.service.openapi import openapi_route
from ..vectrahub_client.service.origin import is_local
from ..vectrahub_client.service.problems import problem_response, unavailable
from ..vectrahub_client.service.route import Route
from ..vectrahub_client.service.service import Folders, Service
from ..vectrahub_client.service.settings import CONFIG_ENV, Settings, load_settings
from ..vectrahub_client.service.systems.registry import EVERY_SYSTEM
from .contracts import Around, contract_routes
from .gpu import gpu_figures
from .health import health_routes, host_figures
from .host_runner import HostRunner
from .models.api import model_routes
from .models.host_folders import host_models
from .models.uploads import Uploads

_LOG = logging.getLogger("vectrahub")


def attach() -> None:
    """Put the service before the server's queue. To be called while packs are loaded: later its addresses are fixed.

    Settings that cannot be used leave the nodes as they are and the service off, which the log says; as they may have
    asked for a guard, nobody but this machine is let in then. Tools that load packs without a server get the nodes
    alone.
    """
    server = getattr(PromptServer, "instance", None)
    if server is None:
        return
    private = Path(folder_paths.get_system_user_directory("vectrahub"))
    try:
        settings = load_settings(_config(private), private / "secrets.toml")
        if settings.enabled:
            _serve(server, settings, private)
    except UsageError as error:
        _LOG.error("no jobs are served, and only this machine is let in: %s", error)
        server.app.middlewares.append(local_only)


def _config(private: Path) -> Path:
    named = os.environ.get(CONFIG_ENV)
    if not named:
        return private / "config.toml"
    if not Path(named).is_file():
        raise UsageError(f"{CONFIG_ENV} names {named}, which is no file")
    return Path(named)


@web.middleware
async def local_only(request: web.Request, handler: WebHandler) -> web.StreamResponse:
    """503 for everybody who is not on this machine."""
    if is_local(request):
        return await handler(request)
    problem = unavailable("the settings of VectraHub cannot be used; the server's log says which", 60)
    return problem_response(problem, request_id_of(request))


def _serve(server: PromptServer, settings: Settings, private: Path) -> None:
    logs.configure(settings.log)
    folders = Folders(
        Path(os.path.realpath(folder_paths.get_input_directory())),
        Path(os.path.realpath(folder_paths.get_output_directory())),
        private / "jobs.sqlite",
    )
    service = Service(settings, folders, lambda made: HostRunner(server, made), EVERY_SYSTEM)
    door = Door(settings, service.ledger, service.metrics)
    models, gpu, host = host_models(), gpu_figures(), host_figures()
    uploads, probes = Uploads(models), health_routes(service, gpu, host)
    routes = [*job_routes(service), *token_routes(service)]
    routes += [*model_routes(models, uploads, service.gate), *probes]
    routes.append(openapi_route(routes))
    routes += contract_routes(Around(service, gpu, host, models, uploads, probes))
    routes.append(catch_all_route(routes))
    _register(server, routes, door)
    if settings.auth.guard_host:
        server.app.middlewares.insert(0, no_reading_on)
        server.app.middlewares.append(door.guard_host)
    server.app.on_startup.append(lambda _app: service.start())
    server.app.on_cleanup.append(lambda _app: service.stop())


def _register(server: PromptServer, routes: Sequence[Route], door: Door) -> None:
    for route in routes:
        handler = door.behind(route)
        if route.method == "GET":
            server.routes.get(route.path)(handler)  # and HEAD
        else:
            server.routes.route(route.method, route.path)(handler)
