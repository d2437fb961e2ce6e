"""Pixel outlines redrawn with few straight lines and cubics, within a tolerance, corners and holes kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from ..svg.path import Contour
from .landmarks import APEX, Corner, Run, corners, intersection, straight_runs
from .outline import Outline, Points, outline
from .rounds import ellipse
from .stretches import Stretch, fit_stretches

_CLEARANCE = 0.8  # details: next to a corner the outline is blurred and no evidence
_GAP = 3.2  # details: longest gap between two straight runs that may be one blurred corner
_ROUGH = 2.0  # times the tolerance: for what a higher layer covers


Window = tuple[NDArray[np.bool_], int, int]


@dataclass(frozen=True)
class _Node:
    """A point where segments meet. index: along the outline. tangent: direction there, None at a corner."""

    index: int
    point: NDArray[np.float64]
    tangent: NDArray[np.float64] | None
    run: int | None = None  # the straight run that starts here


def refit(
    polygons: Sequence[NDArray[np.int64]],
    detail: float,
    tolerance: float,
    seen: Window | None = None,
    progress: Progress = silent,
) -> list[Contour]:
    """Redraw closed lattice polygons; the result is in details (pixels / `detail`), one contour per polygon.

    polygons: (k, 2) pixel corners. detail: pixels per pixel of the original picture, >= 1.
    tolerance: largest distance from the smoothed outline, in details. seen: pixels whose border shows
    in the picture, and the x and y of that window; what lies elsewhere is covered by a higher layer and drawn
    roughly. None = all.
    """
    contours: list[Contour | None] = []
    plans: list[tuple[int, list[Stretch]]] = []
    for number, polygon in enumerate(polygons):
        if len(polygon) == 4:  # a rectangle: what is no longer than its blur would be rounded off
            contours.append(Contour.polygon(polygon / detail))
            continue
        shape = outline(polygon, detail)
        contours.append(ellipse(shape, tolerance))
        if contours[-1] is None:
            plans.append((number, _stretches(shape, _covered(shape, seen))))
        if number % 32 == 0:
            progress(0.5 * number / len(polygons))
    fitted = fit_stretches([stretch for _, plan in plans for stretch in plan], tolerance, progress)
    at = 0
    for number, plan in plans:
        contours[number] = _joined(fitted[at : at + len(plan)])
        at += len(plan)
    return [contour for contour in contours if contour is not None]


def _covered(shape: Outline, seen: Window | None) -> NDArray[np.bool_]:
    """Which points of the outline no visible pixel touches."""
    if seen is None:
        return np.zeros(len(shape.points), bool)
    mask, x, y = seen
    column, row = np.rint(shape.points * shape.detail - 0.5).astype(np.int64).T
    return ~mask[np.clip(row - y, 0, mask.shape[0] - 1), np.clip(column - x, 0, mask.shape[1] - 1)]


def _stretches(shape: Outline, covered: NDArray[np.bool_]) -> list[Stretch]:
    nodes = _nodes(shape)
    if covered.any():
        nodes = _relaxed(nodes, shape, covered)
    count = len(shape.points)
    spacing = shape.length / count
    result = []
    for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        if node.run is not None:
            result.append(Stretch(np.stack([node.point, following.point]), None, None, 0.0))
            continue
        span = (following.index - node.index) % count or count
        skip_first = round(_CLEARANCE / spacing) if node.tangent is None else 1
        skip_last = round(_CLEARANCE / spacing) if following.tangent is None else 1
        between = shape.points[(node.index + np.arange(skip_first, span - skip_last + 1)) % count]
        points = np.vstack([node.point, between, following.point])
        rough = covered[(node.index + np.arange(span + 1)) % count].mean() > 0.8
        result.append(Stretch(points, node.tangent, following.tangent, _ROUGH if rough else 1.0))
    return result


def _relaxed(nodes: list[_Node], shape: Outline, covered: NDArray[np.bool_]) -> list[_Node]:
    """The nodes without those that only shape covered stretches, and with one wherever cover begins or ends."""
    count = len(covered)
    following = [*nodes[1:], nodes[0]]
    straight = [
        node.run is not None
        and not covered[(node.index + np.arange((after.index - node.index) % count + 1)) % count].all()
        for node, after in zip(nodes, following, strict=True)
    ]
    kept = [
        replace(node, run=node.run if starts else None)
        for node, starts, ends in zip(nodes, straight, [straight[-1], *straight[:-1]], strict=True)
        if starts or ends or not covered[node.index]
    ]
    near = round(_CLEARANCE / (shape.length / count))
    for index in np.flatnonzero(covered != np.roll(covered, 1)).tolist():
        since = [(index - node.index) % count for node in kept]
        if any(min(gap, count - gap) <= near for gap in since):
            continue
        if not kept or kept[int(np.argmin(since))].run is None:
            kept.append(_Node(index, shape.points[index], None))
    if len(kept) < 2:
        return _curved_nodes(shape, [])
    return sorted(kept, key=lambda node: node.index)


def _nodes(shape: Outline) -> list[_Node]:
    runs, sharp = straight_runs(shape), corners(shape)
    if not runs:
        return _curved_nodes(shape, sharp)
    nodes: list[_Node] = []
    for number, run in enumerate(runs):
        following = runs[(number + 1) % len(runs)]
        nodes += _around_gap(shape, run, following, (number + 1) % len(runs), sharp, alone=len(runs) == 1)
    return nodes


def _curved_nodes(shape: Outline, sharp: list[Corner]) -> list[_Node]:
    """Without straight runs: the corners, or two opposite smooth points of a closed curve."""
    if sharp:
        return [_Node(corner.index, corner.apex, None) for corner in sharp]
    start = int(shape.points[:, 0].argmin())
    return [_smooth(shape, index % len(shape.points)) for index in (start, start + len(shape.points) // 2)]


def _smooth(shape: Outline, index: int) -> _Node:
    points = shape.points
    chord = points[(index + 2) % len(points)] - points[index - 2]
    return _Node(index, points[index], chord / max(float(np.linalg.norm(chord)), 1e-9))


def _around_gap(
    shape: Outline, run: Run, following: Run, number: int, sharp: list[Corner], *, alone: bool
) -> list[_Node]:
    """The nodes from the end of one run to the start of the next, the last of them starting that run."""
    count = len(shape.points)
    gap = (following.first - run.last) % count
    tip = None if alone else _tip(shape, run, following, gap)
    if tip is not None:
        return [_Node((run.last + gap // 2) % count, tip, None, run=number)]
    inside = [corner for corner in sharp if (corner.index - run.last) % count <= gap]
    inside.sort(key=lambda corner: (corner.index - run.last) % count)
    reach = round(2.0 / (shape.length / count))
    nodes = []
    if inside and (inside[0].index - run.last) % count <= reach:
        corner = inside.pop(0)
        nodes.append(_Node(corner.index, _onto(run, corner.apex), None))
    else:
        nodes.append(_Node(run.last, _onto(run, shape.points[run.last]), run.direction))
    closing = _Node(following.first, _onto(following, shape.points[following.first]), following.direction, run=number)
    if inside and (following.first - inside[-1].index) % count <= reach:
        corner = inside.pop()
        closing = _Node(corner.index, _onto(following, corner.apex), None, run=number)
    return [*nodes, *(_Node(corner.index, corner.apex, None) for corner in inside), closing]


def _tip(shape: Outline, run: Run, following: Run, gap: int) -> NDArray[np.float64] | None:
    """Where two straight runs meet in one corner, None when something else lies between them."""
    count = len(shape.points)
    if gap * shape.length / count > _GAP:
        return None
    meeting = intersection(run.origin, run.direction, following.origin, following.direction)
    between = shape.points[(run.last + np.arange(gap + 1)) % count]
    if meeting is None:
        # The same line goes on, or a step lower than the blur: one point joins them.
        offset = float(np.linalg.norm(following.origin - _onto(run, following.origin)))
        return between.mean(axis=0) if offset < 0.3 and run.direction @ following.direction > 0 else None
    sharpness = max(0.35, float(np.sqrt((1 + run.direction @ following.direction) / 2)))
    return meeting if np.linalg.norm(between - meeting, axis=1).min() <= APEX / sharpness else None


def _onto(run: Run, point: NDArray[np.float64]) -> NDArray[np.float64]:
    return run.origin + run.direction * float((point - run.origin) @ run.direction)


def _joined(parts: Sequence[list[tuple[Points, bool]]]) -> Contour | None:
    """One closed contour of fitted pieces: control polygons (4, 2), and whether each is a line."""
    pieces = [piece for part in parts for piece in part]
    if not pieces:
        return None
    curves = np.stack([control[1:] for control, _ in pieces])
    return Contour(pieces[0][0][0], curves, np.array([straight for _, straight in pieces]))
