"""Our networks in the host's model memory: loaded, offloaded and counted like any other model."""

import torch
from comfy import model_management
from comfy.model_patcher import CoreModelPatcher, ModelPatcher


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


def bring_in(patcher: ModelPatcher, working_bytes: int) -> torch.device:
    """Load the module onto the host's device, with `working_bytes` left for its activations."""
    model_management.load_models_gpu([patcher], memory_required=working_bytes)
    return patcher.load_device


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device's memory was exhausted, on any accelerator that the host knows."""
    return model_management.is_oom(error)
