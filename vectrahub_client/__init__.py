"""Headless client of a ComfyUI with the VectraHub pack: run workflows, fetch what they make.

    from vectrahub_client import VectorizeRequest, connect, vectorize_graph

    with connect() as client:                      # a running ComfyUI, or the private one for the time being
        graph = vectorize_graph(VectorizeRequest(draft=True), client.upload(Path("logo.png")))
        result = client.run(graph, timeout=300)
        client.download_all(result, Path("out"))

Errors are those of `vectrahub_client.errors`; the command line is `python -m vectrahub_client --help`.
Stands alone: it imports nothing of the pack and can be installed without it.
"""

from ._discover import connect
from ._events import Event
from ._outputs import JobResult, OutputFile
from ._wait import Patience
from ._workflow import read_workflow, set_image, set_value
from .client import Client
from .doctor import examine
from .errors import ClientError, JobError, JobFailed, JobRejected, ServerError, UsageError
from .host_config import HostConfig, load_config
from .host_process import PrivateHost
from .jobs import JobsClient
from .logo import LogoRequest, logo, logo_graph
from .tryon import TryOnFiles, TryOnRequest, tryon, tryon_graph
from .upscale import UpscaleRequest, upscale, upscale_graph
from .vectorize import VectorizeRequest, vectorize_graph
from .vehicle import VehicleRequest, vehicle, vehicle_graph
from .warmup import warm_up

__version__ = "0.1.0"

__all__ = [
    "connect",
    "Client",
    "Patience",
    "Event",
    "JobResult",
    "OutputFile",
    "read_workflow",
    "set_value",
    "set_image",
    "VectorizeRequest",
    "vectorize_graph",
    "UpscaleRequest",
    "upscale_graph",
    "upscale",
    "LogoRequest",
    "logo_graph",
    "logo",
    "TryOnRequest",
    "TryOnFiles",
    "tryon_graph",
    "tryon",
    "VehicleRequest",
    "vehicle_graph",
    "vehicle",
    "warm_up",
    "examine",
    "JobsClient",
    "PrivateHost",
    "HostConfig",
    "load_config",
    "ClientError",
    "UsageError",
    "JobError",
    "JobFailed",
    "JobRejected",
    "ServerError",
]
