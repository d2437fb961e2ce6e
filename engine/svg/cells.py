"""Shapes as cells of a fine grid over a window: surely inside, perhaps touched, on the border."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .flatten import Painted
from .geometry import Bounds

_SHIFT = 4  # OpenCV's sub-pixel bits
_FINEST = 0.25  # px of a cell
_MOST = 1024  # cells along the longest side of a window
_FAR = 1 << 14  # cells; what lies farther out is cut there, so that the fixed-point numbers do not overflow
_RING = np.ones((3, 3), np.uint8)
Cells = NDArray[np.uint8]
Outlines = Sequence[NDArray[np.float64]]


@dataclass(frozen=True)
class Window:
    """A grid of cells, (height, width) of them, `cell` px each, from (left, top)."""

    left: float
    top: float
    cell: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, box: Bounds) -> "Window":
        """The finest grid over a box, with a margin of three cells."""
        longest = max(box[2] - box[0], box[3] - box[1])
        cell = max(_FINEST, longest / _MOST)
        width, height = (int(np.ceil((high - low) / cell)) + 6 for low, high in ((box[0], box[2]), (box[1], box[3])))
        return cls(box[0] - 3 * cell, box[1] - 3 * cell, cell, (height, width))

    def border(self, outlines: Outlines, thickness: float = 0.0) -> Cells:
        """1 where a line along the outlines, `thickness` px wide, can be, and one cell more."""
        cells = np.zeros(self.shape, np.uint8)
        wide = min(255, int(np.ceil(thickness / self.cell)) + 1)
        lines = [self._points(np.concatenate([points, points[:1]])) for points in outlines]
        cv2.polylines(cells, lines, False, 1, wide, cv2.LINE_8, _SHIFT)
        return np.asarray(cv2.dilate(cells, _RING), np.uint8)

    def filled(self, outlines: Outlines, *, even_odd: bool) -> Cells:
        """1 inside the outlines; cells on the border may be either."""
        polygons = [self._points(points) for points in outlines]
        cells = np.zeros(self.shape, np.uint8)
        if even_odd or len(polygons) == 1:
            cv2.fillPoly(cells, polygons, 1, cv2.LINE_8, _SHIFT)
            return cells
        winding = np.zeros(self.shape, np.int16)
        for points, polygon in zip(outlines, polygons, strict=True):
            cells[:] = 0
            cv2.fillPoly(cells, [polygon], 1, cv2.LINE_8, _SHIFT)
            winding += cells.astype(np.int16) * (1 if signed_area(points) > 0 else -1)
        return (winding != 0).astype(np.uint8)

    def reach(self, item: Painted, outlines: Outlines) -> Cells:
        """1 wherever the shape can leave paint: never too few."""
        cells = np.zeros(self.shape, np.uint8)
        width = float(item.get("stroke-width", "0"))
        if item.get("stroke-linejoin", "miter") == "miter":
            width *= float(item.get("stroke-miterlimit", "4"))
        if item.get("fill") != "none":
            cells = self.filled(outlines, even_odd=item.get("fill-rule") == "evenodd")
            if item.get("fill-rule") != "evenodd":  # a contour that crosses itself: what it encloses counts
                rings, _ = cv2.findContours(cells, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                cv2.drawContours(cells, rings, -1, 1, -1)
        return cells | self.border(outlines, width)

    def at(self, cells: Cells, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (n, 2), in px, lie in marked cells; False outside the window."""
        column, row = np.floor((points - [self.left, self.top]) / self.cell).astype(np.int64).T
        within = (column >= 0) & (row >= 0) & (column < self.shape[1]) & (row < self.shape[0])
        marked = np.zeros(len(points), bool)
        marked[within] = cells[row[within], column[within]] > 0
        return marked

    def _points(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        cells = np.clip((points - [self.left, self.top]) / self.cell - 0.5, -_FAR, _FAR)
        return np.rint(cells * (1 << _SHIFT)).astype(np.int32)


def signed_area(points: NDArray[np.float64]) -> float:
    """The area inside a closed polygon (n, 2); negative for one that runs the other way round."""
    x, y = points.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
