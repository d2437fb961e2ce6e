"""Give every pixel of an upscaled image one colour of the palette, with edges where the source has them."""

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from .mixtures import allowed_colors, by_set, mixture
from .source import Source

Labels = NDArray[np.uint8]

_RIPPLE = 0.5  # source pixels: a blur that calms ringing; it moves no straight edge
_CHUNK = 1_000_000  # pixels decided between two progress reports


def snap_labels(
    image: NDArray[np.uint8],
    source: Source,
    palette: NDArray[np.uint8],
    cleanup: int = 0,
    progress: Progress = silent,
) -> Labels:
    """Index of a palette colour for every pixel of `image`: (H, W), 0..n-1.

    image: (H, W, 3), usually the source upscaled; palette: (n, 3), 1 <= n <= 32.
    cleanup: median window in pixels of `image`, 0 or 1 = none.
    """
    size = image.shape[1], image.shape[0]
    sets, _ = allowed_colors(source.rgb, palette, source.tolerances, part(progress, 0, 0.2))
    kinds, indices = _kinds(sets, part(progress, 0.2, 0.25))
    spread = np.asarray(cv2.resize(indices, size, interpolation=cv2.INTER_NEAREST), np.int32)
    lone = kinds & (kinds - np.uint32(1)) == 0
    only = np.zeros(len(kinds), np.uint8)
    only[lone] = np.log2(kinds[lone].astype(np.float64)).astype(np.uint8)
    labels = only[spread]
    contested = np.flatnonzero(~lone[spread].reshape(-1))
    progress(0.3)
    if source.compressed:
        blur = _RIPPLE * image.shape[1] / source.rgb.shape[1]
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur), np.uint8)
    _decide(labels, image, kinds[spread.reshape(-1)[contested]], contested, palette, part(progress, 0.3, 0.9))
    if cleanup > 1:
        labels = np.asarray(cv2.medianBlur(labels, cleanup | 1), np.uint8)
    progress(1.0)
    return labels


def _kinds(sets: NDArray[np.uint32], progress: Progress) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """The distinct sets, ascending, and the index of each pixel's among them."""
    rows = max(1, _CHUNK // sets.shape[1])
    starts = range(0, len(sets), rows)
    found = np.zeros(0, np.uint32)
    for top in starts:
        progress(0.5 * top / len(sets))
        found = np.union1d(found, sets[top : top + rows])
    indices = np.empty(sets.shape, np.int32)
    for top in starts:
        progress(0.5 + 0.5 * top / len(sets))
        indices[top : top + rows] = np.searchsorted(found, sets[top : top + rows])
    return found, indices


def _decide(
    labels: Labels,
    image: NDArray[np.uint8],
    sets: NDArray[np.uint32],
    where: NDArray[np.intp],
    palette: NDArray[np.uint8],
    progress: Progress,
) -> None:
    """Fill `labels` at the flat indices `where` with one of each pixel's `sets`."""
    flat_labels, pixels, done = labels.reshape(-1), image.reshape(-1, 3), 0
    for group_members, group in by_set(sets):
        table = palette[group_members].astype(np.float32)
        for start in range(0, len(group), _CHUNK):
            target = where[group[start : start + _CHUNK]]
            colors = pixels[target].astype(np.float32)
            flat_labels[target] = group_members[_choose(colors, table)]
            done += len(target)
            progress(done / len(where))


def _choose(colors: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.int64]:
    """Index into `table` (m, 3) for each colour (n, 3): the larger part of the mixture that explains it best."""
    distance = np.stack([np.linalg.norm(colors - color, axis=1) for color in table], axis=1)
    choice = distance.argmin(axis=1)
    if len(table) == 2:
        return choice
    best = distance.min(axis=1)
    for a, b in combinations(range(len(table)), 2):
        share, residual = mixture(colors, table[a], table[b])
        # A pixel right at a third colour is that colour; well off it and on a segment, it is an edge.
        better = (residual < 0.5 * best) & (best > 12)
        choice = np.where(better, np.where(share > 0.5, b, a), choice)
        best = np.where(better, 2 * residual, best)
    return choice
