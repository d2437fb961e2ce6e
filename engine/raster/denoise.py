"""Compression noise: how much of it a picture has, and the picture without it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from .bilateral import bilateral

_EDGE = 32  # bytes of difference in a 3 x 3 window that make an edge
_NEAR, _FAR = 2, 7  # pixels from an edge where a JPEG block rings and clean art is still
_NOISY = 0.12  # share of restless pixels there: clean art measured below 0.05 (gradients more), JPEG q95 above 0.19


def compression_noise(rgb: NDArray[np.uint8], progress: Progress = silent) -> float:
    """Share (0..1) of the pixels close to edges where luma is restless, as compression makes it; 0 for flat art.

    rgb: (H, W, 3). Without edges there is nothing to measure and the answer is 0.
    """
    window = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(rgb, window), cv2.erode(rgb, window))
    progress(0.2)
    spread = spread.max(axis=2)
    progress(0.4)
    edge = spread >= _EDGE
    if not edge.any():
        return 0.0
    distance = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_C, 3)
    progress(0.6)
    ring = (distance >= _NEAR) & (distance <= _FAR)
    if not ring.any():
        return 0.0
    progress(0.8)
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return float((cv2.Laplacian(luma, cv2.CV_16S)[ring] != 0).mean())


def calm(rgb: NDArray[np.uint8], progress: Progress = silent) -> tuple[NDArray[np.uint8], bool]:
    """The picture with compression ripples smoothed and edges kept, and whether there were any.

    A clean picture comes back as it is.
    """
    if compression_noise(rgb, part(progress, 0, 0.3)) <= _NOISY:
        return rgb, False
    once = bilateral(rgb, 7, 30, 3, part(progress, 0.3, 0.6))
    return bilateral(once, 7, 20, 3, part(progress, 0.6, 1)), True
