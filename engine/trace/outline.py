"""Pixel outlines as smooth, evenly spaced points, ready for fitting.

All lengths here and in the rest of the refit are in details: one detail is one pixel of the
picture before it was upscaled, the blur that its edges carry.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_BLUR = 0.45  # details: standard deviation of the smoothing; removes the staircase, keeps a corner within 0.3
_SPACING = 0.3  # details between two points
_LEAST_POINTS = 12


@dataclass(frozen=True)
class Outline:
    """A closed curve.

    points: (n, 2) in details, n >= 12; the last point is followed by the first. detail: its size in pixels.
    """

    points: Points
    detail: float

    @property
    def length(self) -> float:
        """Perimeter in details."""
        return float(np.linalg.norm(np.roll(self.points, -1, axis=0) - self.points, axis=1).sum())


def outline(corners: NDArray[np.int64], detail: float) -> Outline:
    """Smooth a lattice polygon (k, 2) of axis-parallel pixel edges; `detail` is its size in pixels, >= 1."""
    middles = _edge_middles(corners) / detail
    count = len(middles)
    sigma = min(_BLUR * detail, count / 24)
    smooth = _smoothed(middles, sigma)
    wanted = max(_LEAST_POINTS, round(count / detail / _SPACING))
    at = np.arange(wanted) * (count / wanted)
    low = at.astype(np.int64)
    share = (at - low)[:, None]
    return Outline(smooth[low] * (1 - share) + smooth[(low + 1) % count] * share, detail)


def _edge_middles(corners: NDArray[np.int64]) -> Points:
    """The middle of every unit edge along the polygon, in order."""
    step = np.roll(corners, -1, axis=0) - corners
    length = np.abs(step).sum(axis=1)
    direction = np.sign(step)
    start = np.repeat(corners, length, axis=0)
    run = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return start + (run[:, None] + 0.5) * np.repeat(direction, length, axis=0)


def _smoothed(points: Points, sigma: float) -> Points:
    """Circular smoothing with the kernel 2g - g*g: flat at low frequencies, so round shapes do not shrink."""
    if sigma < 0.5:
        return points
    frequency = np.fft.rfftfreq(len(points)) * (2 * np.pi * sigma)
    gauss = np.exp(-0.5 * frequency**2)
    spectrum = np.fft.rfft(points, axis=0) * (2 * gauss - gauss**2)[:, None]
    return np.fft.irfft(spectrum, len(points), axis=0)
