"""Resizing finished pictures for people: Lanczos-3 in linear light, colours weighted by their alpha.

Not for what is traced afterwards (see `resize`): there an edge must stay where a renderer drew it. Here brightness
must stay what the eye adds up: a fine pattern of black and white shrinks to the grey that it shows from afar.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..errors import BadInput
from ..progress import Progress, part, silent
from .alpha import bleed_colors
from .resize import MAX_SIDE
from .tiles.light import to_linear, to_srgb

Extreme = tuple[Callable[..., Any], np.ufunc]  # over a stretch of rows, and of two arrays

_STEP = 1 / 255
_LEAST: Extreme = (cv2.erode, np.minimum)
_GREATEST: Extreme = (cv2.dilate, np.maximum)


def resize_linear(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None,
    width: int,
    height: int,
    progress: Progress = silent,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Resize sRGB (H, W, 3) with alpha (H, W) 0..1, or None for opaque, to (height, width); colours become 0..1.

    Lanczos-3 overshoots beside edges, and in linear light a small overshoot on a dark colour is a bright seam: every
    value is clipped to the range of the pixels it stands for, so flat stays flat to the bit. Colours stay straight;
    hidden ones (alpha 0) never tint, and where the result is transparent it has the nearest visible colour. The size
    that the picture has already gives the same picture. Raises BadInput for a size outside 1..16384 or no pixels.
    """
    high, wide = rgb.shape[:2]
    if min(width, height, high, wide) < 1 or max(width, height) > MAX_SIDE:
        raise BadInput(
            "The size to resize to is out of range",
            value=f"{width} x {height} from {wide} x {high}",
            limit=f"1 x 1 to {MAX_SIDE} x {MAX_SIDE}",
            remedy="Choose another size.",
        )
    if (high, wide) == (height, width):
        return np.divide(rgb, 255, dtype=np.float32), None if alpha is None else alpha.copy()
    if alpha is not None:
        alpha = np.nan_to_num(np.clip(alpha, 0, 1).astype(np.float32))
    seen = bleed_colors(rgb, alpha, 0.0)
    progress(0.1)
    rows, columns = _Windows(high, height), _Windows(wide, width)
    opacity = None if alpha is None else _opacity(alpha, rows, columns)
    progress(0.2)
    colors = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        step = part(progress, 0.2 + 0.8 * channel / 3, 0.2 + 0.8 * (channel + 1) / 3)
        plane = np.ascontiguousarray(seen[..., channel])
        light = np.asarray(cv2.LUT(plane, _LINEAR), np.float32)
        light = light if alpha is None else light * alpha
        shrunk = _lanczos(light, width, height)
        step(0.25)
        if opacity is not None:
            some = opacity > 0
            nearest = _LINEAR[plane[np.ix_(rows.middle, columns.middle)]]
            shrunk = np.where(some, shrunk / np.where(some, opacity, 1), nearest)
        least, most = _bounds(plane, rows, columns)
        step(0.5)
        levels = _to_srgb(shrunk) * np.float32(255)
        step(0.75)
        colors[..., channel] = np.clip(levels, least, most) / np.float32(255)
        step(1.0)
    return colors, opacity


class _Windows:
    """For each of `new` pixels along an axis: which of the `old` ones it stands for, at least one on each side."""

    def __init__(self, old: int, new: int) -> None:
        scale = old / new
        center = (np.arange(new) + 0.5) * scale
        half = max(scale / 2, 1.0)
        # The small number keeps an edge that lies on a pixel's border from taking in the next pixel.
        start = np.floor(center - half + 1e-6).astype(np.intp)
        end = np.ceil(center + half - 1e-6).astype(np.intp)
        self.middle = np.minimum(center.astype(np.intp), old - 1)
        # Two stretches of one length, which overlap, make a window: so one running extreme serves all windows.
        self._length = min(int((end - start).min()), old)
        self._first, self._last = (np.clip(at, 0, old - self._length) for at in (start, end - self._length))

    def reduce(self, plane: NDArray, extreme: Extreme) -> NDArray:
        """The least or greatest value of the rows of each window."""
        filtered, choose = extreme
        running = np.asarray(filtered(plane, np.ones((self._length, 1), np.uint8), anchor=(0, 0)))
        return choose(running[self._first], running[self._last])


def _bounds(plane: NDArray, rows: _Windows, columns: _Windows) -> tuple[NDArray, NDArray]:
    """Least and greatest value of the pixels that each pixel of the result stands for."""
    low, high = (
        columns.reduce(np.ascontiguousarray(rows.reduce(plane, extreme).T), extreme).T
        for extreme in (_LEAST, _GREATEST)
    )
    return low, high


def _opacity(alpha: NDArray[np.float32], rows: _Windows, columns: _Windows) -> NDArray[np.float32]:
    size = len(columns.middle), len(rows.middle)
    resized = np.clip(_lanczos(alpha, *size), *_bounds(alpha, rows, columns))
    return np.select([resized < _STEP / 2, resized > 1 - _STEP / 2], [np.float32(0), np.float32(1)], resized)


def _lanczos(plane: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Pillow's Lanczos-3 of a float32 (H, W), widened by the scale when shrinking, so that nothing is skipped."""
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS), np.float32)


def _linear_table() -> NDArray[np.float32]:
    """Linear light of the 256 sRGB bytes."""
    values = torch.arange(256, dtype=torch.float32) / 255
    return to_linear(values, torch.empty_like(values), torch.empty_like(values)).numpy()


_LINEAR = _linear_table()


def _to_srgb(light: NDArray[np.float32]) -> NDArray[np.float32]:
    values = torch.from_numpy(light.copy())
    return to_srgb(values, values, torch.empty_like(values)).numpy()
