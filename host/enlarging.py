"""Enlarging an IMAGE to an exact size, by interpolation or by the network on an UPSCALE_MODEL socket."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..engine.errors import BadInput
from ..engine.networks.enlarge_to import enlarge_to
from ..engine.progress import Progress, part
from ..engine.raster.tiles.enlarge import LANCZOS, resize_photo
from .models import connected_upscaler

MODEL = "model"


def enlarged(image: Tensor, height: int, width: int, method: str, model: Any, progress: Progress) -> tuple[Tensor, str]:
    """IMAGE (1, H, W, C) -> (1, height, width, C) float32, and what did it, in words; the image itself if it fits.

    `method`: a kernel of `resize_photo`, or "model" for the network `model`, which sees the colours (grey as three);
    opacity beside them is interpolated. Raises BadInput for "model" without one, or one that does not enlarge.
    """
    if image.shape[1:3] == (height, width):
        return image, "none"
    pixels = image[0].detach().cpu().float().numpy()
    if method != MODEL:
        return torch.from_numpy(resize_photo(pixels, height, width, method, progress))[None], method
    if model is None:
        raise BadInput(
            "Method 'model' without an upscale model",
            value="nothing connected",
            limit="an UPSCALE_MODEL",
            remedy="Connect Load Upscale Model to upscale_model, or set method to lanczos.",
        )
    colors = 3 if pixels.shape[2] >= 3 else 1
    network = connected_upscaler(model)
    result, passes = enlarge_to(_rgb(pixels), height, width, network, part(progress, 0.0, 0.9))
    parts = [result if colors == 3 else result.mean(axis=2, keepdims=True)]
    if pixels.shape[2] > colors:
        parts.append(resize_photo(pixels[..., colors:], height, width, LANCZOS, part(progress, 0.9, 1.0)))
    words = f"model x{network.scale}, {passes} {'pass' if passes == 1 else 'passes'}" if passes else LANCZOS
    return torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2))[None], words


def _rgb(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    colors = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return np.clip(colors, 0, 1)
