"""Whether a picture keeps the silhouette of its original, by the overlap of two foreground masks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.float32]

_INSIDE = 0.5  # a mask's value from which a pixel belongs to the foreground


@dataclass(frozen=True)
class Overlap:
    """iou: 0..1. original, result: share of the picture that is foreground, 0..1."""

    iou: float
    original: float
    result: float


def overlap(original: Mask, result: Mask) -> Overlap:
    """Intersection over union of two foreground masks (H, W) and (h, w), 0..1, 1 = foreground.

    Of unequal sizes the larger is shrunk to the other, so both are seen at the same fineness. An original without
    foreground has no silhouette to keep: then iou is 0.
    """
    size = min(original.shape[1], result.shape[1]), min(original.shape[0], result.shape[0])
    one, other = _at(original, size), _at(result, size)
    either = int(np.count_nonzero(one | other))
    kept = int(np.count_nonzero(one & other)) / either if either else 0.0
    return Overlap(kept, float(one.mean()), float(other.mean()))


@dataclass(frozen=True)
class Strengths:
    """How strongly a drawing is held to depth and canny edges, 0..2, and how far a retry may raise that."""

    depth: float
    canny: float
    step: float
    depth_limit: float
    canny_limit: float

    def at(self, attempt: int) -> tuple[float, float]:
        """Depth and canny for the attempt (0 = the first). What begins above its limit stays there."""
        return _raised(self.depth, self.step * attempt, self.depth_limit), _raised(
            self.canny, self.step * attempt, self.canny_limit
        )


def _raised(value: float, by: float, limit: float) -> float:
    return round(max(value, min(value + by, limit)), 6)


def _at(mask: Mask, size: tuple[int, int]) -> NDArray[np.bool_]:
    if mask.shape[::-1] != size:
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    return mask >= _INSIDE
