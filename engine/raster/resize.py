"""Resizing pictures and the size that a number of megapixels means.

Everything is interpolated in sRGB as stored, not in linear light: renderers of SVG (resvg,
cairo, browsers) blend anti-aliased edges in sRGB, so a half-covered edge pixel of a logo is the
sRGB mean of its two colours. Only the same space puts the traced edge back where it was drawn;
linear light would move every dark-on-light edge outwards.
"""

import math
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput

MAX_ENLARGEMENT = 16.0  # a pixel becomes 16 x 16 at most: more invents nothing, it only costs time
MAX_SIDE = 16384  # common limit of textures, canvases and image readers

Raster = TypeVar("Raster", NDArray[np.uint8], NDArray[np.float32])

_NEIGHBOURS = np.ones((3, 3), np.uint8)


def size_for_megapixels(width: int, height: int, megapixels: float) -> tuple[int, int, str]:
    """The size of the same aspect with `megapixels` million pixels, as near as whole pixels allow.

    Never more than `MAX_ENLARGEMENT` times the input per side, no side over `MAX_SIDE` (a longer
    input shrinks to it) and at least 1 pixel. Returns width, height and a note, which is empty
    unless one of the limits kept the size from `megapixels`. Raises BadInput for a size without
    pixels or a `megapixels` that is not above 0.
    """
    if width < 1 or height < 1:
        raise BadInput(
            "The image has no pixels", value=f"{width} x {height}", limit="1 x 1 or more", remedy="Give an image."
        )
    if not (math.isfinite(megapixels) and megapixels > 0):
        raise BadInput("Megapixels out of range", value=megapixels, limit="more than 0", remedy="Try 12.")
    wanted = math.sqrt(megapixels * 1e6 / (width * height))
    longest = MAX_SIDE / max(width, height)
    scale = min(wanted, longest, MAX_ENLARGEMENT)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if scale == wanted:
        return *size, ""
    limit = f"longest side {MAX_SIDE} px" if scale == longest else f"{MAX_ENLARGEMENT:g} times larger per side"
    return *size, f"{size[0]} x {size[1]} instead of {megapixels:g} megapixels: limit {limit}"


def resize_lanczos(pixels: Raster, width: int, height: int) -> Raster:
    """Resize uint8 (H, W) or (H, W, 3), or float32 of the same shapes in 0..1, to (height, width).

    Enlarging: 8-tap Lanczos (OpenCV INTER_LANCZOS4), clipped to the least and greatest value of
    the 3 x 3 source pixels around: no overshoot, so the flat areas of a logo stay exactly flat
    and no colour appears that a palette would have to explain. Shrinking: mean over the covered
    area (INTER_AREA), which is what renderers do, so shrinking a rendering gives the smaller
    rendering. Each axis takes the one that it needs. The input itself is returned when it has
    the size already.
    """
    high, wide = pixels.shape[:2]
    shrunk = _resample(pixels, min(width, wide), min(height, high), cv2.INTER_AREA)
    if shrunk.shape[:2] == (height, width):
        return shrunk
    enlarged = _resample(shrunk, width, height, cv2.INTER_LANCZOS4)
    for bound, morphology in ((np.maximum, cv2.erode), (np.minimum, cv2.dilate)):
        around = _resample(cast(Raster, morphology(shrunk, _NEIGHBOURS)), width, height, cv2.INTER_NEAREST)
        bound(enlarged, around, out=enlarged)
    return enlarged


def _resample(pixels: Raster, width: int, height: int, kernel: int) -> Raster:
    if pixels.shape[:2] == (height, width):
        return pixels
    return cast(Raster, cv2.resize(pixels, (width, height), interpolation=kernel))
