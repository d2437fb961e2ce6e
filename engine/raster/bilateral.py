"""OpenCV's bilateral filter on pictures of any size: bit for bit as at once, but in strips, with progress."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent

_STRIP = 20_000_000  # neighbours looked at between two progress reports


def bilateral(
    image: NDArray[np.uint8], diameter: int, color: float, space: float, progress: Progress = silent
) -> NDArray[np.uint8]:
    """The image (H, W) or (H, W, 3) with its even parts calmed and its edges kept.

    diameter: pixels, odd; 1 = none. color, space: sigmas in bytes and in pixels, 0 = none. A new array.
    """
    if diameter <= 1 or color <= 0 or space <= 0:
        return image.copy()
    reach, result = diameter // 2, np.empty_like(image)
    channels = image.shape[2] if image.ndim == 3 else 1
    for top, bottom in strips(image.shape, channels * diameter * diameter, progress):
        start = max(top - reach, 0)
        found = cv2.bilateralFilter(image[start : bottom + reach], 2 * reach + 1, color, space)
        result[top:bottom] = found[top - start : bottom - start]
    return result


def strips(shape: tuple[int, ...], cost: int, progress: Progress) -> Iterator[tuple[int, int]]:
    """First row and end of each strip of a picture (H, W, ...). cost: values looked at per pixel."""
    height, width = shape[:2]
    rows = max(1, _STRIP // max(width * cost, 1))
    for top in range(0, height, rows):
        progress(top / height)
        yield top, min(top + rows, height)
