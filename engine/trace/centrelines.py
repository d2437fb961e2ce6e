"""Lines through the middle of the thin parts of an area: what a pen would have drawn."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from ..progress import Progress, part, silent
from ..svg.geometry import flattened
from ..svg.path import Contour
from .cubics import resample
from .open_fit import fit_lines
from .skeleton import Line, Node, Points, skeleton_lines
from .widths import across, normals

SHARE = 0.0125  # of the picture's longest side: wider parts are areas, not lines
LEAST = 6.0  # px: but a line may be this wide in a small picture
_THINNEST = 1.5  # px: what is thinner is a seam between two areas
_LONG = 4.0  # widths: a shorter stroke is a spot
_JOINED = 1.5  # widths: the same for one that ends at a junction
_EVEN = (1.5, 0.3)  # px, and share of the width, by which the width may vary along a line
_WEDGE = 0.4  # of the width: what grows by more from one end to the other is no line
_HOLD = 0.01  # weight of the skeleton's junction beside the lines that meet there
_GAP = 1.5  # widths: how far it may do otherwise, as where another line meets it
_CROSSING = 1.6  # times the limit: where lines meet, the area is wider than each of them
_MARGIN = 2.0  # px around the thin parts that the skeleton needs to see
_OVER = (1.0, 0.1)  # px, and share of half the width, by which a line may stand out of its area
_FLAT = 0.05  # px: how far the points that are looked at may be from the drawn curve
_BEFORE = 8  # points from which the direction before a gap is taken
_STEP = 0.25  # px, in which the tip is looked for
_FULL = 0.7  # of half the width: a line ends where the area no longer is so wide


@dataclass(frozen=True)
class Centreline:
    """contour: open, or closed for a ring, in px, (0, 0) = the corner of the first pixel. width: measured, in px.
    length: in px."""

    contour: Contour
    width: float
    length: float


@dataclass(frozen=True, eq=False)
class _Stroke:
    """Points (n, 2) along the middle; first, last: the junctions that they still have to be led to."""

    points: Points
    width: float
    closed: bool = False
    first: Node | None = None
    last: Node | None = None


def centrelines(area: NDArray[np.bool_], limit: float, progress: Progress = silent) -> list[Centreline]:
    """The lines of an area (H, W): its parts that are at most `limit` px wide and at least four times as long.

    Thin is what an opening by a disk takes away (of 1.6 times that width: crossings are wider). The skeleton there
    (Zhang and Suen, 1984) gives the course; place and width are then measured across it, to a fraction of a pixel.
    The width is the median, and must be about the same along the whole line: a wedge is no line. Free ends reach
    to the tip.
    """
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if not len(rows):
        return []
    margin = int(np.ceil(_CROSSING * limit)) + 2
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    area = area[top : int(rows[-1]) + margin + 1, left : int(columns[-1]) + margin + 1]
    progress(0.01)
    distance = _distance(area)
    progress(0.03)
    radius = _CROSSING * limit / 2
    thin = _thin(area, distance, radius, progress)
    if not thin.any():
        return []
    progress(0.11)
    near = _distance(~thin) <= radius + _MARGIN
    progress(0.12)
    lines = skeleton_lines(_skeleton(area & near, part(progress, 0.12, 0.4)) & thin, distance)
    progress(0.4)
    strokes: list[_Stroke] = []
    inked = area.astype(np.float32)
    for number, line in enumerate(lines):
        progress(0.4 + 0.3 * number / len(lines))
        strokes += _strokes(line, inked, limit)
    tried = _drawn(_met(strokes), part(progress, 0.7, 0.9))
    allowed = [_within(stroke, contour, inked) for stroke, contour in tried]
    drawn = [pair for pair, left in zip(tried, allowed, strict=True) if left == [pair[0]]]
    cut = [stroke for pair, left in zip(tried, allowed, strict=True) if left != [pair[0]] for stroke in left]
    drawn += _drawn(cut, part(progress, 0.9, 1.0))
    progress(1.0)
    shift = np.array([left + 0.5, top + 0.5])
    return [
        Centreline(_moved(contour, shift), stroke.width, _length(stroke.points, closed=stroke.closed))
        for stroke, contour in drawn
    ]


def _thin(
    area: NDArray[np.bool_], distance: NDArray[np.float32], radius: float, progress: Progress
) -> NDArray[np.bool_]:
    core = distance > radius
    progress(0.05)
    if not core.any():
        return area
    opened = _distance(~core) <= radius
    progress(0.09)
    return area & ~opened


def _skeleton(area: NDArray[np.bool_], progress: Progress) -> NDArray[np.bool_]:
    """Part by part: each costs its box times its thickness."""
    amount, labels, stats, _ = cv2.connectedComponentsWithStats(area.astype(np.uint8), connectivity=8)
    progress(0.0)
    out = np.zeros_like(area)
    for number in range(1, amount):
        progress(number / amount)
        left, top, width, height, _ = stats[number]
        box = np.s_[top : top + height, left : left + width]
        out[box] |= skeletonize(np.asarray(labels)[box] == number)
    return out


def _distance(area: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(cv2.distanceTransform(area.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def _strokes(line: Line, inked: NDArray[np.float32], limit: float) -> list[_Stroke]:
    """The line moved into the middle, where it is one: its parts of even width."""
    points = np.concatenate([line.points, line.points[:1]]) if line.closed else line.points
    count = round(_length(points, closed=False)) + 1
    if count < 4:
        return []
    middle, width = across(resample(points, count), inked, limit, closed=line.closed)
    measured = np.isfinite(width)
    typical = float(np.median(width[measured])) if measured.sum() >= 3 else 0.0
    if not _THINNEST <= typical <= limit:
        return []
    even = measured & (np.abs(width - typical) <= max(_EVEN[0], _EVEN[1] * typical))
    found = []
    for first, last in _runs(even, round(_GAP * typical), closed=line.closed):
        index = np.arange(first, last + 1)
        index = index[even[index % count]]
        whole = line.closed and last - first == count - 1
        course = _filled(middle[index % count], index, count - 1 if whole else 0)
        stroke = _finished(course, width[index % count], line, (first, count - 1 - last), whole, inked)
        if stroke is not None:
            found.append(stroke)
    return found


def _finished(
    middle: Points,
    widths: NDArray[np.float64],
    line: Line,
    missing: tuple[int, int],
    whole: bool,
    inked: NDArray[np.float32],
) -> _Stroke | None:
    """One stroke, smooth and drawn out to its tips; None for what is too short, or a wedge. missing: points of the
    line before and after it."""
    width = float(np.median(widths))
    course = _smooth(middle, round(width / 2), closed=whole)
    if whole:
        return _Stroke(course, width, closed=True) if _length(course, closed=True) >= _LONG * width else None
    if len(widths) < 3 or abs(np.polyfit(np.linspace(-0.5, 0.5, len(widths)), widths, 1)[0]) > _WEDGE * width:
        return None
    near = _GAP * width + 1
    first = line.first if line.first is not None and missing[0] <= near + line.first.radius else None
    last = line.last if line.last is not None and missing[1] <= near + line.last.radius else None
    course = course if first is not None else _to_tip(course, width, inked)
    course = course if last is not None else _to_tip(course[::-1], width, inked)[::-1]
    enough = _LONG if first is last is None else _JOINED
    return _Stroke(course, width, False, first, last) if _length(course, closed=False) >= enough * width else None


def _runs(flags: NDArray[np.bool_], gap: int, *, closed: bool) -> list[tuple[int, int]]:
    """First and last index of every run of True, gaps up to `gap` allowed. On a ring last may pass its end, and a run
    without a break is (0, count - 1)."""
    at = np.flatnonzero(flags)
    if not len(at):
        return []
    if closed:
        breaks = np.flatnonzero(np.diff(at, append=at[0] + len(flags)) > gap + 1)
        if not len(breaks):
            return [(0, len(flags) - 1)]
        at = np.concatenate([at[breaks[0] + 1 :], at[: breaks[0] + 1] + len(flags)])
    pieces = np.split(at, np.flatnonzero(np.diff(at) > gap + 1) + 1)
    return [(int(piece[0]), int(piece[-1])) for piece in pieces]


def _filled(points: Points, index: NDArray[np.int64], around: int) -> Points:
    """Points (n, 2) with those that are missing between their indices, on curves that go on as the points do (cubic
    Hermite splines). around: the length of a ring, which begins again after its last point; 0 for an open line."""
    if around:
        points, index = np.concatenate([points, points[:1]]), np.append(index, index[0] + around)
    out, at = [], 0
    for gap in np.flatnonzero(np.diff(index) > 2).tolist():
        out.append(points[at : gap + 1])
        at = gap + 1
        start, end = points[gap], points[at]
        chord = end - start
        ways = [start - points[max(0, gap - _BEFORE)], points[min(len(points) - 1, at + _BEFORE)] - end]
        speeds = [way / max(float(np.linalg.norm(way)), 1e-9) * float(np.linalg.norm(chord)) for way in ways]
        steps = int(index[at] - index[gap])
        t = (np.arange(1, steps) / steps)[:, None]
        curve = start + t**2 * (3 - 2 * t) * chord + t * (1 - t) ** 2 * speeds[0] - t**2 * (1 - t) * speeds[1]
        out.append(curve)
    out.append(points[at:])
    filled = np.concatenate(out)
    return filled[:-1] if around else filled


def _smooth(points: Points, reach: int, *, closed: bool) -> Points:
    """A moving average over 2 reach + 1 points that leaves straight lines and their ends where they are."""
    reach = min(max(1, reach), 4, (len(points) - 1) // 2)
    if reach < 1:
        return points
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    if closed:
        around = np.concatenate([points[-reach:], points, points[:reach]])
    else:
        # Turned round the end points: a straight line goes straight on.
        before, after = 2 * points[0] - points[reach:0:-1], 2 * points[-1] - points[-2 : -2 - reach : -1]
        around = np.concatenate([before, points, after])
    return np.stack([np.convolve(around[:, axis], kernel, "valid") for axis in (0, 1)], axis=1)


def _met(strokes: list[_Stroke]) -> list[_Stroke]:
    """The strokes with their ends led to their junctions, which move to where the measured lines meet."""
    matrices: dict[int, NDArray[np.float64]] = {}
    vectors: dict[int, NDArray[np.float64]] = {}
    for stroke in strokes:
        for node, way in ((stroke.first, stroke.points), (stroke.last, stroke.points[::-1])):
            if node is None:
                continue
            rest = _outside(way, node)
            direction = rest[min(len(rest) - 1, max(3, round(2 * stroke.width)))] - rest[0]
            direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
            off = np.eye(2) - np.outer(direction, direction)
            matrices[id(node)] = matrices.get(id(node), _HOLD * np.eye(2)) + off
            vectors[id(node)] = vectors.get(id(node), _HOLD * node.at) + off @ rest[0]
    places = {key: np.linalg.solve(matrix, vectors[key]) for key, matrix in matrices.items()}
    met = []
    for stroke in strokes:
        course: Points = stroke.points
        for node, turn in ((stroke.first, False), (stroke.last, True)):
            if node is not None:
                way = _outside(course[::-1] if turn else course, node)
                place = places[id(node)]
                place = place if np.linalg.norm(place - node.at) <= node.radius else node.at
                way = np.concatenate([place[None], way]).astype(np.float64)
                course = way[::-1] if turn else way
        met.append(replace(stroke, points=course))
    return met


def _drawn(strokes: list[_Stroke], progress: Progress) -> list[tuple[_Stroke, Contour]]:
    fitted = fit_lines([(stroke.points, stroke.width, stroke.closed) for stroke in strokes], progress)
    return list(zip(strokes, fitted, strict=True))


def _within(stroke: _Stroke, contour: Contour, inked: NDArray[np.float32]) -> list[_Stroke]:
    """The stroke itself if it paints nothing but its area as it is drawn, else those parts of it that do."""
    way = flattened(contour, _FLAT)
    way = resample(way, max(2, round(_length(way, closed=False)) + 1))
    half = stroke.width / 2
    side = normals(way, 2, closed=False) * max(0.0, half - _OVER[0] - _OVER[1] * half)
    inside = np.ones(len(way), bool)
    for offset in (np.zeros_like(side), side, -side):
        inside &= _sampled(inked, way + offset) >= 0.5
    inside[0] |= inside[1]  # the end itself lies on the border
    inside[-1] |= inside[-2]
    if inside.all():
        return [stroke]
    runs = _runs(inside, 0, closed=stroke.closed)
    parts = (_Stroke(way[np.arange(first, last + 1) % len(way)], stroke.width) for first, last in runs)
    return [each for each in parts if _length(each.points, closed=False) >= _LONG * each.width]


def _outside(way: Points, node: Node) -> Points:
    """The way from where it leaves the junction, at least its last two points."""
    away = np.linalg.norm(way - node.at, axis=1) > node.radius
    return way[min(int(np.argmax(away)), len(way) - 2) :] if away.any() else way[-2:]


def _to_tip(way: Points, width: float, inked: NDArray[np.float32]) -> Points:
    """Begins the way where the area ends, straight on from what is well measured: a skeleton ends in a corner."""
    skip = min(round(width) + 1, len(way) // 4)
    way = way[skip:]
    base = way[min(len(way) - 1, max(3, round(2 * width)))]
    direction = way[0] - base
    direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
    side = np.array([-direction[1], direction[0]]) * (_FULL * width / 2)
    steps = np.arange(0, skip + 2 * width + 2, _STEP)
    places = way[0] + steps[:, None] * direction
    inside = np.ones(len(steps), bool)
    for offset in (np.zeros(2), side, -side):
        inside &= _sampled(inked, places + offset) >= 0.5
    reach = _STEP * (int(np.argmin(inside)) - 1) if not inside.all() else skip + width / 2
    return np.concatenate([(way[0] + direction * max(0.0, reach))[None], way]) if reach > 0.5 else way


def _sampled(plane: NDArray[np.float32], points: Points) -> NDArray[np.float32]:
    maps = points.astype(np.float32)
    return cv2.remap(plane, maps[None, :, 0], maps[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)[0]


def _length(points: Points, *, closed: bool) -> float:
    way = np.concatenate([points, points[:1]]) if closed else points
    return float(np.linalg.norm(np.diff(way, axis=0), axis=1).sum())


def _moved(contour: Contour, shift: NDArray[np.float64]) -> Contour:
    return Contour(contour.start + shift, contour.curves + shift, contour.lines, contour.closed)
