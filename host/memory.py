"""Our networks in the host's model memory: loaded, offloaded and counted like any other model."""

from collections.abc import Callable, Hashable

import torch
from comfy import model_management
from comfy.model_patcher import CoreModelPatcher, ModelPatcher
from comfy.patcher_extension import CallbacksMP


def on_gpu() -> bool:
    """Whether the host computes on an accelerator (CUDA, ROCm, MPS, XPU ...)."""
    return not model_management.is_device_cpu(model_management.get_torch_device())


def manage(module: torch.nn.Module) -> ModelPatcher:
    """Hand a loaded module (eval mode, weights on the CPU) to the host; keep the result to keep the module."""
    return CoreModelPatcher(
        module,
        load_device=model_management.get_torch_device(),
        offload_device=model_management.unet_offload_device(),
    )


class Kept:
    """Networks that stay in memory between runs, exactly as long as the host keeps them loaded.

    The host knows only weak references: a loader's output lives in the cache of outputs, and a node that loads for
    itself would load anew every time. Here the host's word ends it: when it unloads a network, for another one or
    on request, the weights are dropped, and the next `get` builds it again from the mapped file.
    """

    def __init__(self) -> None:
        self._patchers: dict[Hashable, ModelPatcher] = {}

    def get(self, key: Hashable, load: Callable[[], torch.nn.Module]) -> ModelPatcher:
        """The network of `key`, loaded if it is not here."""
        patcher = self._patchers.get(key)
        if patcher is None or _is_empty(patcher):
            self._patchers = {known: held for known, held in self._patchers.items() if not _is_empty(held)}
            patcher = self._patchers[key] = manage(load())
            patcher.add_callback(CallbacksMP.ON_DETACH, _drop_weights)
        return patcher


def _drop_weights(patcher: ModelPatcher, unloaded: bool) -> None:
    if not unloaded:  # the host also detaches what it is about to load again
        return
    # The patcher stays, and its weights become empty ones rather than none: the host still asks for its name, and
    # may move or unload it once more.
    for weight in patcher.model.parameters():
        weight.data = weight.data.new_empty(0, device="cpu")


def _is_empty(patcher: ModelPatcher) -> bool:
    return any(weight.numel() == 0 for weight in patcher.model.parameters())


def bring_in(patcher: ModelPatcher, working_bytes: int) -> torch.device:
    """Load the module onto the host's device, with `working_bytes` left for its activations."""
    model_management.load_models_gpu([patcher], memory_required=working_bytes)
    return patcher.load_device


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device's memory was exhausted, on any accelerator that the host knows."""
    return model_management.is_oom(error)
