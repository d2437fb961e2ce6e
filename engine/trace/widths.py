"""How wide an area is across a line, and where its middle lies, to a fraction of a pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

_STEP = 0.25  # px between two samples across the line
_REACH = 0.8  # of the widest line, to each side: its skeleton is not quite in its middle
_CHUNK = 4096  # points at once; OpenCV's maps are limited to 32767 rows
Points = NDArray[np.float64]


def across(points: Points, inked: NDArray[np.float32], limit: float, *, closed: bool) -> tuple[Points, NDArray]:
    """Points (n, 2), about 1 px apart, moved into the middle of the area, and its width there.

    inked: (H, W), 1 inside. limit: the largest width that is of interest. The width is infinite, and the point
    stays, where no border is found within 0.8 of it.
    """
    normal = normals(points, max(2, round(limit / 6)), closed=closed)
    offsets = np.arange(0, _REACH * limit + 2, _STEP)
    left, right = (_border(points, sign * normal, inked, offsets) for sign in (-1.0, 1.0))
    width = left + right
    found = np.isfinite(width)
    shift = np.where(found, (right - np.where(found, left, 0)) / 2, 0)
    shift = np.where(np.isfinite(shift), shift, 0)
    return points + normal * shift[:, None], np.where(found, width, np.inf)


def normals(points: Points, reach: int, *, closed: bool) -> Points:
    """Unit vectors across a line of points (n, 2), measured from `reach` points before to `reach` after."""
    if closed:
        chord = np.roll(points, -reach, axis=0) - np.roll(points, reach, axis=0)
    else:
        index = np.arange(len(points))
        chord = points[np.minimum(index + reach, len(points) - 1)] - points[np.maximum(index - reach, 0)]
    chord = chord / np.maximum(np.linalg.norm(chord, axis=1), 1e-9)[:, None]
    return np.stack([-chord[:, 1], chord[:, 0]], axis=1)


def _border(points: Points, way: Points, inked: NDArray[np.float32], offsets: NDArray[np.float64]) -> NDArray:
    """The distance from each point along `way` to where the area ends; infinite when it does not."""
    found = np.full(len(points), np.inf)
    for start in range(0, len(points), _CHUNK):
        some = slice(start, start + _CHUNK)
        places = (points[some, None] + offsets[None, :, None] * way[some, None]).astype(np.float32)
        values = cv2.remap(
            inked, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
        )
        outside = values < 0.5
        at = outside.argmax(axis=1)
        rows = np.arange(len(at))
        high, low = values[rows, np.maximum(at - 1, 0)], values[rows, at]
        share = np.clip((high - 0.5) / np.maximum(high - low, 1e-6), 0, 1)
        crossing = offsets[np.maximum(at - 1, 0)] + share * _STEP
        found[some] = np.where(outside.any(axis=1) & (at > 0), crossing, np.inf)
    return found
