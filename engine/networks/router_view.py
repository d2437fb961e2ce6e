"""How the router looks at a picture: laid on a ground, cut out of it, at one size."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Alpha = NDArray[np.float32]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WORKING_SIZE = 224  # px, longer side of the cut-out drawing
MARGIN = 8  # px of ground kept around it, so that strokes at its edge end in ground

_FIRST_SIZE = 384  # px, longer side before the cut-out: bounds the work on large pictures
_INK = 16.0  # CIE76 from the ground: above JPEG ringing at q60, below pale fills
_GROUND = 14.0  # CIE76 within which border pixels count as the same ground (a cell of the search, corner to corner)
_NEARLY_WHITE = 200.0  # mean luma of a transparent drawing from which it is shown on black


@dataclass(frozen=True)
class Drawing:
    """A cut-out picture whose longer side is `WORKING_SIZE`, with a `MARGIN` of ground around it."""

    lab: Floats  # (H, W, 3) CIELAB
    ink: Mask  # (H, W), where it differs from the ground


def cut_out(rgb: Pixels, alpha: Alpha | None = None) -> Drawing | None:
    """The drawing without its padding: RGB (H, W, 3), alpha (H, W) 1 = opaque or None for opaque.

    The ground is the commonest colour of the border. None when nothing differs from it.
    """
    flat = flatten(rgb, alpha, _FIRST_SIZE)
    lab = _lab(flat)
    ground = _ground(lab)
    ink = distance(lab, ground) > _INK
    if min(ink.shape) > 8:  # single specks are no drawing
        ink = cv2.medianBlur(ink.astype(np.uint8), 3) > 0
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return None
    part = _fit(flat[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], WORKING_SIZE, enlarge=True)
    inner = _lab(cv2.medianBlur(part, 3).astype(np.uint8, copy=False))
    height, width = inner.shape[:2]
    framed = np.empty((height + 2 * MARGIN, width + 2 * MARGIN, 3), np.float32)
    framed[:] = ground
    framed[MARGIN:-MARGIN, MARGIN:-MARGIN] = inner
    return Drawing(framed, distance(framed, ground) > _INK)


def flatten(rgb: Pixels, alpha: Alpha | None, longest: int, *, enlarge: bool = False) -> Pixels:
    """RGB whose longer side is at most (with `enlarge`: exactly) `longest` px, without transparency.

    A transparent drawing is laid on white, or on black when it is nearly white itself.
    """
    if alpha is None:
        return _fit(rgb, longest, enlarge=enlarge).astype(np.uint8, copy=False)
    light = _fit(rgb * alpha[..., None], longest, enlarge=enlarge)
    cover = _fit(alpha, longest, enlarge=enlarge)[..., None]
    mean = light.sum((0, 1)) / max(float(cover.sum()), 1e-6)
    ground = 255.0 if mean @ (0.299, 0.587, 0.114) < _NEARLY_WHITE else 0.0
    return np.rint(light + ground * (1 - cover)).clip(0, 255).astype(np.uint8)


def distance(lab: NDArray[np.floating[Any]], color: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """CIE76 of every pixel (..., 3) from one colour (3,)."""
    apart = lab - color
    return np.sqrt(np.einsum("...c,...c->...", apart, apart))


def _fit(picture: NDArray[Any], longest: int, *, enlarge: bool = False) -> NDArray[Any]:
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1 and not enlarge:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return resized.astype(picture.dtype, copy=False)


def _lab(rgb: Pixels) -> Floats:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32, copy=False)


def _ground(lab: Floats) -> Floats:
    sides = [lab[:2], lab[-2:], lab[:, :2], lab[:, -2:]]
    border = np.concatenate([side.reshape(-1, 3) for side in sides])
    cells = np.floor((border + 128) / 8).astype(np.int64) @ (1 << 20, 1 << 10, 1)
    values, counts = np.unique(cells, return_counts=True)
    common = np.median(border[cells == values[counts.argmax()]], axis=0).astype(np.float32)
    return np.median(border[distance(border, common) < _GROUND], axis=0).astype(np.float32)
