"""The five old servers' addresses, each on if `[contracts.NAME] enabled` says so: a client changes its base URL.

    runpod      the door of the first two: /run, /runsync, /status, /cancel
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

from ...vectrahub_client.service.route import Route
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
        routes += runpod_routes(service, desks, contracts.toolbox.wait_s)
    if contracts.logo.enabled:
        routes += LogoContract(service, intake).routes()
    if contracts.vton.enabled:
        routes += VtonContract(service, intake).routes()
    if contracts.vehicle.enabled:
        routes += VehicleContract(service, intake).routes()
    if desks or contracts.logo.enabled or contracts.vton.enabled or contracts.vehicle.enabled:
        routes += probe_routes(around)
    return routes
