"""Which palette colours may stand at a pixel: those of flat neighbours, not those that an edge passes through.

An anti-aliased edge pixel is a mixture of the two colours that it lies between. Its colour
may happen to be close to a third one of the palette; snapping it there draws a fringe. So
every pixel gets the set of colours of the flat regions ("cores") around it, and is decided
among those alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .spaces import srgb_to_lab

Sets = NDArray[np.uint32]  # bit k set = palette colour k is allowed


@dataclass(frozen=True)
class Tolerances:
    """How far a pixel may be from what it should be.

    flat: largest difference, in bytes, inside a flat 3 x 3 window. near: distance (CIELAB / 100) within
    which a pixel has a palette colour, however thin its region. segment: distance in bytes from the straight
    line between two colours within which a pixel is their mixture. subsampled: chroma may be mixed otherwise than
    luma. around: how far apart, in pixels, two colours may be that mix. merge: distance (CIELAB / 100) within
    which two colours are one. core: width in pixels of the smallest square that proves a colour of its own;
    halo: the same for a colour between two others, which may be what surrounds their edges.
    """

    flat: int
    near: float
    segment: float
    subsampled: bool
    around: int
    merge: float
    core: int
    halo: int


CLEAN = Tolerances(flat=12, near=0.04, segment=16, subsampled=False, around=3, merge=0.035, core=3, halo=5)
# After JPEG: blocks ring by some ten levels, and 4:2:0 chroma pulls edge pixels off the straight line.
COMPRESSED = Tolerances(flat=16, near=0.06, segment=44, subsampled=True, around=8, merge=0.05, core=5, halo=9)

# Columns: luma and the two colour differences of JPEG (ITU-T T.871).
_TO_YCC = np.array([[0.299, -0.1687, 0.5], [0.587, -0.3313, -0.4187], [0.114, 0.5, -0.0813]], np.float32)
_REACH = 3  # pixels: an edge blurred by JPEG chroma spans at most this far from a flat region
_STRIP = 150_000  # pixels looked at between two progress reports


def flat(rgb: NDArray[np.uint8], tolerances: Tolerances) -> NDArray[np.bool_]:
    """Where the 3 x 3 neighbourhood differs by no more than the tolerance: (H, W)."""
    window = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(rgb, window), cv2.erode(rgb, window))
    return spread.reshape(*rgb.shape[:2], -1).max(axis=2) <= tolerances.flat


def nearest(
    rgb: NDArray[np.uint8], palette: NDArray[np.uint8], progress: Progress = silent
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Index of the nearest palette colour in CIELAB and the distance to it, both (H, W).

    rgb: (H, W, 3); palette: (n, 3), 1 <= n <= 32. Ties go to the lower index.
    """
    lab, centers = srgb_to_lab(rgb), srgb_to_lab(palette)
    best = np.full(rgb.shape[:2], np.inf, np.float32)
    label = np.zeros(rgb.shape[:2], np.uint8)
    for index, center in enumerate(centers):
        progress(index / len(centers))
        distance = ((lab - center) ** 2).sum(axis=-1)
        closer = distance < best
        label[closer] = index
        np.minimum(best, distance, out=best)
    return label, np.sqrt(best)


def deep(label: NDArray[np.uint8], side: int) -> NDArray[np.bool_]:
    """Where a label (H, W) is alone in the square of `side` pixels around."""
    square = np.ones((side, side), np.uint8)
    return cv2.dilate(label, square) == cv2.erode(label, square)


def allowed_colors(
    rgb: NDArray[np.uint8], palette: NDArray[np.uint8], tolerances: Tolerances, progress: Progress = silent
) -> tuple[Sets, NDArray[np.bool_]]:
    """The palette colours allowed at each pixel, and where a pixel is explained by none of them; both (H, W)."""
    height, width = rgb.shape[:2]
    sets, unexplained = np.empty((height, width), np.uint32), np.empty((height, width), bool)
    margin = 3 + max(_REACH, tolerances.around)  # rows that a pixel's answer depends on
    rows = max(4 * margin, _STRIP // width)
    for top in range(0, height, rows):
        progress(top / height)
        start = max(top - margin, 0)
        found = _allowed(rgb[start : top + rows + margin], palette, tolerances)
        sets[top : top + rows], unexplained[top : top + rows] = (
            plane[top - start : top - start + rows] for plane in found
        )
    return sets, unexplained


def _allowed(
    rgb: NDArray[np.uint8], palette: NDArray[np.uint8], tolerances: Tolerances
) -> tuple[Sets, NDArray[np.bool_]]:
    label, distance = nearest(rgb, palette)
    own = np.left_shift(np.uint32(1), label.astype(np.uint32))
    near = distance <= tolerances.near
    core = flat(rgb, tolerances) & near & deep(label, tolerances.core)
    mixed = _is_mixture(
        rgb, palette, _spread(np.where(core, own, 0).astype(np.uint32), tolerances.around), own, tolerances
    )
    core |= near & ~mixed
    cores = np.where(core, own, 0).astype(np.uint32)
    sets = _spread(cores, 1)
    lonely = ~core & (_count(sets) < 2)
    for reach in range(2, _REACH + 1):
        if not lonely.any():
            break
        sets = np.where(lonely, _spread(cores, reach), sets)
        lonely = ~core & (_count(sets) < 2)
    around = _spread(cores, tolerances.around)
    unexplained = ~core & ~near & ~_is_mixture(rgb, palette, around, np.zeros_like(own), tolerances)
    thin = _thin_parts(rgb, palette, np.where(unexplained, around, 0).astype(np.uint32), tolerances)
    unexplained &= thin == 0
    return np.where(unexplained | (sets == 0), sets | own, sets) | thin, unexplained


def by_set(sets: Sets) -> Iterator[tuple[NDArray[np.int64], NDArray[np.intp]]]:
    """Group pixels by their set: (members of the set, flat indices of its pixels), in order of the set's bits."""
    flat_sets = sets.reshape(-1)
    order = np.argsort(flat_sets, kind="stable")
    ends = np.flatnonzero(np.diff(flat_sets[order])) + 1
    for group in np.split(order, ends) if len(order) else ():
        yield members(int(flat_sets[group[0]])), group


def members(bits: int) -> NDArray[np.int64]:
    """Indices of the set bits, ascending."""
    return np.array([k for k in range(32) if bits >> k & 1], np.int64)


def mixture(
    colors: NDArray[np.float32], first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Share (0..1) of `second` in each colour (n, 3) and the distance from the segment first-second, in bytes.

    In sRGB bytes, not in linear light: renderers anti-alias in sRGB.
    """
    axis = second - first
    share = np.clip((colors - first) @ axis / max(float(axis @ axis), 1e-6), 0, 1)
    residual = np.linalg.norm(colors - (first + share[:, None] * axis), axis=1)
    return share.astype(np.float32), residual.astype(np.float32)


def _is_mixture(
    rgb: NDArray[np.uint8], palette: NDArray[np.uint8], sets: Sets, own: Sets, tolerances: Tolerances
) -> NDArray[np.bool_]:
    """Where the colour lies on the segment between two allowed colours other than its own."""
    found = np.zeros(sets.size, bool)
    pixels = rgb.reshape(-1, 3)
    table = palette.astype(np.float32)
    for group_members, group in by_set(np.where(_count(sets) > 1, sets, 0).astype(np.uint32)):
        colors, mine = pixels[group].astype(np.float32), own.reshape(-1)[group]
        for a, b in combinations(group_members.tolist(), 2):
            measure = _subsampled_residual if tolerances.subsampled else _residual
            other = mine & np.uint32(1 << a | 1 << b) == 0
            found[group] |= other & (measure(colors, table[a], table[b]) < tolerances.segment)
    return found.reshape(sets.shape)


def _thin_parts(rgb: NDArray[np.uint8], palette: NDArray[np.uint8], sets: Sets, tolerances: Tolerances) -> Sets:
    """For pixels between a flat colour close by and one found only elsewhere: both, else nothing.

    A line thinner than a pixel never reaches its colour; it still is a mixture of it and the ground.
    """
    parts = np.zeros(sets.size, np.uint32)
    table = palette.astype(np.float32)
    measure = _subsampled_residual if tolerances.subsampled else _residual
    for group_members, group in by_set(sets):
        colors = rgb.reshape(-1, 3)[group].astype(np.float32)
        best = np.full(len(group), tolerances.segment, np.float32)
        for a in group_members.tolist():
            for b in range(len(table)):
                residual = measure(colors, table[a], table[b])
                closer = residual < best
                best = np.where(closer, residual, best)
                parts[group[closer]] = np.uint32(1 << a | 1 << b)
    return parts.reshape(sets.shape)


def _residual(
    colors: NDArray[np.float32], first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    return mixture(colors, first, second)[1]


def _subsampled_residual(
    colors: NDArray[np.float32], first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Distance from the mixtures of two colours whose chroma was stored at half the size and mixes on its own."""
    ycc, a, b = (value @ _TO_YCC for value in (colors, first, second))
    outside = np.maximum(np.minimum(a[0], b[0]) - ycc[:, 0], ycc[:, 0] - np.maximum(a[0], b[0]))
    return np.hypot(np.maximum(outside, 0), mixture(ycc[:, 1:], a[1:], b[1:])[1])


def _spread(sets: Sets, reach: int) -> Sets:
    """Union of the sets in a square of 2 reach + 1 pixels."""
    result = sets
    for axis in (0, 1):
        line = result
        result = line.copy()
        for step in range(1, min(reach, line.shape[axis] - 1) + 1):
            ahead = (slice(step, None), slice(None)) if axis == 0 else (slice(None), slice(step, None))
            behind = (slice(None, -step), slice(None)) if axis == 0 else (slice(None), slice(None, -step))
            result[behind] |= line[ahead]
            result[ahead] |= line[behind]
    return result


def _count(sets: Sets) -> NDArray[np.uint8]:
    """Number of colours in each set."""
    bits = np.unpackbits(np.ascontiguousarray(sets).view(np.uint8).reshape(*sets.shape, 4), axis=-1)
    return bits.sum(axis=-1, dtype=np.uint8)
