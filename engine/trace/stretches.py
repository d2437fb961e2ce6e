"""Stretches of outline between landmarks, each fitted with as few cubics as the tolerance allows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from .cubics import fit_cubics, resample
from .outline import Points

Piece = tuple[Points, bool]  # control polygon (4, 2) and whether it is a straight line

_LINE_SHARE = 0.5  # of the tolerance: a stretch that close to its chord is a line
_SHORT = 1.2  # details: a shorter stretch is a line
_DEEPEST = 12
_SMOOTH = np.cos(np.deg2rad(18))  # neighbours that turn less than this are joined smoothly
_TURN_SHARE = 1.0  # of the tolerance: how far a handle may move for that


@dataclass(frozen=True)
class Stretch:
    """Points (n, 2) from one landmark to the next, both included; directions there, None = free.

    slack: times the tolerance that the fit may miss by; 0 = a straight line, whatever lies between.
    """

    points: Points
    start: NDArray[np.float64] | None
    end: NDArray[np.float64] | None
    slack: float


def fit_stretches(stretches: Sequence[Stretch], tolerance: float, progress: Progress = silent) -> list[list[Piece]]:
    """The pieces of each stretch, in order. tolerance: largest distance of a point from its piece, in details."""
    pieces: list[dict[float, tuple[Stretch, Piece]]] = [{} for _ in stretches]
    work = [(owner, 0.0, 1.0, stretch) for owner, stretch in enumerate(stretches)]
    progress = part(progress, 0.5, 1.0)
    for depth in range(_DEEPEST + 1):
        pending = []
        curved = []
        for item in work:
            owner, low, _, stretch = item
            if _is_line(stretch, tolerance):
                pieces[owner][low] = (stretch, _line(stretch))
            else:
                curved.append(item)
        if not curved:
            break
        samples = [resample(stretch.points) for *_, stretch in curved]
        control, error, worst = fit_cubics(np.stack(samples))
        for item, sample, polygon, miss, at in zip(curved, samples, control, error, worst, strict=True):
            owner, low, high, stretch = item
            if miss <= tolerance * stretch.slack or depth == _DEEPEST:
                pieces[owner][low] = (stretch, (polygon, False))
            else:
                pending += _split(owner, low, high, stretch, sample, int(at))
        work = pending
        progress((depth + 1) / (_DEEPEST + 1))
    return [_smoothed(_merged([entry[low] for low in sorted(entry)], tolerance), tolerance) for entry in pieces]


def _is_line(stretch: Stretch, tolerance: float) -> bool:
    if stretch.slack == 0 or len(stretch.points) < 4:
        return True
    tolerance *= stretch.slack
    chord = stretch.points[-1] - stretch.points[0]
    length = float(np.linalg.norm(chord))
    if length < 1e-6:
        return False
    away = stretch.points - stretch.points[0]
    off = np.abs(away[:, 0] * chord[1] - away[:, 1] * chord[0]).max() / length
    return off <= (tolerance if length < _SHORT else _LINE_SHARE * tolerance)


def _line(stretch: Stretch) -> Piece:
    first, last = stretch.points[0], stretch.points[-1]
    return np.stack([first, first + (last - first) / 3, last - (last - first) / 3, last]), True


def _split(
    owner: int, low: float, high: float, stretch: Stretch, sample: Points, worst: int
) -> list[tuple[int, float, float, Stretch]]:
    """Cut where the fit misses most, but not so close to an end that a sliver is left."""
    at = min(max(worst / (len(sample) - 1), 0.2), 0.8)
    cut = min(max(round(at * (len(stretch.points) - 1)), 1), len(stretch.points) - 2)
    middle = low + (high - low) * at
    first = Stretch(stretch.points[: cut + 1], stretch.start, None, stretch.slack)
    second = Stretch(stretch.points[cut:], None, stretch.end, stretch.slack)
    return [(owner, low, middle, first), (owner, middle, high, second)]


def _merged(entry: list[tuple[Stretch, Piece]], tolerance: float) -> list[tuple[Stretch, Piece]]:
    """Join neighbours again where one cubic does for both: splitting at the worst point is not optimal."""
    at = 0
    while at + 1 < len(entry):
        (one, _), (other, _) = entry[at], entry[at + 1]
        joined = replace(one, points=np.vstack([one.points, other.points[1:]]), end=other.end)
        control, error, _ = fit_cubics(resample(joined.points)[None])
        if error[0] <= tolerance * one.slack:
            entry = [*entry[:at], (joined, (control[0], False)), *entry[at + 2 :]]
        else:
            at += 1
    return entry


def _smoothed(entry: list[tuple[Stretch, Piece]], tolerance: float) -> list[Piece]:
    """Turn the handles at smooth joints into one direction, keeping their lengths."""
    controls = [control.copy() for _, (control, _) in entry]
    lines = [is_line for _, (_, is_line) in entry]
    if not entry:
        return []
    room = _TURN_SHARE * tolerance
    _turn_handle(controls[0], 0, 1, entry[0][0].start, lines[0], room)
    _turn_handle(controls[-1], 3, 2, _reversed(entry[-1][0].end), lines[-1], room)
    for (before, after), (first_line, second_line) in zip(pairwise(controls), pairwise(lines), strict=True):
        incoming, outgoing = _unit(before[3] - before[2]), _unit(after[1] - after[0])
        if incoming @ outgoing < _SMOOTH:
            continue
        common = incoming if first_line else outgoing if second_line else _unit(incoming + outgoing)
        _turn_handle(before, 3, 2, -common, first_line, room)
        _turn_handle(after, 0, 1, common, second_line, room)
    return list(zip(controls, lines, strict=True))


def _reversed(direction: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    return None if direction is None else -direction


def _turn_handle(
    control: Points, end: int, handle: int, direction: NDArray[np.float64] | None, is_line: bool, room: float
) -> None:
    """Point the handle along `direction`, if that moves it by no more than `room` (the curve moves by 4/9 of it)."""
    if direction is None or is_line:
        return
    target = control[end] + direction * float((control[handle] - control[end]) @ direction)
    if np.linalg.norm(target - control[handle]) <= room:
        control[handle] = target


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
