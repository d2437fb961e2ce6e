"""Whether a picture has smooth ramps of colour, which a few flat colours cannot give."""

import cv2
import numpy as np
from numpy.typing import NDArray

_EDGE = 24  # bytes of difference in a 3 x 3 window that make an edge
_CLEAR = 6  # pixels from an edge where its blur has ended
_BLUR = 2.0  # pixels: calms compression ripples, leaves ramps
_SLOPE = 0.25  # bytes per pixel: a ramp over 1000 px still reaches the other end of the scale
_SHARE = 0.05


def gradient_share(rgb: NDArray[np.uint8]) -> float:
    """Share (0..1) of the area away from edges on which colour changes steadily. rgb: (H, W, 3)."""
    window = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(rgb, window), cv2.erode(rgb, window)).max(axis=2)
    clear = cv2.distanceTransform((spread < _EDGE).astype(np.uint8), cv2.DIST_L2, 3) > _CLEAR
    if not clear.any():
        return 0.0
    smooth = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), _BLUR)
    slope = np.hypot(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)) / 32
    return float((slope.reshape(*rgb.shape[:2], -1).max(axis=2)[clear] > _SLOPE).mean())


def has_gradients(rgb: NDArray[np.uint8]) -> bool:
    """True when ramps fill at least a twentieth of the area away from edges; flat two-colour art has none."""
    return gradient_share(rgb) >= _SHARE
