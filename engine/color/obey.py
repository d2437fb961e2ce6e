"""A shaded picture in colours that were given: every pixel takes the one that looks most like it.

Flat art has a palette of its own, which is found first and mapped as a whole. A photo has none: a few found colours
would stand for its ramps, and the border between two given colours would lie where it lies between two found ones. So
its pixels are decided one by one; only those of an edge between two even places take the colour of one of its sides,
at the half-way of the two (ADR 0004: a mixture may look like a third colour).
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from ..progress import Progress, part, silent
from ..raster.bilateral import bilateral
from .mixtures import Tolerances, flat
from .mixtures import nearest as nearest_in_lab
from .nearest import nearest_by_eye
from .palette import MAX_COLORS
from .source import Source

Labels = NDArray[np.uint8]
_Places = NDArray[np.int32]  # flat index of a pixel of the source, -1 = none

_AXES = ((0, 1), (1, 0), (1, 1), (1, -1))
_RIPPLE = 0.5  # source pixels: the blur that calms what an upscaler makes of compression
_CALM = (15, 30.0, 7.0)  # diameter in source pixels, sigmas in bytes and pixels: beyond noise, short of a colour's step
_STRIP = 150_000  # pixels of the source looked at between two progress reports
_CHUNK = 500_000  # pixels of the image decided between two
_LOOKED_AT = 500_000  # pixels of the source, at most, that tell whether its own colours stand for it
_MISREAD = 0.002  # share of the even pixels
_NOISE = 2.0  # CIEDE2000: less than this is no reason to tear a noisy place apart


def is_shaded(source: Source, gradients: bool) -> bool:
    """Whether a picture is no flat art: it has smooth ramps, or hardly any even places."""
    return gradients or 2 * int(flat(source.rgb, source.tolerances).sum()) < source.rgb.shape[0] * source.rgb.shape[1]


def is_misread(
    source: Source,
    visible: NDArray[np.bool_] | None,
    colors: NDArray[np.uint8],
    table: NDArray[np.uint8],
    wanted: NDArray[np.uint8],
    progress: Progress = silent,
) -> bool:
    """Whether the colours found in flat art cannot stand for it: there are more, or even places would look wrong.

    visible: (h, w), None = all. colors: (n, 3) that were found, table: (n, 3) what each would become, one of wanted.
    """
    if len(colors) >= MAX_COLORS:
        return True
    step = int(np.ceil(np.sqrt(source.rgb.shape[0] * source.rgb.shape[1] / _LOOKED_AT)))
    even = flat(source.rgb, replace(source.tolerances, flat=0))[::step, ::step]
    progress(0.2)
    noisy = flat(source.rgb, source.tolerances)[::step, ::step]
    progress(0.4)
    if visible is not None:
        noisy = noisy & visible[::step, ::step]
    if not noisy.any():
        return False
    rgb, slack = source.rgb[::step, ::step][noisy], np.full(int(noisy.sum()), _NOISE)
    if not source.compressed:  # what is even to the bit is no noise
        slack[even[noisy]] = 0
    label, _ = nearest_in_lab(rgb[None], colors)
    progress(0.6)
    ours, best = table[label[0]], wanted[nearest_by_eye(rgb, wanted)]
    progress(0.8)
    other = np.flatnonzero((ours != best).any(axis=1))
    wrong = 0
    for start in range(0, len(other), _STRIP):
        progress(0.8 + 0.2 * start / len(other))
        some = other[start : start + _STRIP]
        lab, taken, better = (rgb2lab(part_of[some] / 255) for part_of in (rgb, ours, best))
        gap = np.asarray(deltaE_ciede2000(lab, taken)) - np.asarray(deltaE_ciede2000(lab, better))
        wrong += int((gap > slack[some] + 1e-9).sum())
    progress(1.0)
    return wrong > _MISREAD * len(rgb)


def obey_labels(
    image: NDArray[np.uint8],
    source: Source,
    palette: NDArray[np.uint8],
    cleanup: int = 0,
    progress: Progress = silent,
) -> Labels:
    """Index of a palette colour for every pixel of `image`: (H, W), 0..n-1.

    image: (H, W, 3), usually the source upscaled; palette: (n, 3), 1 <= n <= 32. cleanup: median window in pixels of
    `image`, 0 or 1 = none.
    """
    size = image.shape[1], image.shape[0]
    calm = source.rgb
    if source.compressed:  # noise would fray the border between two colours of a ramp
        calm = bilateral(calm, *_CALM, part(progress, 0, 0.05))
    own = nearest_by_eye(calm, palette, part(progress, 0.05, 0.1))
    first, second = _sides(source.rgb, source.tolerances, part(progress, 0.1, 0.3))
    even = image
    if source.compressed:
        even = np.asarray(cv2.resize(calm, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        blur = _RIPPLE * image.shape[1] / source.rgb.shape[1]
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur), np.uint8)
    labels = nearest_by_eye(even, palette, part(progress, 0.3, 0.75))
    between = np.flatnonzero(first.reshape(-1) >= 0).astype(np.int32)
    place = np.full(first.shape, -1, np.int32)
    place.reshape(-1)[between] = np.arange(len(between))
    spread = np.asarray(cv2.resize(place, size, interpolation=cv2.INTER_NEAREST), np.int32).reshape(-1)
    ends = [side.reshape(-1)[between] for side in (first, second)]
    for start in range(0, spread.size, _CHUNK):
        progress(0.75 + 0.2 * start / spread.size)
        here = np.flatnonzero(spread[start : start + _CHUNK] >= 0) + start
        _decide(labels, image, here, [end[spread[here]] for end in ends], source.rgb, own)
    if cleanup > 1:
        labels = np.asarray(cv2.medianBlur(labels, cleanup | 1), np.uint8)
    progress(1.0)
    return labels


def _decide(
    labels: Labels,
    image: NDArray[np.uint8],
    here: NDArray[np.intp],
    ends: list[_Places],
    source: NDArray[np.uint8],
    own: Labels,
) -> None:
    """Give the pixels at the flat indices `here` the colour of that end which they have more of."""
    colors, flat_source = image.reshape(-1, 3)[here].astype(np.float32), source.reshape(-1, 3)
    share, _ = _mixtures(colors, *(flat_source[end].astype(np.float32) for end in ends))
    labels.reshape(-1)[here] = np.where(share > 0.5, own.reshape(-1)[ends[1]], own.reshape(-1)[ends[0]])


def _sides(rgb: NDArray[np.uint8], tolerances: Tolerances, progress: Progress) -> tuple[_Places, _Places]:
    """For each pixel of an edge the even places on its two sides, else -1: two (H, W)."""
    height, width = rgb.shape[:2]
    first, second = np.full((height, width), -1, np.int32), np.full((height, width), -1, np.int32)
    margin = 2 * tolerances.around + 2
    rows = max(4 * margin, _STRIP // width)
    for top in range(0, height, rows):
        progress(top / height)
        start = max(top - margin, 0)
        found = _sides_of(rgb[start : top + rows + margin], tolerances)
        for plane, side in zip((first, second), found, strict=True):
            ours = side[top - start : top - start + rows]
            plane[top : top + rows] = np.where(ours < 0, -1, ours + start * width)
    return first, second


def _sides_of(rgb: NDArray[np.uint8], tolerances: Tolerances) -> tuple[_Places, _Places]:
    even = flat(rgb, tolerances)
    first, second = np.full(even.shape, -1, np.int32), np.full(even.shape, -1, np.int32)
    nearby = _explain(rgb, even, np.flatnonzero(~even), first, second, tolerances)
    # The middle of a thin line is no mixture of what lies beside it: it is a side of its own flanks.
    odd = nearby & (first < 0)
    away = np.where(odd, _contrast(rgb, even), 0).astype(np.float32)
    ridge = odd & (away > tolerances.segment) & (away >= cv2.dilate(away, np.ones((3, 3), np.uint8)))
    _explain(rgb, even | ridge, np.flatnonzero(odd & ~ridge), first, second, tolerances)
    return first, second


def _contrast(rgb: NDArray[np.uint8], even: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in bytes of each pixel from the nearest even place."""
    if not even.any():
        return np.zeros(even.shape, np.float32)
    _, where = cv2.distanceTransformWithLabels(
        (~even).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    index = np.asarray(where, np.int32)
    colors = np.zeros((int(index.max()) + 1, 3), np.float32)
    colors[index[even]] = rgb[even]
    return np.linalg.norm(rgb - colors[index], axis=2)


def _explain(
    rgb: NDArray[np.uint8],
    even: NDArray[np.bool_],
    here: NDArray[np.intp],
    first: _Places,
    second: _Places,
    tolerances: Tolerances,
) -> NDArray[np.bool_]:
    """Write the sides of the pixels `here` that mix two even places across from each other; where any is near."""
    colors, flat_rgb = rgb.reshape(-1, 3)[here].astype(np.float32), rgb.reshape(-1, 3)
    best = np.full(len(here), tolerances.segment, np.float32)
    near = np.zeros(even.shape, bool)
    for axis in _AXES:
        one, other = (_along(even, here, axis, sign, tolerances.around) for sign in (1, -1))
        near.reshape(-1)[here[(one >= 0) | (other >= 0)]] = True
        both = np.flatnonzero((one >= 0) & (other >= 0))
        ends = (flat_rgb[side[both]].astype(np.float32) for side in (one, other))
        _, residual = _mixtures(colors[both], *ends)
        closer = residual < best[both]
        ours = both[closer]
        best[ours] = residual[closer]
        first.reshape(-1)[here[ours]] = one[ours]
        second.reshape(-1)[here[ours]] = other[ours]
    return near


def _along(even: NDArray[np.bool_], here: NDArray[np.intp], axis: tuple[int, int], sign: int, reach: int) -> _Places:
    """The first even place from each pixel in a direction, at most `reach` steps away, else -1."""
    height, width = even.shape
    rows, columns = np.divmod(here, width)
    found = np.full(len(here), -1, np.int32)
    for step in range(1, reach + 1):
        row, column = rows + sign * step * axis[0], columns + sign * step * axis[1]
        at = np.flatnonzero((found < 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width))
        place = row[at] * width + column[at]
        hit = even.reshape(-1)[place]
        found[at[hit]] = place[hit]
    return found


def _mixtures(
    colors: NDArray[np.float32], first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`mixtures.mixture` row by row: share (0..1) of `second` in each colour (n, 3), distance from the segment."""
    axis, offset = second - first, colors - first
    share = np.clip((offset * axis).sum(axis=1) / np.maximum((axis * axis).sum(axis=1), 1e-6), 0, 1)
    return share, np.linalg.norm(offset - share[:, None] * axis, axis=1)
