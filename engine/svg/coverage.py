"""Which cells of a coarse grid a shape touches, as bits of one integer: cheap to hold, and, or and count."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .flatten import Painted
from .geometry import outline
from .path import Contour

CELLS = 512  # along the longest side
_SHIFT = 4  # OpenCV's sub-pixel bits
_FAR = 8.0  # canvases; what lies farther out is cut there, so that the fixed-point numbers do not overflow


@dataclass(frozen=True)
class Footprint:
    """cells: bits of the grid. box: left, top, right, bottom in cells, right and bottom exclusive."""

    cells: int
    box: tuple[int, int, int, int]


class Grid:
    """A grid over a canvas of `width` x `height` user units."""

    def __init__(self, width: float, height: float) -> None:
        self._scale = CELLS / max(width, height)
        self._size = (max(1, round(width * self._scale)), max(1, round(height * self._scale)))
        ring = np.ones(self._size[::-1], np.uint8)
        ring[1:-1, 1:-1] = 0
        self.ring = _bits(ring)

    def touched(self, item: Painted) -> Footprint:
        """Every cell that the shape can reach when it is drawn, and one more around: never too few."""
        cells = self._filled(item.contours, even_odd=item.get("fill-rule") == "evenodd")
        width = float(item.get("stroke-width", "0"))
        if width:
            thickness = int(np.ceil(width * self._scale * self._miter(item))) + 1
            lines = [self._points(outline(contour)) for contour in item.contours]
            cv2.polylines(cells, lines, False, 1, min(thickness, 255), cv2.LINE_8, _SHIFT)
        return _footprint(np.asarray(cv2.dilate(cells, np.ones((3, 3), np.uint8)), np.uint8))

    def covered(self, contours: Sequence[Contour]) -> int:
        """Cells inside the contours by the even-odd rule, the cells of the outline included."""
        return _bits(self._filled(contours, even_odd=True))

    def inner(self, contours: Sequence[Contour]) -> int:
        """Cells well inside the contours: three cells away from the outline and from everything outside."""
        cells = cv2.erode(self._filled(contours, even_odd=True), np.ones((7, 7), np.uint8))
        return _bits(np.asarray(cells, np.uint8))

    def _filled(self, contours: Sequence[Contour], *, even_odd: bool) -> NDArray[np.uint8]:
        cells = np.zeros(self._size[::-1], np.uint8)
        polygons = [self._points(outline(contour)) for contour in contours]
        for group in [polygons] if even_odd else [[polygon] for polygon in polygons]:
            cv2.fillPoly(cells, group, 1, cv2.LINE_8, _SHIFT)
        return cells

    def _points(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        limit = _FAR * CELLS
        cells = np.clip(points * self._scale - 0.5, -limit, limit)
        return np.rint(cells * (1 << _SHIFT)).astype(np.int32)

    @staticmethod
    def _miter(item: Painted) -> float:
        # A mitred corner reaches out by at most the miter limit (4 by default).
        return float(item.get("stroke-miterlimit", "4")) if item.get("stroke-linejoin", "miter") == "miter" else 1.0


def share_of(part: int, whole: int) -> float:
    """How much of the cells of `whole` are in `part`, 0..1."""
    return (part & whole).bit_count() / whole.bit_count()


def _footprint(cells: NDArray[np.uint8]) -> Footprint:
    left, top, width, height = cv2.boundingRect(cells)
    return Footprint(_bits(cells), (left, top, left + width, top + height))


def _bits(cells: NDArray[np.uint8]) -> int:
    return int.from_bytes(np.packbits(cells).tobytes(), "big")
