"""Enlarging a photograph to an exact size by a super-resolution network."""

import math

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from ..raster.tiles.enlarge import LANCZOS, resize_photo
from .upscaler import TILE, Network, upscale_tiled

_MOST = 2  # times the wanted side that a pass may make: more is work thrown away


def enlarge_to(
    pixels: NDArray[np.float32], height: int, width: int, network: Network, progress: Progress = silent
) -> tuple[NDArray[np.float32], int]:
    """float32 (H, W, 3) in 0..1 -> (height, width, 3), and how often the network ran.

    It runs once, or as often as comes nearest to the factor by its powers (x2 twice for 4x, x4 once for 2x), never
    to more than twice the wanted side; Lanczos does the rest, and all of it where nothing is to be enlarged.
    Raises EngineFailure when memory does not even suffice for the smallest tile.
    """
    factor = max(height / pixels.shape[0], width / pixels.shape[1])
    count = max(1, round(math.log(factor, network.scale))) if factor > 1 else 0
    share, tile = 0.9 / max(count, 1), TILE
    for step in range(count):
        most = _MOST / network.scale
        least = min(pixels.shape[0], math.ceil(height * most)), min(pixels.shape[1], math.ceil(width * most))
        pixels = resize_photo(pixels, *least, LANCZOS)
        pixels, tile = upscale_tiled(pixels, network, part(progress, step * share, (step + 1) * share), tile)
    return resize_photo(pixels, height, width, LANCZOS, part(progress, count * share, 1.0)), count
