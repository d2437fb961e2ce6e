"""The square in which the network sees a picture, and the way back from its canvas to the picture."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...color.spaces import hex_to_rgb, rgb_to_hex
from ...raster.alpha import flatten
from ...raster.resize import resize_lanczos
from ...svg.document import Drawing, Shape
from ...svg.geometry import Matrix, bounds, transformed
from ...svg.path import Contour
from .vocabulary import SIDE as CANVAS

SIDE = 448  # px of the square that OmniSVG was trained on
WHITE = "#FFFFFF"
_PLAIN = 0.75  # of the border that a plain ground covers, as in svg/background.py
_ALIKE = 30  # distance in RGB bytes within which a pixel is of the ground (official pre-processing)
_BRIGHT = 240  # mean byte above which a border counts as white already (official pre-processing)
_OWN_WHITE = 0.002  # share of the square: a figure of 20 x 20 px
_LEVEL = 1e-9  # px between the ends of a line that is level or upright


@dataclass(frozen=True)
class Placement:
    """Where a picture of `width` x `height` px lies in its square: centred, in whole pixels."""

    width: int
    height: int

    @property
    def side(self) -> int:
        """Of the square, in pixels of the picture."""
        return max(self.width, self.height)

    @property
    def left(self) -> int:
        """Padding before the first column."""
        return (self.side - self.width) // 2

    @property
    def top(self) -> int:
        """Padding above the first row."""
        return (self.side - self.height) // 2


@dataclass(frozen=True)
class Square:
    """pixels: (448, 448, 3) uint8. whitened: '#RRGGBB' of the ground that was made white, None when none was."""

    pixels: NDArray[np.uint8]
    placement: Placement
    whitened: str | None = None


def square(rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None = None, ground_to_white: bool = False) -> Square:
    """The picture (H, W, 3) with alpha (H, W), 1 = opaque, as the network sees it.

    Over white, since the network learned from drawings on white. Padded to a square, not stretched: circles stay
    circles. The padding has the colour of the picture's plain ground, else it is white: a coloured ground then
    reaches to the edge of the canvas, as grounds do in the drawings it learned from, rather than being a band whose
    edges, on a grid of 200, would leave slivers beside the cropped picture.
    ground_to_white: a plain ground whose border is not brighter than 240 of 255 becomes white, everywhere where a
    pixel is within 30 of its colour; not where the picture has white of its own, which would be lost on it.
    Resized by the mean over the area when larger, which is how a renderer would have drawn it at this size.
    """
    flat = flatten(rgb, alpha)
    height, width = flat.shape[:2]
    placement = Placement(width, height)
    rim = _rim(flat)
    ground = _plain_ground(rim)
    pixels = _fitted(flat, placement, hex_to_rgb((ground or WHITE,))[0])
    if not ground_to_white or ground is None or rim.mean() > _BRIGHT:
        return Square(pixels, placement)
    row = pixels.reshape(-1, 3)
    if _alike(row, hex_to_rgb((WHITE,))[0]).mean() > _OWN_WHITE:
        return Square(pixels, placement)
    alike = _alike(row, hex_to_rgb((ground,))[0]).reshape(SIDE, SIDE, 1)
    return Square(np.where(alike, np.uint8(255), pixels), placement, ground)


def unsquare(drawing: Drawing, width: int, height: int, ground: str | None = None) -> Drawing:
    """A drawing of the square, on the 200 x 200 canvas, in the coordinates of the picture of `width` x `height` px.

    One scale for both axes, moved so that the padding lies outside; contours that lie there entirely are left out
    and rectangles (all outlines of level and upright lines) are cut at the picture's border. What ends at 199, the
    grid's last line, goes on to the canvas's edge, see `to_the_edge`.
    ground: '#RRGGBB' laid under everything, for a picture whose ground was made white.
    """
    placement = Placement(width, height)
    scale = placement.side / drawing.width
    matrix: Matrix = (scale, 0.0, 0.0, scale, -placement.left, -placement.top)
    page = np.array([width, height], np.float64)
    shapes = [] if ground is None else [Shape((_rectangle(page),), ground)]
    for shape in to_the_edge(drawing).shapes:
        placed = (_cut(transformed(contour, matrix), page) for contour in shape.contours)
        contours = tuple(contour for contour in placed if contour is not None)
        if contours:
            shapes.append(replace(shape, contours=contours))
    return Drawing(width, height, tuple(shapes))


def to_the_edge(drawing: Drawing) -> Drawing:
    """The drawing with every coordinate of 199 moved to 200.

    The grid of the tokens has no 200: a ground that fills the canvas can only be written to end at 199, and would
    leave a line of 0.5 % bare on the right and at the bottom.
    """
    shapes = (replace(shape, contours=tuple(map(_to_the_edge, shape.contours))) for shape in drawing.shapes)
    return replace(drawing, shapes=tuple(shapes))


def _fitted(picture: NDArray[np.uint8], placement: Placement, color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # The long axis first: padding a strip of 16384 x 10 at full size would take 800 MB.
    wide = placement.width >= placement.height
    size = (SIDE, placement.height) if wide else (placement.width, SIDE)
    strip = resize_lanczos(picture, *size)
    padded = np.empty((placement.side, SIDE, 3) if wide else (SIDE, placement.side, 3), np.uint8)
    padded[:] = color
    top, left = (placement.top, 0) if wide else (0, placement.left)
    padded[top : top + strip.shape[0], left : left + strip.shape[1]] = strip
    return resize_lanczos(padded, SIDE, SIDE)


def _plain_ground(rim: NDArray[np.uint8]) -> str | None:
    colors, counts = np.unique(rim, axis=0, return_counts=True)
    commonest = colors[counts.argmax()]
    return rgb_to_hex(commonest[None])[0] if _alike(rim, commonest).mean() >= _PLAIN else None


def _alike(pixels: NDArray[np.uint8], color: NDArray[np.uint8]) -> NDArray[np.bool_]:
    away = pixels.astype(np.int32) - color
    return (away**2).sum(axis=1) <= _ALIKE**2


def _rim(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]])


def _rectangle(page: NDArray[np.float64]) -> Contour:
    return Contour.polygon(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * page)


def _to_the_edge(contour: Contour) -> Contour:
    start, curves = (np.where(points == CANVAS - 1, CANVAS, points) for points in (contour.start, contour.curves))
    return Contour(start.astype(np.float64), curves.astype(np.float64), contour.lines, contour.closed)


def _cut(contour: Contour, page: NDArray[np.float64]) -> Contour | None:
    """The contour as far as it matters inside the page (width, height): None when it lies beside it."""
    box = bounds((contour,))
    if box is None or box[2] <= 0 or box[3] <= 0 or box[0] >= page[0] or box[1] >= page[1]:
        return None
    points = np.concatenate([contour.start[None], contour.curves[:, 2], contour.start[None]])
    if not contour.lines.all() or not (np.abs(np.diff(points, axis=0)) < _LEVEL).any(axis=1).all():
        return contour
    # Moving points of such lines straight onto the page turns them around no point inside it.
    return Contour(np.clip(contour.start, 0, page), np.clip(contour.curves, 0, page), contour.lines, contour.closed)
