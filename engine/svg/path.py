"""Path geometry: closed or open contours of straight lines and cubic Béziers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Contour:
    """One subpath.

    start: (2,) float64, x and y in user units.
    curves: (n, 3, 2) float64; for each segment the two control points and the end point.
    lines: (n,) bool; True where the segment is straight (its control points are then ignored).
    closed: whether the last point joins the first.
    """

    start: NDArray[np.float64]
    curves: NDArray[np.float64]
    lines: NDArray[np.bool_]
    closed: bool = True

    @classmethod
    def polygon(cls, points: NDArray[np.float64], *, closed: bool = True) -> "Contour":
        """A contour of straight lines through `points` (n >= 2, 2); a repeated last point is not needed."""
        ends = points[1:]
        return cls(
            points[0].astype(np.float64),
            np.repeat(ends[:, None, :].astype(np.float64), 3, axis=1),
            np.ones(len(ends), bool),
            closed,
        )

    def scaled(self, sx: float, sy: float) -> "Contour":
        """The contour with x multiplied by `sx` and y by `sy`."""
        factor = np.array([sx, sy])
        return Contour(self.start * factor, self.curves * factor, self.lines, self.closed)

    @property
    def segments(self) -> int:
        """Drawing commands that this contour costs: its M and every L or C; Z is free."""
        return 1 + len(self.curves)


def path_data(contours: tuple[Contour, ...], decimals: int) -> str:
    """The `d` attribute: relative commands, rounded so that rounding errors do not add up.

    decimals: digits after the point, 0..6.
    """
    step = 10**decimals
    parts: list[str] = []
    pen = np.zeros(2, np.int64)
    for contour in contours:
        start = np.rint(contour.start * step).astype(np.int64)
        parts.append("m" + _numbers(start - pen, decimals) if parts else "M" + _numbers(start, decimals))
        pen, command = start, ""
        for points, is_line in zip(np.rint(contour.curves * step).astype(np.int64), contour.lines, strict=True):
            delta = points - pen
            letter, text = _command(delta, bool(is_line), decimals)
            if letter != command:
                parts.append(letter + text)
            else:
                parts.append(text if text.startswith("-") else " " + text)
            command, pen = letter, points[2]
        if contour.closed:
            parts.append("z")
            pen = start
    return "".join(parts)


def _command(delta: NDArray[np.int64], is_line: bool, decimals: int) -> tuple[str, str]:
    if not is_line:
        return "c", _numbers(delta.reshape(-1), decimals)
    dx, dy = delta[2]
    if dy == 0:
        return "h", _numbers(delta[2][:1], decimals)
    if dx == 0:
        return "v", _numbers(delta[2][1:], decimals)
    return "l", _numbers(delta[2], decimals)


def _numbers(values: NDArray[np.int64], decimals: int) -> str:
    text = ""
    for value in values.tolist():
        number = _number(value, decimals)
        text += number if not text or number.startswith("-") else " " + number
    return text


def _number(scaled: int, decimals: int) -> str:
    sign, digits = ("-" if scaled < 0 else ""), str(abs(scaled)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + digits
    whole, fraction = digits[:-decimals], digits[-decimals:].rstrip("0")
    whole = whole.lstrip("0") or ("" if fraction else "0")
    return f"{sign}{whole}{'.' + fraction if fraction else ''}"
