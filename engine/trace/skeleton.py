"""The skeleton of an area as a graph: paths of pixels between ends and junctions, without what its border's noise adds.

All lengths are in pixels; a point is (x, y) with the middle of the first pixel at (0, 0).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
_STRAIGHT_ON = -0.85  # cosine between two branches of a junction that are one line
# Two lines that cross at an angle a share an area w / sin(a / 2) long, and its skeleton has a junction at each end.
_BRIDGE = 1.5  # radii: two junctions closer than that are one
_CROSSING = 1.2  # times that length
_SHARPEST = 0.2  # sin(a / 2) of lines that cross; below it they run side by side
_ROUNDS = 4  # of pruning: a spur can hide another


@dataclass(frozen=True)
class Node:
    """A junction, or a cut in a line. radius: half the width of the area there."""

    at: NDArray[np.float64]
    radius: float


@dataclass(frozen=True)
class Line:
    """A path of points (n, 2). first, last: the junctions where it ends, None for a free end. closed: a ring."""

    points: Points
    first: Node | None = None
    last: Node | None = None
    closed: bool = False

    @property
    def length(self) -> float:
        """Along the points; a ring's closing step is not counted."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())


@dataclass(frozen=True)
class _Branch:
    points: Points
    first: int = -1  # number of a node, -1 for a free end
    last: int = -1

    def turned(self) -> "_Branch":
        return _Branch(self.points[::-1], self.last, self.first)

    @property
    def length(self) -> float:
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())


def skeleton_lines(skeleton: NDArray[np.bool_], distance: NDArray[np.float32]) -> list[Line]:
    """The lines of a skeleton one pixel wide (H, W).

    distance: (H, W) from each pixel of the area to its border. Spurs shorter than the area is wide go, crossings
    become one junction, and what goes straight on through a junction becomes one line.
    """
    branches, nodes = _followed(skeleton, distance)
    for _ in range(_ROUNDS):
        before = len(branches)
        branches, nodes = _bridged(_pruned(branches, nodes), nodes)
        branches = _spliced(branches, nodes, only_pairs=True)
        if len(branches) == before:
            break
    branches = _loosened(branches)
    return [_line(branch, nodes) for branch in _spliced(branches, nodes, only_pairs=False)]


def _line(branch: _Branch, nodes: list[Node]) -> Line:
    if branch.first == branch.last == -2:
        return Line(branch.points, closed=True)
    first, last = (nodes[end] if end >= 0 else None for end in (branch.first, branch.last))
    return Line(branch.points, first, last)


def _followed(skeleton: NDArray[np.bool_], distance: NDArray[np.float32]) -> tuple[list[_Branch], list[Node]]:
    """Branches between pixels with three or more neighbours. A ring without any has -2 at both ends."""
    plane = np.pad(skeleton, 1).astype(np.uint8)
    kernel = np.ones((3, 3), np.float32)
    count = np.where(plane > 0, cv2.filter2D(plane, cv2.CV_8U, kernel, borderType=cv2.BORDER_CONSTANT) - 1, 0)
    amount, clusters = cv2.connectedComponents((count >= 3).astype(np.uint8), connectivity=8)
    clusters = np.asarray(clusters, np.int32)
    nodes = _nodes(clusters, amount, np.pad(distance, 1))
    wide = plane.shape[1]
    around = (-wide, 1, wide, -1, -wide + 1, wide + 1, wide - 1, -wide - 1)
    cells, degree = plane.tobytes(), count.astype(np.uint8).tobytes()
    crossings = np.flatnonzero(clusters).tolist()
    cluster = dict(zip(crossings, (clusters.ravel()[crossings] - 1).tolist(), strict=True))
    seen: set[int] = set()
    branches: list[_Branch] = []

    def walk(before: int, at: int) -> None:
        start = cluster.get(before, -1)
        way = []
        while True:
            seen.add(at)
            way.append(at)
            following = [at + step for step in around if cells[at + step] and at + step != before]
            onward = [cell for cell in following if cell in cluster or cell not in seen]
            if not onward:
                ring = start == -1 and len(way) > 3 and degree[at] == 2 and degree[way[0]] == 2
                branches.append(_branch(way, wide, -2 if ring else start, -2 if ring else -1, nodes))
                return
            crossing = next((cell for cell in onward if cell in cluster), -1)
            if crossing >= 0:
                branches.append(_branch(way, wide, start, cluster[crossing], nodes))
                return
            before, at = at, onward[0]

    for pixel in crossings:
        for step in around:
            if cells[pixel + step] and pixel + step not in cluster and pixel + step not in seen:
                walk(pixel, pixel + step)
    for wanted in (1, 2):
        for pixel in np.flatnonzero(count.ravel() == wanted).tolist():
            if pixel not in seen:
                walk(-1, pixel)
    return branches, nodes


def _nodes(clusters: NDArray[np.int32], amount: int, distance: NDArray[np.float32]) -> list[Node]:
    nodes = []
    row, column = np.nonzero(clusters)
    owner = clusters[row, column]
    sizes = np.maximum(np.bincount(owner, minlength=amount), 1)
    x, y = (np.bincount(owner, weights=axis, minlength=amount) / sizes for axis in (column, row))
    radius = np.zeros(amount)
    np.maximum.at(radius, owner, distance[row, column])
    for number in range(1, amount):
        nodes.append(Node(np.array([x[number] - 1, y[number] - 1]), float(radius[number])))
    return nodes


def _branch(way: list[int], wide: int, first: int, last: int, nodes: list[Node]) -> _Branch:
    row, column = np.divmod(np.array(way), wide)
    points = np.stack([column - 1, row - 1], axis=1).astype(np.float64)
    head = [nodes[first].at[None]] if first >= 0 else []
    tail = [nodes[last].at[None]] if last >= 0 else []
    return _Branch(np.concatenate([*head, points, *tail]), first, last)


def _ends(branches: Iterable[_Branch]) -> dict[int, list[int]]:
    """The branches at each node; one that starts and ends there counts twice."""
    found: dict[int, list[int]] = {}
    for number, branch in enumerate(branches):
        for end in (branch.first, branch.last):
            if end >= 0:
                found.setdefault(end, []).append(number)
    return found


def _pruned(branches: list[_Branch], nodes: list[Node]) -> list[_Branch]:
    """Without short branches that end nowhere and short rings; a node keeps at least its two longest."""
    dropped: set[int] = set()
    for node, owners in _ends(branches).items():
        reach = 2 * nodes[node].radius
        spurs = []
        for owner in dict.fromkeys(owners):
            branch = branches[owner]
            free = -1 in (branch.first, branch.last)
            if (free and branch.length < reach) or (branch.first == branch.last and branch.length < np.pi * reach):
                spurs.append(owner)
        if len(spurs) == len(set(owners)):
            spurs = sorted(spurs, key=lambda owner: -branches[owner].length)[2:]
        dropped.update(spurs)
    return [branch for number, branch in enumerate(branches) if number not in dropped]


def _loosened(branches: list[_Branch]) -> list[_Branch]:
    """The branches with a free end where pruning has left nothing else at the node."""
    alone = {node for node, owners in _ends(branches).items() if len(owners) == 1}
    return [
        _Branch(branch.points, *(-1 if end in alone else end for end in (branch.first, branch.last)))
        for branch in branches
    ]


def _bridged(branches: list[_Branch], nodes: list[Node]) -> tuple[list[_Branch], list[Node]]:
    """Nodes that are joined by a branch shorter than the area is wide become one, between them."""
    nodes = list(nodes)
    target = list(range(len(nodes)))
    ends = _ends(branches)

    def root(node: int) -> int:
        while target[node] != node:
            node = target[node]
        return node

    kept = []
    for branch in branches:
        if branch.first < 0 or branch.last < 0 or branch.first == branch.last:
            kept.append(branch)
            continue
        one, other = nodes[branch.first], nodes[branch.last]
        if branch.length >= max(_BRIDGE * max(one.radius, other.radius), _crossing(branch, branches, nodes, ends)):
            kept.append(branch)
            continue
        low, high = sorted((root(branch.first), root(branch.last)))
        if low != high:
            target[high] = low
            nodes[low] = Node((nodes[low].at + nodes[high].at) / 2, max(nodes[low].radius, nodes[high].radius))
    moved = []
    for branch in kept:
        points = branch.points.copy()
        first, last = (root(end) if end >= 0 else end for end in (branch.first, branch.last))
        if first >= 0:
            points[0] = nodes[first].at
        if last >= 0:
            points[-1] = nodes[last].at
        moved.append(_Branch(points, first, last))
    return moved, nodes


def _crossing(bridge: _Branch, branches: list[_Branch], nodes: list[Node], ends: dict[int, list[int]]) -> float:
    """How long the bridge may be if it is where two lines cross, 0 if it is not."""
    longest = np.inf
    for node in (bridge.first, bridge.last):
        others = [branches[owner] for owner in ends[node] if branches[owner] is not bridge]
        if len(others) != 2:
            return 0.0
        one, other = (_leaving(branch, node, nodes[node].radius)[1] for branch in others)
        half = np.sqrt(max(0.0, (1 - float(one @ other)) / 2))
        if half < _SHARPEST or one @ other < _STRAIGHT_ON:
            return 0.0
        longest = min(longest, _CROSSING * 2 * nodes[node].radius / half)
    return float(longest)


def _leaving(branch: _Branch, node: int, radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A point of the branch outside the node, and the direction in which it goes on."""
    points = branch.points if branch.first == node else branch.points[::-1]
    away = np.linalg.norm(points - points[0], axis=1)
    near = int(np.argmax(away >= 1.2 * radius)) if (away >= 1.2 * radius).any() else len(points) // 2
    far = min(len(points) - 1, near + max(3, round(2 * radius)))
    direction = points[far] - points[near] if far > near else points[-1] - points[0]
    return points[near], direction / max(float(np.linalg.norm(direction)), 1e-9)


def _spliced(branches: list[_Branch], nodes: list[Node], *, only_pairs: bool) -> list[_Branch]:
    """Branches that go on through a node as one. only_pairs: only where nothing else ends."""
    left = dict(enumerate(branches))
    owners = {node: dict.fromkeys(numbers) for node, numbers in _ends(branches).items()}
    for number, here in owners.items():
        while len(here) == 2 or (not only_pairs and len(here) > 2):
            pair = _straightest(here, left, number, nodes[number])
            if pair is None:
                break
            one, other = left.pop(pair[0]), left.pop(pair[1])
            one = one if one.last == number else one.turned()
            other = other if other.first == number else other.turned()
            gap = 0.0 if len(here) == 2 else nodes[number].radius
            before, after = _clear(one.points, gap), _clear(other.points[::-1], gap)[::-1]
            joined = _Branch(np.concatenate([before, after]), one.first, other.last)
            left[pair[0]] = joined
            for owner in pair:
                del here[owner]
            if joined.last >= 0:
                del owners[joined.last][pair[1]]
                owners[joined.last][pair[0]] = None
            if number in (joined.first, joined.last):  # it has come back to this node by another way
                here[pair[0]] = None
    return [_closed(left[number], owners, nodes) for number in sorted(left)]


def _closed(branch: _Branch, owners: dict[int, dict[int, None]], nodes: list[Node]) -> _Branch:
    """The branch as a ring, if it comes back to where it began and goes straight on there, or nothing else is there."""
    if branch.first < 0 or branch.first != branch.last:
        return branch
    radius = nodes[branch.first].radius
    ways = [_leaving(way, branch.first, radius)[1] for way in (branch, _Branch(branch.points[::-1], branch.first))]
    if len(owners[branch.first]) > 1 and ways[0] @ ways[1] > _STRAIGHT_ON:
        return branch
    gap = 0.0 if len(owners[branch.first]) == 1 else radius
    return _Branch(_clear(_clear(branch.points, gap)[::-1], gap)[::-1], -2, -2)


def _straightest(here: Iterable[int], branches: dict[int, _Branch], number: int, node: Node) -> tuple[int, int] | None:
    """The two branches of a node that go on in each other's direction; any two when there are no more."""
    ways = [(owner, branches[owner]) for owner in here if branches[owner].first != branches[owner].last]
    leaving = [(owner, _leaving(branch, number, node.radius)[1]) for owner, branch in ways]
    pairs = [(float(a @ b), i, j) for k, (i, a) in enumerate(leaving) for j, b in leaving[k + 1 :]]
    if not pairs:
        return None
    cosine, one, other = min(pairs)
    return (one, other) if len(leaving) == 2 or cosine < _STRAIGHT_ON else None


def _clear(points: Points, gap: float) -> Points:
    """Points without those within `gap` of the last one, at least one kept."""
    if not gap:
        return points[:-1] if len(points) > 1 else points
    far = np.linalg.norm(points - points[-1], axis=1) > gap
    keep = int(np.flatnonzero(far)[-1]) + 1 if far.any() else 1
    return points[:keep]
