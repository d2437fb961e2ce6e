"""One printing plate per colour: each layer may run on below the opaque layers above it.

Painted from bottom to top the plates give the picture, every colour is one compound path with
real holes, and no hairline of the ground shows between two colours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .regions import Regions


@dataclass(frozen=True)
class Layer:
    """A plate. label: its colour's label. mask: (h, w) bool. x, y: where the mask lies in the picture, pixels."""

    label: int
    mask: NDArray[np.bool_]
    x: int
    y: int


def painting_order(label: NDArray[np.int64], area: NDArray[np.int64], opaque: Sequence[bool]) -> list[int]:
    """Labels from bottom to top: those with opacity first (nothing may lie below them), then the largest area first."""
    total = np.bincount(label, area, len(opaque))
    present = [int(k) for k in np.flatnonzero(total)]
    return sorted(present, key=lambda k: (opaque[k], -total[k], k))


def layers(
    regions: Regions, label: NDArray[np.int64], order: Sequence[int], opaque: Sequence[bool], empty: int, underlap: int
) -> Iterator[Layer]:
    """The plates from bottom to top.

    label: (n,) label of each region. order: labels bottom to top. opaque: per label, `empty` among them: the label of
    transparent ground, which has no plate and which none may cover. underlap: pixels below a higher layer.
    """
    rank = np.full(len(opaque), -1)
    rank[list(order)] = np.arange(len(order))
    may_cover = np.array(opaque) & (np.arange(len(opaque)) != empty)
    for label_now in order:
        if label_now == empty:
            continue
        mine = label == label_now
        higher = (rank[label] > rank[label_now]) & may_cover[label]
        if not opaque[label_now]:
            higher[:] = False
        inside = mine | _enclosed(regions, mine, higher)
        yield _plate(regions, label_now, inside, higher & ~inside, underlap)


def _enclosed(regions: Regions, mine: NDArray[np.bool_], higher: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Groups of higher regions that touch nothing but this label: the plate runs through below them."""
    one, other = regions.pairs.T
    joined = higher[one] & higher[other]
    count = len(mine)
    graph = coo_array((np.ones(joined.sum(), np.int8), (one[joined], other[joined])), shape=(count, count))
    group = connected_components(graph, directed=False)[1]
    touches_else = np.zeros(group.max(initial=0) + 1, bool)
    touches_mine = np.zeros_like(touches_else)
    for a, b in ((one, other), (other, one)):
        outward = higher[a] & ~higher[b]
        np.logical_or.at(touches_else, group[a[outward]], ~mine[b[outward]])
        np.logical_or.at(touches_mine, group[a[outward]], mine[b[outward]])
    return higher & touches_mine[group] & ~touches_else[group]


def _plate(regions: Regions, label: int, inside: NDArray[np.bool_], cover: NDArray[np.bool_], underlap: int) -> Layer:
    mask = inside[regions.index].astype(np.uint8)
    x, y, width, height = cv2.boundingRect(mask)
    left, top = max(x - underlap, 0), max(y - underlap, 0)
    window = (slice(top, y + height + underlap), slice(left, x + width + underlap))
    mask = mask[window]
    if underlap and cover.any():
        grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * underlap + 1,) * 2))
        mask = mask | (np.asarray(grown, np.uint8) & cover[regions.index[window]])
    return Layer(label, mask.astype(bool), left, top)
