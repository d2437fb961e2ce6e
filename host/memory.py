"""Our networks in the host's model memory: loaded, offloaded and counted like any other model."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from comfy import model_management
from comfy.model_patcher import CoreModelPatcher, ModelPatcher

from ..engine.errors import EngineFailure

Patcher = TypeVar("Patcher", bound=ModelPatcher)

_ALL = 1e30  # bytes: more than any device has


def on_gpu() -> bool:
    """Whether the host computes on an accelerator (CUDA, ROCm, MPS, XPU ...)."""
    return not model_management.is_device_cpu(model_management.get_torch_device())


def gpu_memory() -> int | None:
    """All bytes of the accelerator that the host computes on, None when that is the processor."""
    total: Any = model_management.get_total_memory(model_management.get_torch_device())
    return int(total) if on_gpu() else None


def manage(module: torch.nn.Module) -> ModelPatcher:
    """Hand a loaded module (eval mode, weights on the CPU) to the host; keep the result to keep the module."""
    return _managed(CoreModelPatcher, module)


def _managed(kind: type[Patcher], module: torch.nn.Module) -> Patcher:
    device, beside = model_management.get_torch_device(), model_management.unet_offload_device()
    return kind(module, load_device=device, offload_device=beside)


class Kept:
    """Networks that stay in memory between runs, exactly as long as the host keeps them loaded.

    The host knows only weak references: a loader's output lives in the cache of outputs, and a node that loads for
    itself would load anew every time. Here the host's word ends it: when it unloads a network, for another one or
    on request, the weights are dropped, and the next `get` builds it again from the mapped file.
    """

    def __init__(self) -> None:
        self._patchers: dict[Hashable, _Dropping] = {}

    def get(self, key: Hashable, load: Callable[[], torch.nn.Module]) -> ModelPatcher:
        """The network of `key`, loaded if it is not here."""
        self._patchers = {known: patcher for known, patcher in self._patchers.items() if not patcher.dropped}
        if key not in self._patchers:
            self._patchers[key] = _managed(_Dropping, load())
        return self._patchers[key]


class _Dropping(ModelPatcher):
    """Drops its weights when the host unloads it, rather than copying gigabytes from the device into memory.

    Not the host's dynamic patcher: that moves single layers as they are used, which only layers of the host's own
    kind allow. Others it would load whole, load anew for every run, and never unload for another dynamic model.
    """

    dropped = False

    def detach(self, unpatch_all: bool = True) -> torch.nn.Module:
        if unpatch_all:  # else it is about to be loaded again
            self.dropped = True
            for module in self.model.modules():
                for name, weight in list(module.named_parameters(recurse=False)):
                    empty = torch.nn.Parameter(weight.new_empty(0, device="cpu"), requires_grad=False)
                    setattr(module, name, empty)
        return super().detach(unpatch_all)

    def partially_unload(self, *_arguments: object, **_named: object) -> int:
        return 0  # half a network cannot run: the host then unloads it whole


def bring_in(patcher: ModelPatcher, working_bytes: int) -> torch.device:
    """Load the whole module onto the host's device, with `working_bytes` left for its activations.

    Raises what `is_out_of_memory` knows where it does not fit; the host has then unloaded it. Raises EngineFailure
    where the host leaves it beside the device, as it does with --novram.
    """
    model_management.load_models_gpu([patcher], memory_required=working_bytes, force_full_load=True)
    there = next(patcher.model.parameters()).device
    if there.type != patcher.load_device.type:
        raise EngineFailure(
            f"ComfyUI left the network on {there}, not on {patcher.load_device}, as it does with --novram. "
            "Start it without, or with --cpu."
        )
    return patcher.load_device


def bring_in_or_say(patcher: ModelPatcher, working_bytes: int, what: str, remedy: str) -> torch.device:
    """`bring_in`; raises EngineFailure with `what` does not fit and the `remedy` where it does not."""
    try:
        return bring_in(patcher, working_bytes)
    except Exception as error:  # the host's accelerators have no common class for this
        if not is_out_of_memory(error):
            raise
        place = patcher.load_device
        raise EngineFailure(f"{what} does not fit into the memory of {place} now. {remedy}") from error


def send_out(patcher: ModelPatcher) -> None:
    """Unload this network, and nothing else, from the device."""
    others = [loaded for loaded in model_management.current_loaded_models if loaded.model is not patcher]
    model_management.free_memory(_ALL, patcher.load_device, keep_loaded=others)


def free_bytes(device: torch.device) -> int:
    """Free memory of a device of the host, with what torch keeps for itself but does not use.

    On an accelerator without what the host leaves to others (--reserve-vram).
    """
    free: Any = model_management.get_free_memory(device)
    reserved = 0 if model_management.is_device_cpu(device) else model_management.extra_reserved_memory()
    return max(int(free - reserved), 0)


def clear_cache() -> None:
    """Give back what torch keeps of the device's memory but does not use."""
    model_management.soft_empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device's memory was exhausted, on any accelerator that the host knows."""
    return model_management.is_oom(error)
