"""The `d` attribute read by the grammar of SVG 2, 9.3: anything that a public drawing may contain."""

import math
import re

import numpy as np

from .path import Contour

# Arguments of one group of each command.
ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBERS = re.compile(_NUMBER)
_RUN = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])([^MmZzLlHhVvCcSsQqTtAa]*)")
_ILLEGAL = re.compile(r"[^MmZzLlHhVvCcSsQqTtAa0-9eE.+\-\s,]")
_SEP = r"[\s,]*"
# The two flags of an arc are one digit each and may be glued to each other and to the next number.
_ARC = re.compile(
    _SEP.join(["", f"({_NUMBER})", f"({_NUMBER})", f"({_NUMBER})", "([01])", "([01])", f"({_NUMBER})", f"({_NUMBER})"])
)

Run = tuple[str, list[float]]
Point = tuple[float, float]


def read_runs(d: str) -> list[Run]:
    """Commands of path data in order: the letter and the numbers of whole argument groups.

    As renderers do, reading stops at the first error and keeps what came before it.
    """
    bad = _ILLEGAL.search(d)
    text = d[: bad.start()] if bad else d
    runs: list[Run] = []
    for letter, arguments in _RUN.findall(text):
        width = ARGUMENTS[letter.upper()]
        if not runs and letter not in "Mm":
            break
        if width == 0:
            runs.append((letter, []))
            continue
        values = _arc_values(arguments) if width == 7 else [float(number) for number in _NUMBERS.findall(arguments)]
        whole = len(values) // width * width
        if whole:
            runs.append((letter, values[:whole]))
        if whole == 0 or whole < len(values):
            break
    return runs


def count_segments(d: str) -> int:
    """Drawing commands: every argument group counts (M too), Z does not."""
    return sum(len(values) // ARGUMENTS[letter.upper()] for letter, values in read_runs(d) if values)


def read_contours(d: str) -> list[Contour]:
    """Path data as contours of lines and cubics; quadratics and arcs are converted (arcs within 0.03 %)."""
    pen = _Pen()
    for letter, values in read_runs(d):
        command, relative = letter.upper(), letter.islower()
        if command == "Z":
            pen.close()
            continue
        width = ARGUMENTS[command]
        for at in range(0, len(values), width):
            pen.draw("L" if command == "M" and at else command, values[at : at + width], relative)
    return pen.finish()


class _Pen:
    """Follows path data command by command and collects contours."""

    def __init__(self) -> None:
        self._contours: list[Contour] = []
        self._start: Point = (0.0, 0.0)
        self._at: Point = (0.0, 0.0)
        self._handle: Point = (0.0, 0.0)  # last control point, for S and T
        self._last = ""
        self._points: list[float] = []
        self._lines: list[bool] = []
        self._begun = False

    def draw(self, command: str, values: list[float], relative: bool) -> None:
        x, y = self._at if relative else (0.0, 0.0)
        if command == "M":
            self._flush(closed=False)
            self._start = self._at = (x + values[0], y + values[1])
            self._begun = True
        elif command == "L":
            self._line(x + values[0], y + values[1])
        elif command == "H":
            self._line(x + values[0], self._at[1])
        elif command == "V":
            self._line(self._at[0], y + values[0])
        elif command == "A":
            rx, ry, turn, large, sweep, dx, dy = values
            self._arc(rx, ry, turn, large != 0, sweep != 0, (x + dx, y + dy))
        else:
            self._curve(command, [value + (x, y)[i % 2] for i, value in enumerate(values)])
        self._last = command

    def close(self) -> None:
        self._flush(closed=True)
        self._at = self._start
        self._last = "Z"

    def finish(self) -> list[Contour]:
        self._flush(closed=False)
        return self._contours

    def _curve(self, command: str, p: list[float]) -> None:
        x, y = self._at
        mirrored = (2 * x - self._handle[0], 2 * y - self._handle[1])
        if command in "CS":
            if command == "S":
                p = [*(mirrored if self._last in ("C", "S") else self._at), *p]
            self._handle = (p[2], p[3])
            self._cubic(p)
            return
        if command == "T":
            p = [*(mirrored if self._last in ("Q", "T") else self._at), *p]
        qx, qy, ex, ey = p
        self._handle = (qx, qy)
        third = 2 / 3
        self._cubic(
            [x + third * (qx - x), y + third * (qy - y), ex + third * (qx - ex), ey + third * (qy - ey), ex, ey]
        )

    def _line(self, x: float, y: float) -> None:
        self._points += (x, y, x, y, x, y)
        self._lines.append(True)
        self._at = (x, y)

    def _cubic(self, p: list[float]) -> None:
        self._points += p
        self._lines.append(False)
        self._at = (p[4], p[5])

    def _arc(self, rx: float, ry: float, turn: float, large: bool, sweep: bool, end: Point) -> None:
        pieces = arc_to_cubics(self._at, rx, ry, turn, large, sweep, end)
        if not pieces:
            self._line(*end)
        for piece in pieces:
            self._cubic(piece)

    def _flush(self, *, closed: bool) -> None:
        if self._lines or (closed and self._begun):
            self._contours.append(
                Contour(
                    np.array(self._start),
                    np.array(self._points, float).reshape(-1, 3, 2),
                    np.array(self._lines, bool),
                    closed,
                )
            )
        self._points, self._lines, self._begun = [], [], False


def arc_to_cubics(
    start: Point, rx: float, ry: float, turn: float, large: bool, sweep: bool, end: Point
) -> list[list[float]]:
    """An elliptical arc (SVG 2, B.2.4 and B.2.5) as cubics of at most a quarter turn; none when it is a line."""
    rx, ry = abs(rx), abs(ry)
    if rx == 0 or ry == 0 or start == end:
        return []
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    hx, hy = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    ux, uy = (cos * hx + sin * hy) / rx, (cos * hy - sin * hx) / ry
    reach = math.hypot(ux, uy)
    if reach > 1:
        rx, ry, ux, uy, reach = rx * reach, ry * reach, ux / reach, uy / reach, 1.0
    away = math.sqrt(max(0.0, 1 / reach**2 - 1)) * (-1 if large == sweep else 1)
    cx, cy = away * uy, -away * ux  # centre in the circle's own units
    first = math.atan2(uy - cy, ux - cx)
    sweep_angle = math.atan2(-uy - cy, -ux - cx) - first
    if sweep and sweep_angle < 0:
        sweep_angle += 2 * math.pi
    elif not sweep and sweep_angle > 0:
        sweep_angle -= 2 * math.pi
    count = max(1, math.ceil(abs(sweep_angle) / (math.pi / 2) - 1e-9))
    step = sweep_angle / count
    arm = 4 / 3 * math.tan(step / 4)
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)

    def place(x: float, y: float) -> Point:
        x, y = x * rx, y * ry
        return (middle[0] + cos * x - sin * y, middle[1] + sin * x + cos * y)

    pieces = []
    for index in range(count):
        a, b = first + index * step, first + (index + 1) * step
        one = place(cx + math.cos(a) - arm * math.sin(a), cy + math.sin(a) + arm * math.cos(a))
        two = place(cx + math.cos(b) + arm * math.sin(b), cy + math.sin(b) - arm * math.cos(b))
        last = end if index == count - 1 else place(cx + math.cos(b), cy + math.sin(b))
        pieces.append([*one, *two, *last])
    return pieces


def _arc_values(text: str) -> list[float]:
    values: list[float] = []
    position = 0
    while (match := _ARC.match(text, position)) is not None:
        values.extend(map(float, match.groups()))
        position = match.end()
    return values
