"""The job service inside ComfyUI: its settings, its folders, its addresses."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import folder_paths
from server import PromptServer

from ..vectrahub_client.errors import UsageError
from ..vectrahub_client.service import logs
from ..vectrahub_client.service.api.jobs import job_routes
from ..vectrahub_client.service.api.tokens import token_routes
from ..vectrahub_client.service.door import Door
from ..vectrahub_client.service.openapi import openapi_route
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

    Settings that cannot be used leave the nodes as they are and the service off, which the log says. Tools that load
    packs without a server get the nodes alone.
    """
    server = getattr(PromptServer, "instance", None)
    if server is None:
        return
    private = Path(folder_paths.get_system_user_directory("vectrahub"))
    config = os.environ.get(CONFIG_ENV)
    try:
        settings = load_settings(Path(config) if config else private / "config.toml", private / "secrets.toml")
        if settings.enabled:
            _serve(server, settings, private)
    except UsageError as error:
        _LOG.error("no jobs are served: %s", error)


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
    routes += [*model_routes(models, uploads, settings.limits), *probes]
    routes.append(openapi_route(routes))
    routes += contract_routes(Around(service, gpu, host, models, uploads, probes))
    _register(server, routes, door)
    if settings.auth.guard_host:
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
