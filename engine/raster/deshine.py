"""Less shine: highlights and reflections of a photo calmed in its lightness alone, so that edges of form are left.

After seed 4 of this project: CIELAB L through a bilateral filter (diameter 9, sigmas 75 of 255), then contrast limited
adaptive histogram equalisation (CLAHE; limit 2.0 on 8 x 8 tiles). Chroma stays.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..progress import Progress, part, silent
from .bilateral import bilateral, strips

LARGEST_DIAMETER = 31
LARGEST_GRID = 64

_BYTES_PER_L = np.float32(2.55)  # L is 0..100
_LEAST_TILE = 16  # pixels a side: one for each of CLAHE's 256 steps; with fewer it turns a lone grey into white
_COST = 20  # values per pixel that a change of colour space looks at, as it is slow


@dataclass(frozen=True)
class Deshined:
    """rgb: (H, W, 3). diameter: of the filter that ran, odd, 1 = it was left out. tiles: CLAHE's tiles per side, 0 = it
    was left out. change: mean change of lightness, 0..100.
    """

    rgb: NDArray[np.uint8]
    diameter: int
    tiles: int
    change: float


def deshine(
    rgb: NDArray[np.uint8],
    diameter: int = 9,
    sigma: float = 75.0,
    clip_limit: float = 2.0,
    grid: int = 8,
    progress: Progress = silent,
) -> Deshined:
    """Calm the lightness of a picture (H, W, 3).

    diameter: of the bilateral filter in pixels, 1..31 (1 = none; an even one
    is taken as the next odd one, which has a middle). sigma: its reach in lightness and in space, 0..255
    (0 = none). clip_limit: of CLAHE, 0..40 (0 = none). grid: its tiles per side, 1..64; fewer in a picture where they
    would be smaller than 16 px. Pixels whose lightness stays keep their bytes, and greys stay greys. Raises BadInput.
    """
    _check(diameter, sigma, clip_limit, grid)
    light = np.empty(rgb.shape[:2], np.uint8)
    for top, bottom in strips(rgb.shape, _COST, part(progress, 0, 0.4)):
        light[top:bottom] = _lightness(_lab(rgb[top:bottom]))
    calm = bilateral(light, diameter, sigma, sigma, part(progress, 0.4, 0.7))
    tiles = _tiles(rgb.shape, grid) if clip_limit > 0 and calm.size and calm.min() < calm.max() else 0
    if tiles:
        calm = np.asarray(cv2.createCLAHE(clip_limit, (tiles, tiles)).apply(calm), np.uint8)
    result = np.empty_like(rgb)
    change = 0
    for top, bottom in strips(rgb.shape, _COST, part(progress, 0.7, 1)):
        shift = calm[top:bottom].astype(np.int16) - light[top:bottom]
        result[top:bottom] = _relit(rgb[top:bottom], shift)
        change += int(np.abs(shift).sum())
    progress(1.0)
    ran = diameter | 1 if diameter > 1 and sigma > 0 else 1
    return Deshined(result, ran, tiles, change / max(light.size, 1) / float(_BYTES_PER_L))


def _tiles(shape: tuple[int, ...], grid: int) -> int:
    return min(grid, min(shape[:2]) // _LEAST_TILE)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), np.float32)


def _lightness(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(lab[..., 0] * _BYTES_PER_L).astype(np.uint8)


def _relit(rgb: NDArray[np.uint8], shift: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The strip with its lightness moved by `shift` / 2.55.

    In floats: 8-bit CIELAB rounds chroma to whole steps, a visible cast.
    """
    lab = _lab(rgb)
    lab[..., 0] = np.clip(lab[..., 0] + shift / _BYTES_PER_L, 0, 100)
    moved = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.float32)
    result = np.rint(np.clip(moved, 0, 1) * 255).astype(np.uint8)
    grey = (rgb[..., 0] == rgb[..., 1]) & (rgb[..., 1] == rgb[..., 2])
    result[grey] = result[..., 1][grey][:, None]
    still = shift == 0
    result[still] = rgb[still]
    return result


def _check(diameter: int, sigma: float, clip_limit: float, grid: int) -> None:
    limits = {
        "diameter": (diameter, 1, LARGEST_DIAMETER),
        "sigma": (sigma, 0, 255),
        "clip_limit": (clip_limit, 0, 40),
        "grid": (grid, 1, LARGEST_GRID),
    }
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise BadInput(f"De-shine's {name}", value=value, limit=f"{low}..{high}", remedy="Keep to its range.")
