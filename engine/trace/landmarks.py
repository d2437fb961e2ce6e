"""Where an outline is straight and where it has corners."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .outline import Outline, Points

_TRIM = 0.7  # details: near its ends a side carries the blur of the corner
_SHORTEST = 2.6  # details: a shorter side is not evidence of a straight line
_PLAIN = 10.0  # details: a run that long needs no corner beside it; shorter ones also occur on large circles
_BESIDE = np.deg2rad(22)  # turn to the next side of the polygon that makes a corner
_SAGITTA = 0.055  # details: bow of a run; the chords of a circle's polygon bow by about _CHORD_ERROR
# An outline on the pixel lattice lies up to half a pixel off: the allowances below, in details, are
# for the picture itself and, per pixel of the lattice, for that.
_CHORD_ERROR = (0.2, 0.35)  # tolerance of the polygon whose sides are tried as straight runs
_STRAIGHT = (0.1, 0.5)  # largest distance from the line inside a run
_WAVE = (0.03, 0.2)  # root mean square of it
_INNER, _OUTER = 0.8, 2.2  # details: a corner turns within the first, a small circle also beyond it
_TANGENT = 0.5  # details: half the chord that measures a direction
_LEAST_TURN = np.deg2rad(28)
_CONCENTRATED = 0.6  # least share of the outer turn that happens inside
APEX = 0.75  # details: farthest that a blurred corner's tip may lie outside the outline


@dataclass(frozen=True)
class Run:
    """A straight stretch: indices of its first and last point (last may be smaller: it wraps), its line."""

    first: int
    last: int
    origin: NDArray[np.float64]
    direction: NDArray[np.float64]


@dataclass(frozen=True)
class Corner:
    """A sharp corner: index of the nearest point of the outline, and where the corner really is."""

    index: int
    apex: NDArray[np.float64]


def straight_runs(shape: Outline) -> list[Run]:
    """The straight stretches, in order along the outline."""
    points = shape.points
    count = len(points)
    spacing = shape.length / count
    trim = round(_TRIM / spacing)
    runs: list[Run] = []
    ends = _polygon(points, _allowed(_CHORD_ERROR, shape.detail))
    sides = np.roll(points[ends], -1, axis=0) - points[ends]
    turn = np.abs(_angles(sides, np.roll(sides, -1, axis=0)))
    beside = np.maximum(turn, np.roll(turn, 1)) > _BESIDE
    for first, last, at_corner in zip(ends, np.roll(ends, -1), beside, strict=True):
        span = int((last - first) % count) or count
        shortest = _SHORTEST if at_corner else _PLAIN
        if span * spacing < shortest or span - 2 * trim < 4:
            continue
        index = (first + np.arange(trim, span - trim + 1)) % count
        run = _line(points, index, shape.detail)
        if run is not None:
            runs.append(run)
    return runs


def corners(shape: Outline) -> list[Corner]:
    """Sharp corners of the outline, in order, each with the tip that the blur has cut off."""
    points = shape.points
    count = len(points)
    spacing = shape.length / count
    inner, outer, half = (max(1, round(reach / spacing)) for reach in (_INNER, _OUTER, _TANGENT))
    if count < 2 * (outer + half) + 1:
        return []
    chord = np.roll(points, -half, axis=0) - np.roll(points, half, axis=0)
    turned_in, turned_out = _turn(chord, inner), _turn(chord, outer)
    sharp = (np.abs(turned_in) > _LEAST_TURN) & (np.abs(turned_in) > _CONCENTRATED * np.abs(turned_out))
    found = []
    for index in _peaks(np.where(sharp, np.abs(turned_in), 0), inner):
        before = points[(index - np.arange(inner, outer + 1)) % count]
        after = points[(index + np.arange(inner, outer + 1)) % count]
        apex = _meeting(before, after, points[index])
        if apex is not None:
            found.append(Corner(int(index), apex))
    return found


def intersection(
    origin: Points, direction: Points, other_origin: Points, other_direction: Points
) -> NDArray[np.float64] | None:
    """Where two lines cross; None when they are nearly parallel (below about 3 degrees)."""
    cross = direction[0] * other_direction[1] - direction[1] * other_direction[0]
    if abs(cross) < 0.05:
        return None
    gap = other_origin - origin
    return origin + direction * ((gap[0] * other_direction[1] - gap[1] * other_direction[0]) / cross)


def _polygon(points: Points, error: float) -> NDArray[np.int64]:
    """Indices of the points that a Douglas-Peucker polygon of the closed curve keeps, ascending."""
    kept = cv2.approxPolyDP(points.astype(np.float32)[:, None], error, closed=True)[:, 0]
    where = {point.tobytes(): index for index, point in reversed(list(enumerate(points.astype(np.float32))))}
    return np.array(sorted({where[np.ascontiguousarray(point).tobytes()] for point in kept}), np.int64)


def _line(points: Points, index: NDArray[np.int64], detail: float) -> Run | None:
    stretch = points[index]
    origin = stretch.mean(axis=0)
    _, _, axes = np.linalg.svd(stretch - origin, full_matrices=False)
    direction = axes[0] if axes[0] @ (stretch[-1] - stretch[0]) > 0 else -axes[0]
    along = (stretch - origin) @ direction
    off = (stretch - origin) @ np.array([-direction[1], direction[0]])
    half = max(float(np.ptp(along)) / 2, 1e-9)
    bow = abs(float(np.polyfit(along / half, off, 2)[0]))
    wave = float(np.sqrt((off**2).mean()))
    if bow > _SAGITTA or wave > _allowed(_WAVE, detail) or np.abs(off).max() > _allowed(_STRAIGHT, detail):
        return None
    return Run(int(index[0]), int(index[-1]), origin, direction)


def _allowed(allowance: tuple[float, float], detail: float) -> float:
    return allowance[0] + allowance[1] / detail


def _turn(chord: Points, reach: int) -> NDArray[np.float64]:
    """Signed angle by which the direction changes from `reach` points before to `reach` points after."""
    return _angles(np.roll(chord, reach, axis=0), np.roll(chord, -reach, axis=0))


def _angles(first: Points, second: Points) -> NDArray[np.float64]:
    """Signed angles from vectors (n, 2) to vectors (n, 2), in radians."""
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return np.arctan2(cross, (first * second).sum(axis=1))


def _peaks(strength: NDArray[np.float64], reach: int) -> NDArray[np.int64]:
    """Indices of the largest value within `reach` on both sides (circular), where it is above 0."""
    window = np.stack([np.roll(strength, shift) for shift in range(-reach, reach + 1)])
    top = window.max(axis=0)
    first = np.stack([np.roll(strength, shift) for shift in range(1, reach + 1)]).max(axis=0)
    return np.flatnonzero((strength > 0) & (strength == top) & (strength > first))


def _meeting(before: Points, after: Points, near: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The tip of the corner between two flanks; None when it is too far off to be blur."""
    origin, direction = _flank(before)
    other_origin, other_direction = _flank(after)
    apex = intersection(origin, direction, other_origin, other_direction)
    if apex is None or np.linalg.norm(apex - near) > APEX:
        return None
    return apex


def _flank(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    origin = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - origin, full_matrices=False)
    return origin, axes[0]
