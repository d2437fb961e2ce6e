"""From tokens to a drawing: any stream of ids is read, whatever it is worth.

Grammar of OmniSVG 1.1 (absolute coordinates on the 200 x 200 canvas):

    M p1 p2       the pen goes to p2; p1, where it came from, says nothing new
    L p           a line
    C c1 c2 p     a cubic
    A r t f g p   an arc: the radii as one point, rotation in degrees, large and sweep (0 is no, all else yes), end
    Z p           back to p, where the subpath began; a pen that is elsewhere draws a line to p first
    colour        ends the path: all its subpaths make one compound shape, filled by the nonzero rule

A generator under the grammar never needs the rules for what is wrong, anything else does:

* Ends, text and unknown ids are skipped wherever they stand.
* A command whose next word is of the wrong kind is dropped as a whole, and reading goes on at that word. So a tail
  that is cut off is dropped, and a point or scalar that no command asked for is skipped.
* A path begins at its first M; what comes before it is ignored. After Z the pen is where its subpath began.
* A path without a colour at the end of the stream is black, and so is `currentColor`; one of no colour is dropped.
"""

from collections.abc import Sequence

import numpy as np

from ...svg.document import Drawing, Shape
from ...svg.path import Contour
from ...svg.pathdata import arc_to_cubics
from .vocabulary import COMMANDS, SHADES, SIDE, Kind, Vocabulary

ARGUMENTS: dict[str, tuple[Kind, ...]] = {
    "M": ("point", "point"),
    "L": ("point",),
    "C": ("point", "point", "point"),
    "A": ("point", "scalar", "scalar", "scalar", "point"),
    "Z": ("point",),
}
_UNPAINTED, _CURRENT, _FIRST_RGB = 0, 1, 2  # what Vocabulary.read says of a colour
_BLACK = "#000000"
_STEP = 255 // (SHADES - 1)  # a channel of 4 bits, n, is n * 17

Point = tuple[float, float]


def decode(tokens: Sequence[int], vocabulary: Vocabulary) -> Drawing:
    """The drawing (200 x 200) that a stream of token ids says; never an error, at worst a drawing without shapes."""
    words = [word for word in (vocabulary.read(int(token)) for token in tokens) if word[0] not in ("end", "other")]
    paths = _Paths()
    at = 0
    while at < len(words):
        kind, value = words[at]
        at += 1
        if kind == "color":
            paths.end(_fill(value))
        elif kind == "command":
            letter = COMMANDS[value]
            wanted = ARGUMENTS[letter]
            fitting = 0
            while fitting < len(wanted) and at < len(words) and words[at][0] == wanted[fitting]:
                fitting, at = fitting + 1, at + 1
            if fitting == len(wanted):
                paths.draw(letter, [value for _, value in words[at - fitting : at]])
    paths.end(_BLACK)
    return Drawing(SIDE, SIDE, tuple(paths.shapes))


def _fill(value: int) -> str | None:
    if value == _UNPAINTED:
        return None
    if value == _CURRENT:
        return _BLACK
    rgb = value - _FIRST_RGB
    return "#" + bytes(_STEP * (rgb >> shift & SHADES - 1) for shift in (8, 4, 0)).hex().upper()


class _Paths:
    """Follows the commands and collects the shapes that are done."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self._contours: list[Contour] = []
        self._pen: Point | None = None  # None: no M since the last colour
        self._start: Point = (0.0, 0.0)
        self._curves: list[list[float]] = []
        self._lines: list[bool] = []

    def draw(self, letter: str, values: list[int]) -> None:
        """One whole command with the values of its words."""
        if letter == "M":
            self._finish(closed=False)
            self._start = self._pen = _point(values[1])
        elif self._pen is None:
            return
        elif letter == "L":
            self._line(_point(values[0]))
        elif letter == "C":
            self._cubic([number for value in values for number in _point(value)])
        elif letter == "A":
            self._arc(self._pen, values)
        else:
            if self._pen != _point(values[0]):
                self._line(_point(values[0]))
            self._finish(closed=True)
            self._pen = self._start

    def end(self, fill: str | None) -> None:
        """A colour, or None for a path that is not painted."""
        self._finish(closed=False)
        if self._contours and fill is not None:
            self.shapes.append(Shape(tuple(self._contours), fill, rule="nonzero"))
        self._contours, self._pen = [], None

    def _arc(self, pen: Point, values: list[int]) -> None:
        (rx, ry), end = _point(values[0]), _point(values[4])
        pieces = arc_to_cubics(pen, rx, ry, values[1], values[2] != 0, values[3] != 0, end)
        if not pieces and pen != end:
            self._line(end)
        for piece in pieces:
            self._cubic(piece)

    def _line(self, end: Point) -> None:
        self._curves.append([*end, *end, *end])
        self._lines.append(True)
        self._pen = end

    def _cubic(self, numbers: list[float]) -> None:
        self._curves.append(numbers)
        self._lines.append(False)
        self._pen = (numbers[4], numbers[5])

    def _finish(self, *, closed: bool) -> None:
        if self._curves:
            curves = np.array(self._curves, np.float64).reshape(-1, 3, 2)
            self._contours.append(Contour(np.array(self._start), curves, np.array(self._lines, bool), closed))
        self._curves, self._lines = [], []


def _point(value: int) -> Point:
    y, x = divmod(value, SIDE)
    return (float(x), float(y))
