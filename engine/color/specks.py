"""Specks: patches too small to be drawn, given to the colour that most of what touches them has.

The picture is read as runs of one label in its rows; runs become 8-connected patches, patches a graph of who touches
whom. What remains to do is small: the pixels are looked at twice, at the start and at the end. (The tracer's own map of
regions, engine/trace/regions.py, is 4-connected, as outlines need it.)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..progress import Progress, part, silent

NOTHING = 255  # the label of transparent pixels: no colour, and they take none

_STRIP = 500_000  # pixels read between two progress reports
_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Touching:
    """Who touches whom: a, b (m,) patches, each pair once, a < b. length: pixel pairs (8 neighbours) between them."""

    a: _Ints
    b: _Ints
    length: _Ints


@dataclass(frozen=True)
class _Strip:
    """Some rows. lengths, patch: of each run, in reading order. label, area: of each patch."""

    lengths: _Ints
    patch: _Ints
    label: NDArray[np.uint8]
    area: _Ints
    touching: _Touching


def absorb_specks(
    labels: NDArray[np.uint8], least: float, progress: Progress = silent
) -> tuple[NDArray[np.uint8], int]:
    """Give 8-connected patches of one label below `least` pixels the commonest label around them.

    labels: (H, W), NOTHING where the picture is transparent. Smallest first, so that a cluster of specks dissolves into
    what surrounds it; what joins counts as one from then on. Ties go to the lower label. A patch with nothing but
    transparency around stays. Returns the labels anew and how many patches were given away.
    """
    if least <= 1 or not labels.size:
        return labels, 0
    strips = [_read(rows) for rows in _strips(labels, part(progress, 0, 0.6))]
    label, area, patch_of, touching = _joined(strips, labels)
    progress(0.7)
    label, removed = _given_away(label, area, touching, least, part(progress, 0.7, 0.9))
    if not removed:
        return labels, 0
    result = np.empty_like(labels)
    flat, done, first = result.reshape(-1), 0, 0
    for strip in strips:
        progress(0.9 + 0.1 * done / flat.size)
        count = int(strip.lengths.sum())
        own = label[patch_of[first : first + len(strip.label)]]
        flat[done : done + count] = np.repeat(own[strip.patch], strip.lengths)
        done, first = done + count, first + len(strip.label)
    progress(1.0)
    return result, removed


def _strips(labels: NDArray[np.uint8], progress: Progress) -> Iterator[NDArray[np.uint8]]:
    rows = max(1, _STRIP // labels.shape[1])
    for top in range(0, len(labels), rows):
        progress(top / len(labels))
        yield labels[top : top + rows]


def _read(rows: NDArray[np.uint8]) -> _Strip:
    """The patches of a strip on its own."""
    width, size = rows.shape[1], rows.size
    flat = np.ascontiguousarray(rows).reshape(-1)
    begins = np.empty(size, bool)
    begins[1:] = flat[1:] != flat[:-1]
    begins[::width] = True
    starts = np.flatnonzero(begins)
    run = flat[starts]
    lengths = np.diff(starts, append=size)
    a, b, length = (np.concatenate(found) for found in zip(*_neighbours(begins, width), strict=True))
    same = run[a] == run[b]
    patch = _components(len(run), a[same], b[same])
    count = int(patch.max()) + 1
    label = np.empty(count, np.uint8)
    label[patch] = run
    area = np.bincount(patch, lengths, count).astype(np.int64)
    return _Strip(lengths, patch, label, area, _counted(patch[a[~same]], patch[b[~same]], length[~same], count))


def _neighbours(begins: NDArray[np.bool_], width: int) -> Iterator[tuple[_Ints, _Ints, _Ints]]:
    """(run, run, number of pixel pairs) beside each other, one below the other, and across both diagonals.

    begins: (n,) the pixels, in reading order, with which a run begins.
    """
    run = np.cumsum(begins, dtype=np.int32) - 1
    right = np.flatnonzero(begins)[1:]
    right = run[right[right % width > 0]].astype(np.int64)
    yield right - 1, right, np.ones(len(right), np.int64)
    size = len(begins) - width
    for shift in (width, width + 1, width - 1):
        # Between two of these pixels neither the upper nor the lower run changes.
        changes = begins[:size].copy()
        below = begins[shift:][:size]
        changes[: len(below)] |= below
        edge = None if shift == width else width - 1 if shift > width else 0
        if edge is not None:  # the first or last column has no neighbour on that side
            changes[edge::width] = True
        at = np.flatnonzero(changes)
        length = np.diff(at, append=size)
        if edge is not None:
            inside = at % width != edge
            at, length = at[inside], length[inside]
        yield run[at].astype(np.int64), run[at + shift].astype(np.int64), length


def _components(count: int, a: _Ints, b: _Ints) -> _Ints:
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _counted(a: _Ints, b: _Ints, length: _Ints, count: int) -> _Touching:
    """Every pair once, with the sum of its lengths; what touches itself is left out."""
    apart = a != b
    a, b, length = a[apart], b[apart], length[apart]
    code, where = np.unique(np.minimum(a, b) * count + np.maximum(a, b), return_inverse=True)
    return _Touching(code // count, code % count, np.bincount(where, length, len(code)).astype(np.int64))


def _joined(strips: list[_Strip], labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], _Ints, _Ints, _Touching]:
    """label and area of the picture's patches, the patch of each strip's patch, and who touches whom."""
    starts = np.cumsum([0, *(len(strip.label) for strip in strips)])
    label = np.concatenate([strip.label for strip in strips])
    area = np.concatenate([strip.area for strip in strips])
    width = labels.shape[1]
    a, b = [], []
    for above, below, first, second in zip(strips, strips[1:], starts, starts[1:], strict=False):
        last_row = _row(above, width, last=True) + first
        next_row = _row(below, width, last=False) + second
        a += [last_row, last_row[:-1], last_row[1:]]
        b += [next_row, next_row[1:], next_row[:-1]]
    seam_a = np.concatenate([np.zeros(0, np.int64), *a])
    seam_b = np.concatenate([np.zeros(0, np.int64), *b])
    same = label[seam_a] == label[seam_b]
    patch_of = _components(len(label), seam_a[same], seam_b[same])
    count = int(patch_of.max()) + 1
    whole = np.empty(count, np.uint8)
    whole[patch_of] = label
    parts = [strip.touching for strip in strips]
    one = np.concatenate([*(p.a + s for p, s in zip(parts, starts, strict=False)), seam_a])
    other = np.concatenate([*(p.b + s for p, s in zip(parts, starts, strict=False)), seam_b])
    length = np.concatenate([*(p.length for p in parts), np.ones(len(seam_a), np.int64)])
    touching = _counted(patch_of[one], patch_of[other], length, count)
    return whole, np.bincount(patch_of, area, count).astype(np.int64), patch_of, touching


def _row(strip: _Strip, width: int, last: bool) -> _Ints:
    """The patch of each pixel of a strip's first or last row."""
    ends = np.cumsum(strip.lengths)
    if last:
        first = int(np.searchsorted(ends, ends[-1] - width, "right"))
        return np.repeat(strip.patch[first:], strip.lengths[first:])
    stop = int(np.searchsorted(ends, width)) + 1
    return np.repeat(strip.patch[:stop], strip.lengths[:stop])


def _given_away(
    label: NDArray[np.uint8], area: _Ints, touching: _Touching, least: float, progress: Progress
) -> tuple[NDArray[np.uint8], int]:
    """The label of each patch afterwards, and how many were given away.

    All that are smaller than every neighbour go at once: none of them touches another, and none could be reached by
    one that is smaller, so the result is that of going one by one, smallest first.
    """
    seen = label[touching.a] != NOTHING
    seen &= label[touching.b] != NOTHING
    edges = _Touching(touching.a[seen], touching.b[seen], touching.length[seen])
    owner = np.arange(len(label))
    label, removed = label.copy(), 0
    speck = area < least
    total = max(int(speck.sum()), 1)
    while True:
        progress(min(removed / total, 1.0))
        ours = speck[edges.a] | speck[edges.b]  # two large neighbours stay what they are
        edges = _Touching(edges.a[ours], edges.b[ours], edges.length[ours])
        if not len(edges.a):
            return label[owner], removed
        go = speck & _smallest(area, edges)
        one = np.concatenate([edges.a, edges.b])
        other = np.concatenate([edges.b, edges.a])
        length = np.concatenate([edges.length, edges.length])
        mine = go[one]
        one, other, length = one[mine], other[mine], length[mine]
        label[go] = _commonest(one, label[other], length)
        joins = label[one] == label[other]
        group = _components(len(label), one[joins], other[joins])
        removed += int(go.sum())
        count = int(group.max()) + 1
        merged = np.empty(count, np.uint8)
        merged[group] = label
        label, owner = merged, group[owner]
        area = np.bincount(group, area, count).astype(np.int64)
        speck = area < least
        edges = _counted(group[edges.a], group[edges.b], edges.length, count)


def _smallest(area: _Ints, edges: _Touching) -> NDArray[np.bool_]:
    """Which patches have neighbours, all of them larger; of two equal ones the earlier is the smaller."""
    beaten = np.zeros(len(area), bool)
    known = np.zeros(len(area), bool)
    first = (area[edges.a] < area[edges.b]) | ((area[edges.a] == area[edges.b]) & (edges.a < edges.b))
    beaten[np.where(first, edges.b, edges.a)] = True
    known[edges.a] = known[edges.b] = True
    return known & ~beaten


def _commonest(patch: _Ints, label: NDArray[np.uint8], length: _Ints) -> NDArray[np.uint8]:
    """The label with the greatest length for each patch named, patches ascending."""
    code, where = np.unique(patch * 256 + label, return_inverse=True)
    weight = np.bincount(where, length, len(code))
    order = np.lexsort((code, -weight, code // 256))
    _, first = np.unique(code[order] // 256, return_index=True)
    return (code[order][first] % 256).astype(np.uint8)
