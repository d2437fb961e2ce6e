"""The ground of a drawing: found, and taken away without touching what only has its colour."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .coverage import Grid, share_of
from .flatten import Painted
from .geometry import outline
from .paint import hex_color
from .path import Contour

GROUND_SHARE = 0.75  # of the border that the ground must cover: more than a sky, less than a subject cut off leaves
ONE_PART = 0.4  # of the border, in one piece: a cross over the whole picture lies on a field, not on a ground
_SAME = 10  # largest difference of a channel (0..255) between shapes of one ground
_OPAQUE = 250
_LAYERS = 16  # grounds upon grounds
Draw = Callable[[Sequence[Painted]], NDArray[np.uint8]]


def remove_background(items: list[Painted], grid: Grid, draw: Draw) -> tuple[list[Painted], str]:
    """Take away the shapes, or parts of compound shapes, that make the visible border.

    draw: renders shapes to (H, W, 4) uint8, straight alpha. A part is ground when it has the colour of at
    least GROUND_SHARE of the border, is opaque, touches the border and lies on nothing that stays; together
    the parts must cover GROUND_SHARE of the border, and ONE_PART of it in one visible piece. Islands in the
    ground's holes stay. Returns the shapes and what happened; a drawing that is nothing but ground is kept whole.
    """
    left, removed = items, []
    for _ in range(_LAYERS):
        color = _border_color(draw(left))
        rest = None if color is None else _without(left, color, grid)
        if color is None or rest is None:
            break
        left = rest
        removed.append("#" + bytes(color.tolist()).hex().upper())
    if not removed:
        return items, "kept: no opaque shape of one colour covers the border"
    if not left or not draw(left)[..., 3].any():
        return items, f"kept: there is nothing but the ground {removed[0]}"
    return left, f"removed: {', '.join(dict.fromkeys(removed))}"


def _border_color(picture: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    ring = _ring(picture)
    opaque = ring[ring[:, 3] >= _OPAQUE, :3]
    if len(opaque) < GROUND_SHARE * len(ring):
        return None
    colors, counts = np.unique(opaque, axis=0, return_counts=True)
    color = colors[counts.argmax()]
    alike = (np.abs(picture[..., :3].astype(np.int16) - color).max(axis=2) <= _SAME) & (picture[..., 3] >= _OPAQUE)
    pieces = np.bincount(_ring(np.asarray(cv2.connectedComponents(alike.astype(np.uint8))[1])))[1:]
    whole = pieces.sum() >= GROUND_SHARE * len(ring) and pieces.max() >= ONE_PART * len(ring)
    return color if whole else None


def _ring(plane: NDArray) -> NDArray:
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])


def _without(items: list[Painted], color: NDArray[np.uint8], grid: Grid) -> list[Painted] | None:
    kept: list[tuple[Painted, int]] = []
    ground = 0
    for item in items:
        if not _may_be_ground(item, color):
            kept.append((item, grid.touched(item).cells))
            continue
        stay: list[Contour] = []
        for part in _parts(item.contours):
            cells = grid.covered(part)
            if cells & grid.ring:
                if share_of(cells, grid.ring) >= GROUND_SHARE:
                    inner = grid.inner(part)
                    kept = [(below, mask) for below, mask in kept if mask & ~cells or not mask & inner]
                if not any(mask & grid.inner(part) for _, mask in kept):
                    ground |= cells
                    continue
            stay.extend(part)
        if len(stay) == len(item.contours):
            kept.append((item, grid.touched(item).cells))
        elif stay:
            rest = replace(item, contours=tuple(stay), tag="path", numbers=())
            kept.append((rest, grid.touched(rest).cells))
    if share_of(ground, grid.ring) < GROUND_SHARE:
        return None
    return [item for item, _ in kept]


def _may_be_ground(item: Painted, color: NDArray[np.uint8]) -> bool:
    fill = hex_color(item.get("fill"))
    if fill is None or any(item.get(name) for name in ("fill-opacity", "opacity")):
        return False
    stroke = item.get("stroke", fill)
    channels = [np.frombuffer(bytes.fromhex(paint[1:]), np.uint8) for paint in (fill, stroke) if paint[0] == "#"]
    return len(channels) == 2 and all(np.abs(c.astype(int) - color).max() <= _SAME for c in channels)


def _parts(contours: Sequence[Contour]) -> list[list[Contour]]:
    """Each outer contour with its own holes; an island inside a hole is a part of its own."""
    if len(contours) == 1:
        return [list(contours)]
    polygons = [outline(contour).astype(np.float32) for contour in contours]
    low = np.array([polygon.min(axis=0) for polygon in polygons])
    high = np.array([polygon.max(axis=0) for polygon in polygons])
    around: list[list[int]] = []
    for index in range(len(polygons)):
        boxed = ((low <= low[index]) & (high >= high[index])).all(axis=1)
        boxed[index] = False
        around.append([other for other in np.flatnonzero(boxed).tolist() if _inside(polygons[index], polygons[other])])
    parts: dict[int, list[Contour]] = {i: [contours[i]] for i, outers in enumerate(around) if len(outers) % 2 == 0}
    for index, outers in enumerate(around):
        if len(outers) % 2:
            parent = max((outer for outer in outers if outer in parts), key=lambda outer: len(around[outer]))
            parts[parent].append(contours[index])
    return list(parts.values())


def _inside(polygon: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    # Most of a few points: single ones may lie on a shared edge.
    some = polygon[:: max(1, len(polygon) // 5)][:5]
    ring = other.reshape(-1, 1, 2)
    votes = [cv2.pointPolygonTest(ring, (float(x), float(y)), False) for x, y in some]
    return sum(votes) > 0
