"""Least-squares cubic Béziers through many stretches of points at once.

Every stretch keeps its end points; the two control points are free. Fitting a whole drawing
as one batch keeps the loop in NumPy: a level of splitting costs the same for 10 stretches as for 1000.
"""

import numpy as np
from numpy.typing import NDArray

from .outline import Points

SAMPLES = 24
_REFINEMENTS = 4  # Newton steps that move each sample to its nearest point of the curve
_LONGEST_HANDLE = 1.2  # of the stretch's length: longer handles loop


def fit_cubics(samples: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Fit one cubic to each stretch.

    samples: (m, SAMPLES, 2). Returns the control polygons (m, 4, 2), the largest distance of a
    sample from its curve (m,) - infinite for a curve that loops - and the index of that sample (m,).
    """
    steps = np.linalg.norm(np.diff(samples, axis=1), axis=2)
    length = np.maximum(steps.sum(axis=1), 1e-12)
    t = np.concatenate([np.zeros((len(samples), 1)), np.cumsum(steps, axis=1)], axis=1) / length[:, None]
    control = _solve(samples, t)
    for _ in range(_REFINEMENTS):
        t = _closer(samples, control, t)
        control = _solve(samples, t)
    distance = np.linalg.norm(evaluate(control, t) - samples, axis=2)
    worst = distance[:, 1:-1].argmax(axis=1) + 1
    error = distance.max(axis=1)
    handles = np.linalg.norm(control[:, [1, 2]] - control[:, [0, 3]], axis=2).max(axis=1)
    return control, np.where(handles > _LONGEST_HANDLE * length, np.inf, error), worst


def evaluate(control: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of m cubics (m, 4, 2) at m x n parameters: (m, n, 2)."""
    return np.einsum("kmn,mkd->mnd", _basis(t), control)


def resample(points: Points, count: int = SAMPLES) -> Points:
    """`count` points at equal arc length along an open polyline (n, 2), its ends kept."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])], axis=1)


def _basis(t: NDArray[np.float64]) -> NDArray[np.float64]:
    s = 1 - t
    return np.stack([s**3, 3 * t * s**2, 3 * t**2 * s, t**3])


def _solve(samples: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Control points by linear least squares for fixed parameters."""
    b0, b1, b2, b3 = _basis(t)
    first, last = samples[:, 0], samples[:, -1]
    rest = samples - b0[..., None] * first[:, None] - b3[..., None] * last[:, None]
    a11, a12, a22 = (b1 * b1).sum(1), (b1 * b2).sum(1), (b2 * b2).sum(1)
    r1, r2 = (b1[..., None] * rest).sum(1), (b2[..., None] * rest).sum(1)
    determinant = np.maximum(a11 * a22 - a12**2, 1e-12)[:, None]
    c1 = (a22[:, None] * r1 - a12[:, None] * r2) / determinant
    c2 = (a11[:, None] * r2 - a12[:, None] * r1) / determinant
    return np.stack([first, c1, c2, last], axis=1)


def _closer(samples: NDArray[np.float64], control: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """One Newton step of every parameter towards the foot of its sample."""
    first = 3 * np.diff(control, axis=1)
    second = 2 * np.diff(first, axis=1)
    s = 1 - t
    velocity = np.einsum("kmn,mkd->mnd", np.stack([s**2, 2 * s * t, t**2]), first)
    bend = np.einsum("kmn,mkd->mnd", np.stack([s, t]), second)
    off = evaluate(control, t) - samples
    slope = (velocity**2).sum(2) + (off * bend).sum(2)
    step = np.where(slope > 1e-9, (off * velocity).sum(2) / np.where(slope > 1e-9, slope, 1), 0)
    moved = np.clip(t - np.clip(step, -0.1, 0.1), 0, 1)
    moved[:, 0], moved[:, -1] = 0, 1
    return np.maximum.accumulate(moved, axis=1)
