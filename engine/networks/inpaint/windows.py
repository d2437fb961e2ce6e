"""Which parts of a picture an inpainting network has to see, so that a small hole costs a small window."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Slices = tuple[slice, slice]

CONTEXT = 64  # px of surroundings on each side, at least
NEAR = 32  # px by which holes are dilated to find those that are filled together

_CELL = 8  # px: windows are compared on a coarser canvas; those that nearly touch count as overlapping


@dataclass(frozen=True)
class Span:
    """One axis of a window: start..stop is seen, own_start..own_stop is what this window alone answers for.

    Beyond its own part its answer fades out over `fade` pixels into that of its neighbour.
    """

    start: int
    stop: int
    own_start: int
    own_stop: int
    fade: int

    def shares(self) -> NDArray[np.float32]:
        """Weight of the answer at each pixel of the window, 0..1: 1 on the own part."""
        at = np.arange(self.start, self.stop)
        away = np.maximum(np.maximum(self.own_start - at, at - (self.own_stop - 1)), 0)
        return np.clip(1 - away / (self.fade + 1), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Window:
    """A rectangle that is filled in one run of the network."""

    row: Span
    column: Span

    @property
    def seen(self) -> Slices:
        """What the network is shown."""
        return np.s_[self.row.start : self.row.stop, self.column.start : self.column.stop]

    @property
    def own(self) -> Slices:
        """What no other window answers for."""
        return np.s_[self.row.own_start : self.row.own_stop, self.column.own_start : self.column.own_stop]

    @property
    def pixels(self) -> int:
        return (self.row.stop - self.row.start) * (self.column.stop - self.column.start)

    @property
    def side(self) -> int:
        """The longer one, px."""
        return max(self.row.stop - self.row.start, self.column.stop - self.column.start)

    def shares(self) -> NDArray[np.float32]:
        """(height, width) of `seen`: weight of the answer at each pixel."""
        return np.minimum.outer(self.row.shares(), self.column.shares())


@dataclass(frozen=True)
class _Group:
    """Holes that are filled together: the box around them, and the size of the largest, which says how much to see."""

    box: Slices
    largest: tuple[int, int]

    def around(self, shape: tuple[int, ...], limit: int, multiple: int) -> Slices:
        """The box with its surroundings."""
        sizes = zip(self.box, self.largest, reversed(self.largest), shape, strict=True)
        row, column = (
            _surrounded(one, max(own, other // 2, CONTEXT), limit, extent, multiple)
            for one, own, other, extent in sizes
        )
        return row, column


def plan(hole: Mask, limit: int, multiple: int) -> list[list[Window]]:
    """The windows of each group of holes in (H, W), from the border of a hole inward; together they own all of it.

    A group gets one window with the length of its largest hole as surroundings on every side (at least half of that
    one's other length and `CONTEXT`), as far as picture and `limit` allow; a group for which `limit` px leave less
    than an eighth on each side gets several. Groups whose windows overlap become one. Sides are multiples of
    `multiple` where the picture is large enough; `limit` must be one.
    """
    groups = _groups(hole)
    while True:
        joined = _joined(groups, [group.around(hole.shape, limit, multiple) for group in groups], hole.shape)
        if len(joined) == len(groups):
            break
        groups = joined
    groups.sort(key=lambda group: (group.box[0].start, group.box[1].start))
    return [_windows(group, hole, limit, multiple) for group in groups]


def _groups(hole: Mask) -> list[_Group]:
    """The holes; those within 2 * `NEAR` px of each other count as one."""
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    _, labels = cv2.connectedComponents(cv2.dilate(hole.view(np.uint8), kernel), connectivity=8)
    boxes = [(box[0], box[1]) for box in ndimage.find_objects(np.where(hole, labels, 0)) if box is not None]
    return [_Group(box, (box[0].stop - box[0].start, box[1].stop - box[1].start)) for box in boxes]


def _surrounded(core: slice, around: int, limit: int, extent: int, multiple: int) -> slice:
    own = core.stop - core.start
    if not _in_one(own, limit, extent):
        margin = limit // 4
        return slice(max(core.start - margin, 0), min(core.stop + margin, extent))
    length = min(_up(min(own + 2 * around, limit), multiple), extent)
    start = min(max(core.start - (length - own) // 2, 0), extent - length)
    return slice(start, start + length)


def _in_one(own: int, limit: int, extent: int) -> bool:
    return extent <= limit or own <= limit - 2 * (limit // 8)


def _joined(groups: Sequence[_Group], rectangles: Sequence[Slices], shape: tuple[int, ...]) -> list[_Group]:
    """The groups, those whose rectangles overlap as one."""
    canvas = np.zeros([_up(side, _CELL) // _CELL for side in shape], np.uint8)
    coarse = [tuple(slice(one.start // _CELL, -(-one.stop // _CELL)) for one in box) for box in rectangles]
    for box in coarse:
        canvas[box] = 1
    _, labels = cv2.connectedComponents(canvas, connectivity=4)
    together: dict[int, list[_Group]] = {}
    for group, box in zip(groups, coarse, strict=True):
        together.setdefault(int(labels[box[0].start, box[1].start]), []).append(group)
    return [_as_one(several) for several in together.values()]


def _as_one(groups: Sequence[_Group]) -> _Group:
    box = _hull([group.box[0] for group in groups]), _hull([group.box[1] for group in groups])
    return _Group(box, (max(group.largest[0] for group in groups), max(group.largest[1] for group in groups)))


def _hull(slices: Sequence[slice]) -> slice:
    return slice(min(one.start for one in slices), max(one.stop for one in slices))


def _windows(group: _Group, hole: Mask, limit: int, multiple: int) -> list[Window]:
    around = group.around(hole.shape, limit, multiple)
    rows, columns = (
        _spans(one, whole, limit, extent, multiple)
        for one, whole, extent in zip(group.box, around, hole.shape, strict=True)
    )
    windows = [Window(row, column) for row in rows for column in columns]
    return _inward([window for window in windows if hole[window.own].any()], hole)


def _inward(windows: list[Window], hole: Mask) -> list[Window]:
    """Nearest to known pixels first: then each one but those at the border sees what another one has filled."""
    if len(windows) < 2 or hole.all():
        return windows
    away = cv2.distanceTransform(hole.view(np.uint8), cv2.DIST_C, 3)
    return sorted(windows, key=lambda window: float(away[window.own][hole[window.own]].min()))


def _spans(core: slice, around: slice, limit: int, extent: int, multiple: int) -> list[Span]:
    own = core.stop - core.start
    if _in_one(own, limit, extent):
        return [Span(around.start, around.stop, around.start, around.stop, 0)]
    margin = limit // 4
    count = -(-own // (limit - 2 * margin))
    edges = [core.start + own * index // count for index in range(count + 1)]
    spans = []
    for first, last in pairwise(edges):
        length = min(_up(last - first + 2 * margin, multiple), limit, extent)
        start = min(max(first - (length - (last - first)) // 2, 0), extent - length)
        spans.append(Span(start, start + length, first, last, margin // 2))
    return spans


def _up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
