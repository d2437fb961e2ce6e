"""Whether a picture has smooth ramps of colour, which a few flat colours cannot give."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent

_EDGE = 24  # bytes of difference in a 3 x 3 window that make an edge
_BLOCK = 16  # pixels: JPEG's chroma blocks; what rings beside an edge stays inside the edge's own block
_SLOPE = 0.05  # bytes per pixel
_SHARE = 0.05


def gradient_share(rgb: NDArray[np.uint8], progress: Progress = silent) -> float:
    """Share (0..1) of neighbouring blocks without edges between which the mean colour changes. rgb: (H, W, 3)."""
    height, width = rgb.shape[:2]
    block = int(np.clip(min(height, width) // 16, 4, _BLOCK))
    rows, columns = height // block, width // block
    if min(rows, columns) < 2:
        return 0.0
    window = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(rgb, window), cv2.erode(rgb, window))
    progress(0.2)
    spread = spread.max(axis=2)
    progress(0.4)
    tiles = (rows, block, columns, block)
    still = spread[: rows * block, : columns * block].reshape(tiles).max(axis=(1, 3)) < _EDGE
    progress(0.6)
    means = rgb[: rows * block, : columns * block].reshape(*tiles, 3).mean(axis=(1, 3), dtype=np.float32)
    changes, pairs = 0, 0
    for axis in (0, 1):
        both = still & np.roll(still, -1, axis=axis)
        step = np.abs(np.roll(means, -1, axis=axis) - means).max(axis=2) > _SLOPE * block
        inside = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        changes += int((both & step)[inside].sum())
        pairs += int(both[inside].sum())
    return changes / pairs if pairs else 0.0


def has_gradients(rgb: NDArray[np.uint8], progress: Progress = silent) -> bool:
    """True when colour changes between a twentieth of such blocks; flat two-colour art has no change at all."""
    return gradient_share(rgb, progress) >= _SHARE
