"""Specks: patches too small to be drawn, given to the colour that most of what touches them has.

The picture is read as runs of one label in its rows; runs become 8-connected patches, patches a graph of who touches
whom. What remains to do is small: the pixels are looked at twice, at the start and at the end. (The tracer's own map of
regions, engine/trace/regions.py, is 4-connected, as outlines need it.)
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..progress import Progress, part, silent

NOTHING = 255  # the label of transparent pixels: no colour, and they take none

_STRIP = 500_000  # pixels read between two progress reports
_STEP = 50_000  # neighbours looked at between two, once the patches are known
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
    pairs = coo_array((length, (np.minimum(a, b), np.maximum(a, b))), shape=(count, count)).tocsr()
    first = np.repeat(np.arange(count), np.diff(pairs.indptr))
    return _Touching(first, pairs.indices.astype(np.int64), pairs.data.astype(np.int64))


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
    """The label of each patch afterwards, and how many were given away: one by one, smallest first.

    What joins is a tree of patches under one of them, with the pieces of what its members touch. A group is read when
    its turn comes, and is at least twice as large when it comes again: all work is that of sorting, whatever joins.
    """
    seen = (label[touching.a] != NOTHING) & (label[touching.b] != NOTHING)
    progress(0.0)
    seen &= (area[touching.a] < least) | (area[touching.b] < least)  # two large neighbours stay what they are
    starts, others, lengths = _by_patch(touching.a[seen], touching.b[seen], touching.length[seen], len(label))
    progress(0.0)
    specks = np.flatnonzero((area < least) & (np.diff(starts) > 0))
    count, total, removed, work = len(label), max(len(specks), 1), 0, 0
    turns: list[int] = (area[specks] * count + specks).tolist()  # ordered by area, then by the first of the group
    heapq.heapify(turns)
    starts, color, size = starts.tolist(), label.tolist(), area.tolist()
    parent, first = list(range(count)), list(range(count))
    pieces: dict[int, list[int | dict[int, int]]] = {}  # a patch as it was, or what was read together
    progress(0.0)
    while turns:
        own_size, patch = divmod(heapq.heappop(turns), count)
        group = _root(parent, patch)
        if first[group] != patch or size[group] != own_size:
            continue  # it has joined since
        around: dict[int, int] = {}
        for piece in pieces.pop(group, (group,)):
            if isinstance(piece, int):
                here = slice(starts[piece], starts[piece + 1])
                found = zip(others[here].tolist(), lengths[here].tolist(), strict=True)
            else:
                found = piece.items()
            for other, length in found:
                root = other if parent[other] == other else _root(parent, other)
                if root != group:
                    around[root] = around.get(root, 0) + length
            work += 1
        work += len(around)
        if work > _STEP:
            progress(removed / total)
            work = 0
        if not around:
            continue
        chosen = _commonest(around, color)
        joined = [other for other in around if color[other] == chosen]
        head = max(joined, key=size.__getitem__)
        removed += 1
        for other in (group, *joined):
            if other != head:
                parent[other] = head
                size[head] += size[other]
                first[head] = min(first[head], first[other])
        parts = [part for other in joined for part in pieces.pop(other, (other,))]
        if size[head] < least:
            pieces[head] = [*parts, around]
            heapq.heappush(turns, size[head] * count + first[head])
    progress(1.0)
    root = np.array(parent)
    while (root != root[root]).any():
        root = root[root]
    return label[root], removed


def _commonest(around: dict[int, int], color: list[int]) -> int:
    """The colour that most of what is around has; of equal ones the lower."""
    shares: dict[int, int] = {}
    for other, length in around.items():
        shares[color[other]] = shares.get(color[other], 0) + length
    most = max(shares.values())
    return min(value for value, length in shares.items() if length == most)


def _by_patch(a: _Ints, b: _Ints, length: _Ints, count: int) -> tuple[_Ints, _Ints, _Ints]:
    """For each patch where its neighbours begin (count + 1,), the neighbours, and the lengths."""
    one, other = np.concatenate([a, b]), np.concatenate([b, a])
    order = np.argsort(one, kind="stable")
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(one, minlength=count))])
    return starts, other[order], np.tile(length, 2)[order]


def _root(parent: list[int], patch: int) -> int:
    """The patch at the head of a group; the way there gets shorter."""
    while parent[patch] != patch:
        parent[patch] = parent[parent[patch]]
        patch = parent[patch]
    return patch
