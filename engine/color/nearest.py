"""The palette colour that looks most like each pixel: by CIEDE2000, exactly, for millions of pixels."""

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from ..progress import Progress, part, silent

Labels = NDArray[np.uint8]

_CODES = 1 << 24
_CELL = 8  # levels a side of the cubes in which most of a palette is ruled out at once
_SLACK = 1.0  # how far a difference inside a cube may lie beyond those at its corners and middle
_CHUNK = 1_000_000  # pixels between two progress reports
_PAIRS = 250_000  # differences between two progress reports


def nearest_by_eye(pixels: NDArray[np.uint8], palette: NDArray[np.uint8], progress: Progress = silent) -> Labels:
    """Index of the palette colour of least CIEDE2000 for each pixel (..., 3): (...). Ties go to the lower index.

    palette: (n, 3), 1 <= n <= 255. Every colour in use is judged once: pictures have far fewer than pixels.
    """
    flat = pixels.reshape(-1, 3)
    table = np.full(_CODES, 255, np.uint8)
    starts = range(0, len(flat), _CHUNK)
    for start in starts:
        progress(0.2 * start / len(flat))
        table[_codes(flat[start : start + _CHUNK])] = 0
    used = np.flatnonzero(table == 0).astype(np.int32)
    colors = np.empty((len(used), 3), np.uint8)
    for start in range(0, len(used), _CHUNK):
        progress(0.2)
        some = used[start : start + _CHUNK]
        for channel, shift in enumerate((16, 8, 0)):
            colors[start : start + _CHUNK, channel] = some >> shift & 255
    progress(0.2)
    table[used] = _judged(colors, palette, part(progress, 0.2, 0.8))
    labels = np.empty(len(flat), np.uint8)
    for start in starts:
        progress(0.8 + 0.2 * start / len(flat))
        labels[start : start + _CHUNK] = table[_codes(flat[start : start + _CHUNK])]
    progress(1.0)
    return labels.reshape(pixels.shape[:-1])


def _codes(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    red, green, blue = (pixels[:, channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _judged(colors: NDArray[np.uint8], palette: NDArray[np.uint8], progress: Progress) -> Labels:
    """The answer for each of some distinct colours (n, 3)."""
    cell = _codes(colors // _CELL)
    present = np.zeros(int(cell.max(initial=0)) + 1, bool)
    present[cell] = True
    cells = np.flatnonzero(present).astype(np.int32)
    cell = (np.cumsum(present, dtype=np.int32) - 1)[cell]
    progress(0.1)
    possible = _possible(cells, palette, part(progress, 0.1, 0.3))
    label = possible.argmax(axis=1).astype(np.uint8)[cell]  # right where only one is possible
    open_ = np.flatnonzero((possible.sum(axis=1) > 1)[cell])
    lab, centers = _lab(colors[open_], part(progress, 0.3, 0.4)), _lab(palette)
    best = np.full(len(open_), np.inf)
    for index, center in enumerate(centers):
        mine = np.flatnonzero(possible[cell[open_], index])
        for start in range(0, len(mine), _PAIRS):
            progress(0.4 + 0.6 * (index + start / len(mine)) / len(centers))
            some = mine[start : start + _PAIRS]
            gap = np.asarray(deltaE_ciede2000(lab[some], center[None]))
            closer = gap < best[some]
            best[some[closer]] = gap[closer]
            label[open_[some[closer]]] = index
    return label


def _possible(cells: NDArray[np.int32], palette: NDArray[np.uint8], progress: Progress) -> NDArray[np.bool_]:
    """Which palette colours may be nearest somewhere in each cube of colours: (cubes, n)."""
    base = np.stack([cells >> 16, cells >> 8 & 255, cells & 255], axis=1) * _CELL
    corners = [[(_CELL - 1) * (number >> axis & 1) for axis in range(3)] for number in range(8)]
    points = [*corners, [_CELL // 2] * 3]
    centers = _lab(palette)
    low = np.full((len(cells), len(palette)), np.inf)
    high = np.zeros_like(low)
    rows = max(1, _PAIRS // len(palette))
    for number, point in enumerate(points):
        lab = _lab((base + point).astype(np.uint8))
        for start in range(0, len(cells), rows):
            progress((number + start / len(cells)) / len(points))
            gaps = np.asarray(deltaE_ciede2000(lab[start : start + rows, None], centers[None]))
            low[start : start + rows] = np.minimum(low[start : start + rows], gaps)
            high[start : start + rows] = np.maximum(high[start : start + rows], gaps)
    return low <= high.min(axis=1, keepdims=True) + _SLACK


def _lab(rgb: NDArray[np.uint8], progress: Progress = silent) -> NDArray[np.float64]:
    """CIELAB of colours (n, 3). Not by OpenCV, whose tables are off by a tenth of a difference that people see."""
    lab = np.empty(rgb.shape, np.float64)
    for start in range(0, len(rgb), _PAIRS):
        progress(start / len(rgb))
        lab[start : start + _PAIRS] = rgb2lab(rgb[start : start + _PAIRS] / 255)
    return lab
