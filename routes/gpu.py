"""The accelerator that the host computes on: its name, its memory, how busy it is."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from comfy import model_management

from ..vectrahub_client.service.metrics import Metrics
from .fresh import Fresh
from .gpu_figures import Gpu

try:
    import pynvml
except ImportError:  # as good as no NVIDIA driver
    pynvml = None


def gpu_figures() -> Fresh[Gpu | None]:
    """The accelerator's figures, at most a second old when somebody asks; None where there is none."""
    return Fresh(_Reader().read, None)


def show_gpu(metrics: Metrics, gpu: Fresh[Gpu | None]) -> None:
    """Gauges of the last figures, once per Metrics, also under the try-on server's names."""

    def used() -> float | None:
        return gpu.latest and gpu.latest.used

    def busy() -> float | None:
        return gpu.latest and gpu.latest.utilization

    for prefix in ("vectrahub_", ""):
        metrics.watch(f"{prefix}gpu_memory_used_bytes", "Memory in use on the GPU, by everybody.", used)
        metrics.watch(f"{prefix}gpu_utilization_percent", "Share of the last moment in which the GPU worked.", busy)
    metrics.watch("vectrahub_gpu_memory_total_bytes", "The GPU's memory.", lambda: gpu.latest and gpu.latest.total)


class _Reader:
    """By the driver's own library where there is one: only it knows how busy the device is."""

    def __init__(self) -> None:
        self._nvml: ModuleType | None = pynvml
        self._handle: Any = None

    def read(self) -> Gpu | None:
        device = model_management.get_torch_device()
        if model_management.is_device_cpu(device):
            return None
        if device.type == "cuda" and torch.version.cuda and self._nvml is not None:
            try:
                return self._by_nvml(self._nvml, device)
            except (self._nvml.NVMLError, AttributeError):
                self._nvml = None  # no driver, a device that it does not show (MIG), a torch without uuids: never again
        return _by_torch(device)

    def _by_nvml(self, nvml: ModuleType, device: torch.device) -> Gpu:
        if self._handle is None:
            nvml.nvmlInit()
            # By its uuid: CUDA_VISIBLE_DEVICES gives devices other numbers than the driver does.
            uuid = torch.cuda.get_device_properties(device).uuid
            self._handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode())
        name = nvml.nvmlDeviceGetName(self._handle)
        memory = nvml.nvmlDeviceGetMemoryInfo(self._handle)
        try:
            busy = float(nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu)
        except nvml.NVMLError:  # not every device counts it
            busy = None
        return Gpu(name.decode() if isinstance(name, bytes) else name, int(memory.total), int(memory.used), busy)


def _by_torch(device: torch.device) -> Gpu:
    total: Any = model_management.get_total_memory(device)
    if device.type == "cuda":  # of all processes, while the host counts what torch keeps in reserve as free
        name, free = torch.cuda.get_device_name(device), torch.cuda.mem_get_info(device)[0]
    else:
        figure: Any = model_management.get_free_memory(device)
        name, free = device.type, int(figure)
    return Gpu(name, int(total), max(0, int(total) - free), None)
