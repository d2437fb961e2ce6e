"""What the engine knows of an inpainting network, and one run of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import EngineFailure


def _torch_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError)


@dataclass(frozen=True)
class Inpainter:
    """A loaded network: `forward` maps (1, 3, h, w) in 0..1 and (1, 1, h, w), 1 = hole, on `device` to (1, 3, h, w).

    h and w are multiples of `multiple` and at least `minimum`. `module`, where given, is the module that `forward`
    runs: cancelling then also works between its layers.
    """

    forward: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    device: torch.device
    multiple: int = 8
    minimum: int = 16
    module: torch.nn.Module | None = None
    out_of_memory: Callable[[Exception], bool] = _torch_out_of_memory


def run(network: Inpainter, colors: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What the network puts into (h, w, 3), 0..1, of any size; it is not shown the colours of the hole (h, w).

    Sizes that it cannot take are filled up at the right and at the bottom by reflection, holes too, and cut again.
    Raises EngineFailure for an answer of another size or of no numbers.
    """
    height, width = hole.shape
    beyond = [_lacking(length, network) for length in (height, width)]
    padded = np.pad(
        np.where(hole[..., None], np.float32(0), colors), [*((0, more) for more in beyond), (0, 0)], "reflect"
    )
    mask = np.pad(hole, [(0, more) for more in beyond], "reflect").astype(np.float32)
    with torch.no_grad():
        image = torch.from_numpy(padded).to(network.device).permute(2, 0, 1)[None].contiguous()
        marks = torch.from_numpy(mask).to(network.device)[None, None]
        answer = network.forward(image, marks)
    if answer.shape != image.shape:
        raise EngineFailure(f"The inpainter returned {tuple(answer.shape)} where {tuple(image.shape)} was expected.")
    filled = answer[0, :, :height, :width].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    if not np.isfinite(filled).all():
        raise EngineFailure("The inpainter returned pixels that are not numbers: its weights may be damaged.")
    return filled


def _lacking(length: int, network: Inpainter) -> int:
    wanted = max(length, network.minimum)
    return -(-wanted // network.multiple) * network.multiple - length
