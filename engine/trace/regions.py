"""Connected regions of a label image: who they are, who touches whom, and specks given to a neighbour."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent


@dataclass(frozen=True)
class Regions:
    """A picture as a planar map.

    index: (H, W) int32, region of each pixel. label: (n,) label of each region. area: (n,) pixels.
    pairs: (m, 2) touching regions, each pair once, lower index first. shared: (m,) length of their border in pixels.
    """

    index: NDArray[np.int32]
    label: NDArray[np.int64]
    area: NDArray[np.int64]
    pairs: NDArray[np.int64]
    shared: NDArray[np.int64]


def find_regions(labels: NDArray[np.uint8], progress: Progress = silent) -> Regions:
    """Split a label image (H, W) into 4-connected regions of one label."""
    index = np.zeros(labels.shape, np.int32)
    owner: list[int] = []
    area: list[int] = []
    present = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256))
    for done, label in enumerate(present):
        mask = (labels == label).view(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        window = (slice(y, y + height), slice(x, x + width))
        count, parts, stats, _ = cv2.connectedComponentsWithStats(mask[window], connectivity=4)
        cv2.add(index[window], parts + (len(owner) - 1), dst=index[window], mask=mask[window])
        owner += [int(label)] * (count - 1)
        area += stats[1:, cv2.CC_STAT_AREA].tolist()
        progress((done + 1) / len(present))
    return Regions(index, np.array(owner, np.int64), np.array(area, np.int64), *_borders(index, len(owner)))


def absorb_specks(regions: Regions, least: float) -> NDArray[np.int64]:
    """The label of each region after those below `least` pixels took that of the neighbour they share most border with.

    Smallest first, so a cluster of specks dissolves into what surrounds it.
    """
    label = regions.label.copy()
    parent = np.arange(len(label))

    def root(region: int) -> int:
        while parent[region] != region:
            parent[region] = parent[parent[region]]
            region = int(parent[region])
        return region

    neighbours: list[dict[int, int]] = [{} for _ in label]
    for (a, b), length in zip(regions.pairs.tolist(), regions.shared.tolist(), strict=True):
        neighbours[a][b] = neighbours[b][a] = length
    area = regions.area.copy()
    small = np.flatnonzero(area < least)
    for speck in small[np.argsort(area[small], kind="stable")].tolist():
        here = root(speck)
        if area[here] >= least or not neighbours[here]:
            continue
        around: dict[int, int] = {}
        for other, length in neighbours[here].items():
            other = root(other)
            if other != here:
                around[other] = around.get(other, 0) + length
        if not around:
            continue
        host = max(sorted(around), key=around.__getitem__)
        parent[here] = host
        area[host] += area[here]
        neighbours[host] = _joined(neighbours[host], around, host)
    return label[[root(region) for region in range(len(label))]]


def _joined(mine: dict[int, int], theirs: dict[int, int], host: int) -> dict[int, int]:
    union = dict(mine)
    for other, length in theirs.items():
        if other != host:
            union[other] = union.get(other, 0) + length
    return union


def _borders(index: NDArray[np.int32], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    codes = []
    for a, b in ((index[:, :-1], index[:, 1:]), (index[:-1], index[1:])):
        where = a != b
        one, other = a[where].astype(np.int64), b[where].astype(np.int64)
        codes.append(np.minimum(one, other) * count + np.maximum(one, other))
    code, length = np.unique(np.concatenate(codes), return_counts=True)
    return np.stack([code // count, code % count], axis=1) if count else np.zeros((0, 2), np.int64), length
