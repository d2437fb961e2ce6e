"""The host's model folders: which networks are here, and loading them into its memory."""

from dataclasses import dataclass
from typing import Any

import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from spandrel import ImageModelDescriptor

from ..engine.errors import BadInput, MissingPart
from ..engine.networks.upscaler import TILE, Network
from .memory import bring_in, is_out_of_memory, manage
from .network_file import Unreadable, read_network

UPSCALERS = "upscale_models"

# The widest moment of an RRDBNet: 64 channels of float32 at the output's size, four of them alive.
_BYTES_PER_OUTPUT_PIXEL = 64 * 4 * 4


def upscaler_files() -> list[str]:
    """Names of the files in models/upscale_models, as the host lists them."""
    return folder_paths.get_filename_list(UPSCALERS)


def load_upscaler(file: str) -> Network:
    """A file of models/upscale_models (.pth, .safetensors) on the host's device, whatever spandrel knows.

    Raises MissingPart when it is not there, BadInput when it is no upscaler of RGB pictures.
    """
    path = folder_paths.get_full_path(UPSCALERS, file)
    if path is None:
        raise MissingPart(
            f"The upscaler {file}",
            remedy="Put the file into models/upscale_models, or choose auto or lanczos.",
        )
    try:
        return connected_upscaler(read_network(path), file)
    except Unreadable as error:
        raise _unfit(file, str(error)) from error


def connected_upscaler(descriptor: Any, name: str = "The connected upscaler") -> Network:
    """What an UPSCALE_MODEL socket carries (a descriptor of spandrel), loaded onto the host's device.

    Raises BadInput when it is no upscaler of RGB pictures.
    """
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.scale < 2 or _channels(descriptor) != (3, 3):
        raise _unfit(name, _described(descriptor))
    patcher = getattr(descriptor, "patcher", None) or manage(descriptor.model.eval())
    device = bring_in(patcher, (TILE * descriptor.scale) ** 2 * _BYTES_PER_OUTPUT_PIXEL)
    return Network(_Managed(descriptor, patcher), descriptor.scale, device, descriptor.model, is_out_of_memory)


@dataclass(frozen=True)
class _Managed:
    """Runs the network; the host forgets a model whose patcher nobody holds, so it is held here."""

    descriptor: ImageModelDescriptor[torch.nn.Module]
    patcher: ModelPatcher

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.descriptor(pixels)


def _described(descriptor: Any) -> str:
    if not hasattr(descriptor, "architecture"):
        return type(descriptor).__name__
    return f"{descriptor.architecture.name} x{descriptor.scale}, channels {_channels(descriptor)}"


def _channels(descriptor: object) -> tuple[int, int]:
    return getattr(descriptor, "input_channels", 0), getattr(descriptor, "output_channels", 0)


def _unfit(file: str, found: str) -> BadInput:
    return BadInput(
        f"{file} is no upscaler of RGB pictures",
        value=found,
        limit="a network that spandrel knows, x2 or more, 3 channels in and out",
        remedy="Choose RealESRGAN_x2plus.pth or lanczos; an incomplete download must be fetched again.",
    )
