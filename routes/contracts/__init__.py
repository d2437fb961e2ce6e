"""The five old servers' addresses, each on if `[contracts.NAME] enabled` says so: a client changes its base URL.

    runpod      the door of the first two: /run, /runsync, /status, /cancel, /purge-queue
    vectrahub   S0, pictures;  toolbox  S1, actions
    logo        S2, /api/generate_logo
    vton        S3, /tryon, /infer, /gpu/status
    vehicle     S4, /api/v1
    probes      /health and others that several of them have
    intake      how all of them order jobs

They render what the service does and decide nothing else: jobs are as durable, bounded and guarded as through the job
API.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from ...vectrahub_client.service.records import Caller
from ...vectrahub_client.service.route import Handler, Route
from .around import Around
from .intake import Intake
from .logo import LogoContract
from .probes import probe_routes
from .runpod import Desk, runpod_routes
from .toolbox import ToolboxDesk
from .vectrahub import VectraHubDesk
from .vehicle import VehicleContract
from .vton import VtonContract

__all__ = ["Around", "contract_routes"]

# Who asks without a token where a contract is open: one caller for all of them, with one bound of unfinished jobs.
GUEST = Caller("guest", "guest", frozenset({"jobs"}))


def contract_routes(around: Around) -> list[Route]:
    """All addresses of the contracts that are on, none if none is."""
    service, contracts = around.service, around.service.settings.contracts
    intake = Intake(service)
    routes: list[Route] = []
    desks: list[Desk] = []
    if contracts.toolbox.enabled:  # first: an action may come with an image
        desks.append(ToolboxDesk(around, intake))
    if contracts.vectrahub.enabled:
        desk = VectraHubDesk(service, intake)
        desks.append(desk)
        routes += desk.proxy_routes()
    if desks:
        is_open = all(one.open for one in (contracts.toolbox, contracts.vectrahub) if one.enabled)
        routes += _to(runpod_routes(service, desks, contracts.toolbox.wait_s), is_open)
    if contracts.logo.enabled:
        routes += _to(LogoContract(service, intake).routes(), contracts.logo.open)
    if contracts.vton.enabled:
        routes += _to(VtonContract(service, intake, around.store.folders).routes(), contracts.vton.open)
    if contracts.vehicle.enabled:
        routes += _to(VehicleContract(service, intake).routes(), contracts.vehicle.open)
    if routes:
        routes += probe_routes(around)
    return routes


def _to(routes: list[Route], everybody: bool) -> list[Route]:
    return [replace(route, scope=None, handler=_for_guests(route.handler)) for route in routes] if everybody else routes


def _for_guests(handler: Handler) -> Handler:
    async def handle(request: web.Request, caller: Caller) -> web.StreamResponse:
        return await handler(request, caller if caller.may("jobs") else GUEST)

    return handle
