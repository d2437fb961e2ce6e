"""Open lines and rings of points redrawn with few straight lines and cubics."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..progress import Progress, part, silent
from ..svg.geometry import flattened
from ..svg.path import Contour
from .cubics import SAMPLES, resample
from .landmarks import intersection
from .outline import Outline, Points
from .rounds import ellipse
from .stretches import Stretch, fit_stretches

_TOLERANCE = 0.8  # px: largest distance of a measured point from the drawn line
_SHARP = np.deg2rad(35)  # turn that makes a corner
_CONCENTRATED = 1.35  # a bend turns on over a longer stretch, a corner does not
_ROUNDS = 5  # of fitting: a line that is missed is looked at twice as finely in the next one
_MISS = 1.25  # tolerances that a point may be off
_AROUND = 6  # points to each side that give the direction where a stretch is halved
_FLAT = 0.05  # px: how far the points that are looked at may be from the drawn curve
_ROUND = 12  # points of a ring that may be an ellipse
_Plan = tuple[int, bool, list[Stretch]]  # the line's number, whether it is a ring, what is fitted


def fit_lines(lines: Sequence[tuple[Points, float, bool]], progress: Progress = silent) -> list[Contour]:
    """One contour per line. lines: points (n >= 2, 2) about 1 px apart, the width in px, whether it is a ring."""
    done: dict[int, Contour] = {}
    plans: list[_Plan] = []
    for number, (points, width, closed) in enumerate(lines):
        round_one = ellipse(Outline(points, 1.0), _TOLERANCE) if closed and len(points) >= _ROUND else None
        if round_one is not None:
            done[number] = round_one
        else:
            plans.append((number, closed, _ring(points, width) if closed else _open(points, width)))
    for turn in range(_ROUNDS):
        fitted = _fitted(plans, part(progress, turn / _ROUNDS, (turn + 1) / _ROUNDS))
        done.update(fitted)
        plans = [
            (number, closed, [half for stretch in plan for half in _halves(stretch)])
            for number, closed, plan in plans
            if turn + 1 < _ROUNDS and _misses(fitted[number], plan)
        ]
        if not plans:
            break
    return [done[number] for number in range(len(lines))]


def _fitted(plans: Sequence[_Plan], progress: Progress) -> dict[int, Contour]:
    fitted = fit_stretches([stretch for *_, plan in plans for stretch in plan], _TOLERANCE, progress)
    found = {}
    at = 0
    for number, closed, plan in plans:
        pieces = [piece for some in fitted[at : at + len(plan)] for piece in some]
        at += len(plan)
        curves = np.stack([control[1:] for control, _ in pieces])
        found[number] = Contour(pieces[0][0][0], curves, np.array([straight for _, straight in pieces]), closed)
    return found


def _misses(contour: Contour, plan: Sequence[Stretch]) -> bool:
    """Whether a point is missed between those that the fit has looked at: they are few on a long stretch."""
    points = np.concatenate([stretch.points for stretch in plan if len(stretch.points) > SAMPLES] or [np.empty((0, 2))])
    if not len(points):
        return False
    way = flattened(contour, _FLAT)
    length = float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())
    away, _ = KDTree(resample(way, round(2 * length) + 2)).query(points)
    return bool(away.max() > _MISS * _TOLERANCE)


def _halves(stretch: Stretch) -> list[Stretch]:
    """A long stretch as two that go on in one direction where they meet."""
    points, middle = stretch.points, len(stretch.points) // 2
    if len(points) <= 2 * SAMPLES:
        return [stretch]
    way = _unit(points[middle + _AROUND] - points[middle - _AROUND])
    return [replace(stretch, points=points[: middle + 1], end=way), replace(stretch, points=points[middle:], start=way)]


def _open(points: Points, width: float) -> list[Stretch]:
    corners = _corners(points, width)
    stretches = []
    begin, start = points[0], 0
    reach = _reach(width)
    for index, apex in corners:
        stretches.append(_between(begin, points[start : index - reach + 1], apex))
        begin, start = apex, index + reach
    stretches.append(_between(begin, points[start:], points[-1]))
    return stretches


def _ring(points: Points, width: float) -> list[Stretch]:
    count = len(points)
    wrapped = np.concatenate([points, points, points])
    corners = [(index - count, apex) for index, apex in _corners(wrapped, width) if count <= index < 2 * count]
    reach = _reach(width)
    if not corners:
        half = count // 2
        turn = [_unit(points[(index + 2) % count] - points[index - 2]) for index in (0, half)]
        first, second = points[: half + 1], np.concatenate([points[half:], points[:1]])
        return [Stretch(first, turn[0], turn[1], 1.0), Stretch(second, turn[1], turn[0], 1.0)]
    stretches = []
    for (index, apex), (after, target) in zip(corners, [*corners[1:], corners[0]], strict=True):
        span = (after - index) % count or count
        between = points[(index + np.arange(reach, max(reach, span - reach) + 1)) % count]
        stretches.append(_between(apex, between, target))
    return stretches


def _between(begin: NDArray[np.float64], points: Points, end: NDArray[np.float64]) -> Stretch:
    return Stretch(np.concatenate([begin[None], points[1:-1], end[None]]), None, None, 1.0)


def _reach(width: float) -> int:
    return max(2, round(0.75 * width))


def _corners(points: Points, width: float) -> list[tuple[int, NDArray[np.float64]]]:
    """Sharp corners inside an open line: the index, and where its two sides meet."""
    reach = _reach(width)
    count = len(points)
    index = np.arange(3 * reach, count - 3 * reach)
    if not len(index):
        return []
    near = _turn(points, index, reach, 2 * reach)
    far = np.abs(_turn(points, index, 2 * reach, 3 * reach))
    sharp = np.where((np.abs(near) > _SHARP) & (far < _CONCENTRATED * np.abs(near) + 0.05), np.abs(near), 0.0)
    found = []
    while sharp.any():
        # The middle of the equally sharp ones: both sides are straight there.
        best = int(np.flatnonzero(sharp >= sharp.max() - 0.02).mean()) if sharp.max() else 0
        best = best if sharp[best] else int(sharp.argmax())
        at = int(index[best])
        before, after = points[at - reach], points[at + reach]
        apex = intersection(before, before - points[at - 2 * reach], after, points[at + 2 * reach] - after)
        if apex is not None and np.linalg.norm(apex - points[at]) <= 2 * reach:
            found.append((at, apex))
        sharp[max(0, best - 2 * reach) : best + 2 * reach + 1] = 0
    return sorted(found, key=lambda corner: corner[0])


def _turn(points: Points, index: NDArray[np.int64], near: int, far: int) -> NDArray[np.float64]:
    """Signed angle between the direction from `far` to `near` points before and that after."""
    one, other = points[index - near] - points[index - far], points[index + far] - points[index + near]
    return np.arctan2(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0], (one * other).sum(axis=1))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
