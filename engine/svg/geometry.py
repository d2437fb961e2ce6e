"""Affine matrices and the geometry of contours: transforms, bounds, outlines, clean-up on the grid of a file."""

import math
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .path import Contour

# SVG's a b c d e f: x' = a x + c y + e, y' = b x + d y + f.
Matrix = tuple[float, float, float, float, float, float]
Bounds = tuple[float, float, float, float]  # left, top, right, bottom
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_FUNCTION = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^)]*)\)")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_STRAIGHT = 1e-9  # of a line's length: what is off by less lies on it
_MOST_STEPS = 512  # of one curve: as many as a circle with a radius of 20 000 px needs for 0.04 px
_SAMPLES = np.linspace(0, 1, 9)[1:]
_BERNSTEIN = np.stack(
    [(1 - _SAMPLES) ** 3, 3 * (1 - _SAMPLES) ** 2 * _SAMPLES, 3 * (1 - _SAMPLES) * _SAMPLES**2, _SAMPLES**3], axis=1
)


def multiply(outer: Matrix, inner: Matrix) -> Matrix:
    """The matrix that applies `inner` first, then `outer`."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s, a * t + c * u + e, b * t + d * u + f)


def apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    """The point after the transform."""
    a, b, c, d, e, f = matrix
    return (a * x + c * y + e, b * x + d * y + f)


def read_transform(text: str) -> Matrix:
    """A `transform` attribute; functions that cannot be read are left out."""
    matrix = IDENTITY
    for name, arguments in _FUNCTION.findall(text):
        matrix = multiply(matrix, _function(name, [float(number) for number in _NUMBER.findall(arguments)]))
    return matrix


def _function(name: str, values: list[float]) -> Matrix:
    count = len(values)
    if name == "matrix" and count == 6:
        return (values[0], values[1], values[2], values[3], values[4], values[5])
    if name == "translate" and count in (1, 2):
        return (1.0, 0.0, 0.0, 1.0, values[0], values[1] if count == 2 else 0.0)
    if name == "scale" and count in (1, 2):
        return (values[0], 0.0, 0.0, values[-1], 0.0, 0.0)
    if name == "rotate" and count in (1, 3):
        cos, sin = math.cos(math.radians(values[0])), math.sin(math.radians(values[0]))
        x, y = values[1:] if count == 3 else (0.0, 0.0)
        return (cos, sin, -sin, cos, x - cos * x + sin * y, y - sin * x - cos * y)
    if name == "skewX" and count == 1:
        return (1.0, 0.0, math.tan(math.radians(values[0])), 1.0, 0.0, 0.0)
    if name == "skewY" and count == 1:
        return (1.0, math.tan(math.radians(values[0])), 0.0, 1.0, 0.0, 0.0)
    return IDENTITY


def scale_of(matrix: Matrix) -> float:
    """By how much lengths grow, as the root of the area's growth (exact when both axes grow alike)."""
    a, b, c, d, _, _ = matrix
    return math.sqrt(abs(a * d - b * c))


def is_similarity(matrix: Matrix, tolerance: float = 1e-6) -> bool:
    """Whether circles stay circles."""
    a, b, c, d, _, _ = matrix
    size = math.hypot(a, b) + math.hypot(c, d)
    return abs(math.hypot(a, b) - math.hypot(c, d)) <= tolerance * size and abs(a * c + b * d) <= tolerance * size**2


def transformed(contour: Contour, matrix: Matrix) -> Contour:
    """The contour after the transform."""
    if matrix == IDENTITY:
        return contour
    a, b, c, d, e, f = matrix
    linear, shift = np.array([[a, b], [c, d]]), np.array([e, f])
    return Contour(contour.start @ linear + shift, contour.curves @ linear + shift, contour.lines, contour.closed)


def outline(contour: Contour) -> NDArray[np.float64]:
    """(n, 2) points along the contour, eight to a curve."""
    starts = _starts(contour.start, contour.curves)
    points = np.einsum("sk,nkd->nsd", _BERNSTEIN, np.concatenate([starts[:, None], contour.curves], axis=1))
    keep = np.ones(points.shape[:2], bool)
    keep[contour.lines, :-1] = False
    points[contour.lines, -1] = contour.curves[contour.lines, 2]
    return np.concatenate([contour.start[None], points[keep]])


def flattened(contour: Contour, tolerance: float) -> NDArray[np.float64]:
    """(n, 2) points along the contour; the lines between them are within `tolerance` of it, in its units.

    A cubic in n steps is off by at most 3/4 of its largest second difference of control points over n squared (the
    error of linear interpolation, an eighth of its second derivative). Curves that would need more than 512 steps
    get 512.
    """
    control = np.concatenate([_starts(contour.start, contour.curves)[:, None], contour.curves], axis=1)
    bend = np.linalg.norm(np.diff(control, 2, axis=1), axis=2).max(axis=1)
    steps = np.clip(np.ceil(np.sqrt(0.75 * bend / tolerance)), 1, _MOST_STEPS)
    counts = np.where(contour.lines, 1, steps).astype(np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    step = np.arange(1, len(owner) + 1) - (np.cumsum(counts) - counts)[owner]
    t = (step / counts[owner])[:, None]
    basis = np.concatenate([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], axis=1)
    return np.concatenate([contour.start[None], np.einsum("ik,ikd->id", basis, control[owner])])


def bounds(contours: tuple[Contour, ...]) -> Bounds | None:
    """The box around all contours (curves: within 0.1 % of their own size); None when there is no point."""
    if not contours:
        return None
    points = np.concatenate([outline(contour) for contour in contours])
    low, high = points.min(axis=0), points.max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def encloses(contours: Iterable[Contour]) -> bool:
    """Whether there is anything inside: False for points, and for lines that are straight, there and back."""
    return any(_has_breadth(np.concatenate([contour.start[None], _handles(contour)])) for contour in contours)


def _handles(contour: Contour) -> NDArray[np.float64]:
    used = np.ones(contour.curves.shape[:2], bool)
    used[contour.lines, :2] = False
    return contour.curves[used]


def _has_breadth(points: NDArray[np.float64]) -> bool:
    away = points - points[0]
    length = np.hypot(away[:, 0], away[:, 1])
    far = int(length.argmax())
    aside = np.abs(away[:, 0] * away[far, 1] - away[:, 1] * away[far, 0])
    return bool(aside.max() > _STRAIGHT * length[far] ** 2)


def tidied(contours: tuple[Contour, ...], decimals: int, *, stroked: bool) -> tuple[Contour, ...]:
    """Contours on the grid of `decimals` digits, without what the grid made useless.

    Curves that are straight within half a grid step become lines, lines in one direction become one,
    segments without length go, and so does, unless `stroked`, a contour without area.
    """
    step = 10**decimals
    tidy = (_tidied(contour, step, stroked) for contour in contours)
    return tuple(contour for contour in tidy if contour is not None)


def _tidied(contour: Contour, step: int, stroked: bool) -> Contour | None:
    start = np.rint(contour.start * step)
    curves = np.rint(contour.curves * step)
    before = _starts(start, curves)
    lines = contour.lines | _straight(before, curves)
    moves = np.where(lines, (curves[:, 2] != before).any(axis=1), (curves != before[:, None]).any(axis=(1, 2)))
    if not (stroked and not moves.any()):  # a stroked point is a dot
        curves, lines, before = curves[moves], lines[moves], before[moves]
    keep = ~_goes_on(before, curves, lines)
    curves, lines = curves[keep], lines[keep]
    if contour.closed and len(curves) > 1 and lines[-1] and (curves[-1, 2] == start).all():
        curves, lines = curves[:-1], lines[:-1]
    if len(curves) == 0 or (not stroked and len(curves) == 1 and lines[0]):
        return None
    return Contour(start / step, curves / step, lines, contour.closed)


def _starts(start: NDArray[np.float64], curves: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([start[None], curves[:-1, 2]]) if len(curves) else np.empty((0, 2))


def _straight(before: NDArray[np.float64], curves: NDArray[np.float64]) -> NDArray[np.bool_]:
    chord = curves[:, 2] - before
    length = np.hypot(chord[:, 0], chord[:, 1])
    handles = curves[:, :2] - before[:, None]
    aside = np.abs(handles[..., 0] * chord[:, None, 1] - handles[..., 1] * chord[:, None, 0])
    along = (handles * chord[:, None]).sum(axis=2)
    within = (along >= 0) & (along <= length[:, None] ** 2) & (aside <= 0.5 * length[:, None])
    return within.all(axis=1) & (length > 0)


def _goes_on(before: NDArray[np.float64], curves: NDArray[np.float64], lines: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for a line whose next one continues in exactly its direction: its end point says nothing."""
    way = curves[:, 2] - before
    redundant = np.zeros(len(curves), bool)
    if len(curves) > 1:
        cross = way[:-1, 0] * way[1:, 1] - way[:-1, 1] * way[1:, 0]
        redundant[:-1] = lines[:-1] & lines[1:] & (cross == 0) & ((way[:-1] * way[1:]).sum(axis=1) > 0)
    return redundant
