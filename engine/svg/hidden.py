"""Shapes that a drawing does not need: repeated ones, and ones inside another of the same colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from .cells import Window
from .flatten import Painted
from .geometry import Bounds, flattened
from .path import Contour

_EPS = 0.15  # px: how far a contained shape may stand out; above the rounding of a file, below what is seen
_FLAT = _EPS / 5  # px: how far the lines that are compared may be from the curves
_MOST_POINTS = 4000  # of the border that are measured one by one; a longer common border counts as not contained
_SLICE = 64  # shapes between two calls of progress
_FAINT = ("opacity", "fill-opacity", "stroke-opacity")


@dataclass(frozen=True)
class Kept:
    """items: what is left, in order. duplicates, contained: how many shapes were dropped for which reason."""

    items: list[Painted]
    duplicates: int
    contained: int


def drop_hidden(items: Sequence[Painted], progress: Progress = silent) -> Kept:
    """The shapes without those that change nothing visible.

    A repeated shape (same geometry, same opaque paint) leaves its topmost copy. An opaque fill without a stroke
    goes when it lies inside another of the same colour: under it always, over it when no other paint comes
    between them at that place. What counts is the painted area: a shape in a hole of another is not inside it.
    Shapes that are not opaque, and gradients, stay. In doubt a shape stays; a border that two shapes share may
    differ by 0.15 px, and its blended pixels by what drawing them twice had added.
    """
    single = _without_repeats(items)
    shapes = [_Shape(item) for item in single]
    alive = np.ones(len(shapes), bool)
    boxes = _boxes(shapes, part(progress, 0.0, 0.2))
    same: dict[str, NDArray[np.int64]] = {
        color: np.array([i for i, shape in enumerate(shapes) if shape.color == color])
        for color in dict.fromkeys(shape.color for shape in shapes)
        if color
    }
    progress = part(progress, 0.2, 1.0)
    for index, shape in enumerate(shapes):
        progress(index / len(shapes))
        if not shape.color:
            continue
        others = same[shape.color]
        around = (boxes[others, :2] <= boxes[index, :2] + _EPS) & (boxes[others, 2:] >= boxes[index, 2:] - _EPS)
        near = [int(other) for other in others[around.all(axis=1) & alive[others]] if other != index]
        if near and _redundant(index, near, shapes, alive, boxes):
            alive[index] = False
    left = [item for item, lives in zip(single, alive, strict=True) if lives]
    return Kept(left, len(items) - len(single), len(single) - len(left))


class _Shape:
    """A shape with what is asked of it often. color: '' for what is never contained and contains nothing."""

    def __init__(self, item: Painted) -> None:
        self.item = item
        plain = "stroke" not in dict(item.paint) and not any(item.get(name) for name in _FAINT)
        self.color = item.get("fill") if plain and item.get("fill").startswith("#") else ""
        self.even_odd = item.get("fill-rule") == "evenodd"

    @cached_property
    def outlines(self) -> list[NDArray[np.float64]]:
        return [flattened(contour, _FLAT) for contour in self.item.contours]

    @cached_property
    def box(self) -> Bounds:
        """With the stroke: left, top, right, bottom."""
        points = np.concatenate(self.outlines)
        wide = float(self.item.get("stroke-width", "0")) / 2
        wide *= float(self.item.get("stroke-miterlimit", "4"))
        (left, top), (right, bottom) = points.min(axis=0) - wide, points.max(axis=0) + wide
        return (float(left), float(top), float(right), float(bottom))

    @property
    def simple(self) -> bool:
        """Whether both fill rules mean the same, so that a point's side can be told from crossings."""
        return self.even_odd or len(self.outlines) == 1


def _boxes(shapes: Sequence[_Shape], progress: Progress) -> NDArray[np.float64]:
    boxes = np.empty((len(shapes), 4))
    for index, shape in enumerate(shapes):
        if index % _SLICE == 0:
            progress(index / len(shapes))
        boxes[index] = shape.box
    return boxes


def _without_repeats(items: Sequence[Painted]) -> list[Painted]:
    """What is repeated, only once, at its highest place: the lower one cannot be seen under an opaque copy."""
    seen: set[tuple[object, ...]] = set()
    kept: list[Painted] = []
    for item in reversed(items):
        key = (item.paint, *(_key(contour) for contour in item.contours))
        opaque = not any(item.get(name) for name in _FAINT) and "url" not in item.get("fill") + item.get("stroke")
        if opaque and key in seen:
            continue
        seen.add(key)
        kept.append(item)
    return kept[::-1]


def _key(contour: Contour) -> tuple[bytes, bytes, bytes, bool]:
    curves = np.where(contour.lines[:, None, None], contour.curves[:, 2:], contour.curves)
    return ((contour.start + 0.0).tobytes(), (curves + 0.0).tobytes(), contour.lines.tobytes(), contour.closed)


def _redundant(
    index: int, near: list[int], shapes: list[_Shape], alive: NDArray[np.bool_], boxes: NDArray[np.float64]
) -> bool:
    shape = shapes[index]
    window = Window.around(shape.box)
    reach = window.reach(shape.item, shape.outlines)
    for other in near:
        if not _inside(shape, reach, shapes[other], window):
            continue
        if other > index or not _painted_between(other, index, reach, window, shapes, alive, boxes):
            return True
    return False


def _painted_between(
    low: int,
    high: int,
    reach: NDArray[np.uint8],
    window: Window,
    shapes: list[_Shape],
    alive: NDArray[np.bool_],
    boxes: NDArray[np.float64],
) -> bool:
    """Whether another paint touches the place of shape `high` after shape `low` was painted."""
    left, top, right, bottom = boxes[high]
    between = boxes[low + 1 : high]
    meets = (between[:, 0] < right) & (between[:, 2] > left) & (between[:, 1] < bottom) & (between[:, 3] > top)
    for index in (np.flatnonzero(meets & alive[low + 1 : high]) + low + 1).tolist():
        shape = shapes[index]
        if shape.color != shapes[high].color and (window.reach(shape.item, shape.outlines) & reach).any():
            return True
    return False


def _inside(shape: _Shape, reach: NDArray[np.uint8], other: _Shape, window: Window) -> bool:
    """Whether all of `shape` lies in the painted area of `other`."""
    border = window.border(other.outlines, 3 * window.cell)
    unsure = reach & (border | (1 - window.filled(other.outlines, even_odd=other.even_odd)))
    if not unsure.any():
        return True
    if (unsure & (1 - border)).any() or not (shape.simple and other.simple):
        return False
    # They come close to each other: there the exact distance of both borders decides.
    return _stays(shape.outlines, other.outlines, window, unsure, inside=True) and _stays(
        other.outlines, shape.outlines, window, unsure, inside=False
    )


def _stays(
    outlines: list[NDArray[np.float64]],
    others: list[NDArray[np.float64]],
    window: Window,
    unsure: NDArray[np.uint8],
    *,
    inside: bool,
) -> bool:
    """Whether no point of `outlines` in unsure cells is on the wrong side of the others by more than _EPS."""
    points = np.concatenate([_dense(points, window.cell) for points in outlines])
    points = points[window.at(unsure, points)]
    if len(points) > _MOST_POINTS:
        return False
    rings = [ring.astype(np.float32).reshape(-1, 1, 2) for ring in others]
    for x, y in points.tolist():
        sides = [cv2.pointPolygonTest(ring, (x, y), True) for ring in rings]
        if (sum(side > 0 for side in sides) % 2 == 1) != inside and min(abs(side) for side in sides) > _EPS:
            return False
    return True


def _dense(points: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """The points of a closed polygon with others between them, at most `spacing` apart."""
    after = np.roll(points, -1, axis=0)
    counts = np.maximum(1, np.ceil(np.linalg.norm(after - points, axis=1) / spacing)).astype(np.int64)
    start = np.repeat(np.cumsum(counts) - counts, counts)
    share = (np.arange(counts.sum()) - start) / np.repeat(counts, counts)
    return np.repeat(points, counts, axis=0) + share[:, None] * np.repeat(after - points, counts, axis=0)
