"""Probes of this server: what the host says of itself, its models in memory, its queue, its disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import folder_paths
from comfy import model_management
from comfyui_version import __version__ as COMFYUI_VERSION  # noqa: N812
from server import PromptServer

from ..vectrahub_client.service.route import Route
from ..vectrahub_client.service.service import Service
from .fresh import Fresh
from .gpu import show_gpu
from .gpu_figures import Gpu
from .probes import HostState, probe_routes


def host_figures() -> Fresh[HostState | None]:
    """The host's state, at most a second old when somebody asks."""
    return Fresh(read_host_state, None)


def health_routes(service: Service, gpu: Fresh[Gpu | None], host: Fresh[HostState | None]) -> list[Route]:
    """/health, /ready and /metrics below the prefix, open to everybody; and the GPU's gauges."""
    show_gpu(service.metrics, gpu)
    return probe_routes(service, gpu, host, lambda: service.ledger.trouble)


def read_host_state() -> HostState:
    """The state of now; takes the queue's lock and asks the disks, so not for the event loop."""
    queue = PromptServer.instance.prompt_queue
    running, waiting = queue.get_current_queue_volatile()
    return HostState(
        comfyui=COMFYUI_VERSION,
        running=len(running),
        queued=len(waiting),
        models=tuple(_loaded_models()),
        disk_free=min(_free(Path(folder)) for folder in _written()),
    )


def _loaded_models() -> list[str]:
    patchers = [loaded.model for loaded in list(model_management.current_loaded_models)]
    return [type(patcher.model).__name__ for patcher in patchers if patcher is not None]


def _written() -> list[str]:
    """The folders that jobs write to."""
    return [folder_paths.get_input_directory(), folder_paths.get_output_directory(), folder_paths.get_user_directory()]


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
