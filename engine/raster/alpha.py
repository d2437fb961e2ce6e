"""Opacity: carried beside the colours, so that what is invisible never tints what is seen."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .resize import resize_lanczos

# At 8/255 a colour that was stored multiplied by its alpha in 8 bits is uncertain by 16 levels;
# below it there is more noise than colour.
INVISIBLE = 8 / 255

_STEP = 1 / 255


def flatten(
    rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None, ground: tuple[int, int, int] = (255, 255, 255)
) -> NDArray[np.uint8]:
    """Lay (H, W, 3) with alpha (H, W) 0..1 on a ground colour, in sRGB as renderers do.

    Without alpha the input itself is returned.
    """
    if alpha is None:
        return rgb
    return cv2.blendLinear(rgb, np.full_like(rgb, ground), alpha, 1 - alpha)  # pyright: ignore[reportReturnType]


def bleed_colors(
    rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None, invisible: float = INVISIBLE, progress: Progress = silent
) -> NDArray[np.uint8]:
    """Give every pixel with alpha <= `invisible` the colour of the nearest pixel above it.

    Then resizing the colours alone mixes in nothing that was never visible (the black under
    transparent pixels). Pixels above `invisible`, half-transparent edges too, keep their colour:
    it is straight, not multiplied by alpha. The input itself is returned when there is no
    alpha, or when no pixel or every pixel is invisible (there is no better colour then).
    """
    if alpha is None:
        return rgb
    hidden = alpha <= invisible
    if hidden.all() or not hidden.any():
        return rgb
    _, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    progress(0.4)
    nearest = np.asarray(labels, np.int32)
    seen = ~hidden
    colors = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colors[nearest[seen]] = rgb[seen]
    progress(0.7)
    bled = rgb.copy()
    bled[hidden] = colors[nearest[hidden]]
    return bled


def resize_alpha(alpha: NDArray[np.float32] | None, width: int, height: int) -> NDArray[np.float32] | None:
    """Resize alpha (H, W) 0..1 by `resize_lanczos`; None (opaque everywhere) stays None.

    What is within half an 8-bit step of 0 or 1 becomes exactly that: rounding in the filter
    must not turn an opaque picture into one with holes.
    """
    if alpha is None:
        return None
    resized = resize_lanczos(alpha, width, height)
    return np.select([resized < _STEP / 2, resized > 1 - _STEP / 2], [np.float32(0), np.float32(1)], resized)
