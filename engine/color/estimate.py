"""The palette of a picture, from the insides of its regions."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from .mixtures import Tolerances, allowed_colors, deep, flat, mixture, nearest
from .palette import MAX_COLORS
from .source import Source
from .spaces import srgb_to_lab

_LEAST_SHARE = 4e-5  # of the pixels, in insides of regions: a colour with less is noise
_LEAST_PIXELS = 4
_THIN_SHARE = 5e-4  # of the pixels: thin lines of a colour that is nowhere flat
_MOST_PIXELS = 2_000_000
_ROUNDS = 6
_MOST_CLUSTERS = 96


def estimate_colors(
    source: Source, opaque: NDArray[np.bool_] | None = None, count: int = 0, progress: Progress = silent
) -> NDArray[np.uint8]:
    """The picture's colours, (n, 3) bytes, largest area first.

    opaque: (H, W), pixels to look at; None = all. count: this many at most, 0 = automatic (1..32).
    """
    rgb, tolerances = _thinned(source.rgb), source.tolerances
    weight = np.ones(rgb.shape[:2], bool) if opaque is None else _thinned(opaque)
    if not weight.any():
        return np.zeros((1, 3), np.uint8)
    inside = flat(rgb, tolerances) & weight
    if inside.sum() < _LEAST_PIXELS:
        inside = weight
    clusters = _clusters(*_exact_colors(rgb[inside]), tolerances.merge)
    colors = _coherent(rgb, clusters, weight, tolerances, part(progress, 0, 0.3))
    colors = _reduced(rgb[inside], colors, MAX_COLORS)
    for number in range(_ROUNDS):
        step = part(progress, 0.3 + 0.7 * number / _ROUNDS, 0.3 + 0.7 * (number + 1) / _ROUNDS)
        missing = _thin_color(rgb, colors, weight, tolerances, step) if len(colors) < MAX_COLORS else None
        if missing is None:
            break
        colors = np.vstack([colors, missing])
    return _reduced(rgb[weight], colors, count or MAX_COLORS)


def _thinned(image: NDArray) -> NDArray:
    """Every n-th row and column, so that about 2 MP are left and no colours are mixed."""
    step = int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / _MOST_PIXELS)))
    return image[::step, ::step]


def _exact_colors(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Distinct colours of (n, 3) pixels and how often each occurs."""
    codes = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    codes, counts = np.unique(codes, return_counts=True)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8), counts


def _clusters(colors: NDArray[np.uint8], counts: NDArray[np.int64], merge: float) -> NDArray[np.uint8]:
    """Centres by CIELAB distance: the commonest colour takes what is within reach, then the next one."""
    rgb, weights = _binned(colors, counts)
    lab = srgb_to_lab(rgb)
    centers: list[int] = []
    for index in np.argsort(-weights, kind="stable"):
        if not centers or ((lab[centers] - lab[index]) ** 2).sum(axis=1).min() > merge**2:
            centers.append(int(index))
            if len(centers) == _MOST_CLUSTERS:
                break
    return rgb[centers]


def _coherent(
    rgb: NDArray[np.uint8],
    colors: NDArray[np.uint8],
    weight: NDArray[np.bool_],
    tolerances: Tolerances,
    progress: Progress,
) -> NDArray[np.uint8]:
    """The colours that fill a square of their own somewhere often enough; the commonest one always stays.

    A colour between two commoner ones may be the halo of their edge: it needs a larger square.
    """
    label, _ = nearest(rgb, colors, progress)
    least = max(_LEAST_PIXELS, _LEAST_SHARE * float(weight.sum()))
    narrow, wide = (_deep(label, weight, side, len(colors)) for side in (tolerances.core, tolerances.halo))
    table = colors.astype(np.float32)
    kept: list[int] = []
    for index in np.argsort(-np.bincount(label[weight], minlength=len(colors)), kind="stable").tolist():
        between = any(
            mixture(table[index][None], table[a], table[b])[1][0] < tolerances.segment for a, b in combinations(kept, 2)
        )
        if not kept or (wide if between else narrow)[index] >= least:
            kept.append(index)
    return colors[kept]


def _deep(label: NDArray[np.uint8], weight: NDArray[np.bool_], side: int, count: int) -> NDArray[np.int64]:
    """Pixels of each label in the middle of a `side` x `side` square of that label."""
    return np.bincount(label[deep(label, side) & weight], minlength=count)


def _binned(colors: NDArray[np.uint8], counts: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The commonest colour of every cell of 4 levels a channel, with the weight of the cell."""
    cells = (colors >> 2).astype(np.uint32) @ np.array([1 << 12, 1 << 6, 1], np.uint32)
    order = np.lexsort((-counts, cells))
    _, first, inverse = np.unique(cells[order], return_index=True, return_inverse=True)
    return colors[order][first], np.bincount(inverse, counts[order]).astype(np.int64)


def _reduced(pixels: NDArray[np.uint8], colors: NDArray[np.uint8], limit: int) -> NDArray[np.uint8]:
    return _reduced_weighted(*_exact_colors(pixels), colors, limit)


def _reduced_weighted(
    colors: NDArray[np.uint8], counts: NDArray[np.int64], centers: NDArray[np.uint8], limit: int
) -> NDArray[np.uint8]:
    """Join the pair of centres whose union costs least (Ward) until `limit` are left; largest first."""
    lab, center_lab = srgb_to_lab(colors), srgb_to_lab(centers)
    owner = _owner(lab, center_lab)
    mass = np.bincount(owner, counts, len(centers)).astype(np.float64)
    alive = list(range(len(centers)))
    position = center_lab.astype(np.float64)
    while len(alive) > limit:
        points, weight = position[alive], mass[alive]
        gap = ((points[:, None] - points[None]) ** 2).sum(axis=2)
        cost = gap * (weight[:, None] * weight[None] / np.maximum(weight[:, None] + weight[None], 1))
        np.fill_diagonal(cost, np.inf)
        i, j = divmod(int(cost.argmin()), len(alive))
        keep, drop = (alive[i], alive[j]) if mass[alive[i]] >= mass[alive[j]] else (alive[j], alive[i])
        total = max(mass[keep] + mass[drop], 1)
        position[keep] = (position[keep] * mass[keep] + position[drop] * mass[drop]) / total
        mass[keep] = total
        alive.remove(drop)
    owner = _owner(lab, position[alive].astype(np.float32))
    chosen = [_typical(colors[owner == k], counts[owner == k], centers[index]) for k, index in enumerate(alive)]
    order = np.argsort(-np.bincount(owner, counts, len(alive)), kind="stable")
    return np.array(chosen, np.uint8)[order]


def _typical(colors: NDArray[np.uint8], counts: NDArray[np.int64], fallback: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The commonest colour when it dominates (a flat colour keeps its exact hex), else the mean."""
    if not len(colors):
        return fallback
    top = int(counts.argmax())
    if counts[top] >= 0.25 * counts.sum():
        return colors[top]
    return np.rint(np.average(colors, axis=0, weights=counts)).astype(np.uint8)


def _owner(lab: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.int64]:
    best = np.full(len(lab), np.inf, np.float32)
    owner = np.zeros(len(lab), np.int64)
    for index, center in enumerate(centers):
        distance = ((lab - center) ** 2).sum(axis=1)
        closer = distance < best
        owner[closer] = index
        best[closer] = distance[closer]
    return owner


def _thin_color(
    rgb: NDArray[np.uint8],
    colors: NDArray[np.uint8],
    weight: NDArray[np.bool_],
    tolerances: Tolerances,
    progress: Progress,
) -> NDArray[np.uint8] | None:
    """The colour of thin lines that no palette colour, nor a mixture of two, explains; None when there is none."""
    _, unexplained = allowed_colors(rgb, colors, tolerances, progress)
    unexplained &= weight
    if unexplained.sum() < max(_LEAST_PIXELS, _THIN_SHARE * weight.sum()):
        return None
    found, counts = _exact_colors(rgb[unexplained])
    lab = srgb_to_lab(found)
    reach = np.sqrt(((lab[:, None] - srgb_to_lab(colors)[None]) ** 2).sum(axis=2).min(axis=1))
    # A line's pixels lie between the ground and its true colour: the far end is the colour.
    far = reach >= np.quantile(np.repeat(reach, counts), 0.9)
    color = np.rint(np.average(found[far], axis=0, weights=counts[far])).astype(np.uint8)[None]
    known = float(np.linalg.norm(srgb_to_lab(colors) - srgb_to_lab(color), axis=1).min()) < tolerances.merge
    return None if known else color
