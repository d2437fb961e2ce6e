"""Soft shadows on a plain ground: kept as what they are, translucent black."""

import cv2
import numpy as np
from numpy.typing import NDArray

_DEEPEST = 0.65  # opacity of black up to which a soft darkening is a shadow on the ground
_AROUND = 7  # pixels: across them an edge has all of its rise
_SHARP = 0.22  # of that rise in one pixel (after smoothing): an edge; a shadow of 4 pixels' softness has 0.18
_NOISE = 0.6  # of the tolerance, per pixel: what noise makes steep
_STEEPEST = 0.012, 0.03  # share of the ground's light per pixel, bounds of that; twice as much is always an edge
_DARK = 64  # of 0..255: on a ground darker than that there are no shadows to see


def with_shadow(
    calm: NDArray[np.uint8],
    surface: NDArray[np.float32],
    there: NDArray[np.bool_],
    passable: NDArray[np.bool_],
    tolerance: float,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """The ground (H, W) with the soft shadows on it, and how dark they are: opacity (H, W) of black, 0..1.

    calm: the picture (H, W, 3), lightly smoothed. surface: colour of the ground at every pixel, float32 0..255.
    there: where only ground was found. passable: where a shadow can be. tolerance: CIELAB distance / 100 of noise.
    A shadow has the ground's colour times a number below 1 that changes slowly. On dark grounds none is looked for.
    """
    nothing = np.zeros(there.shape, np.float32)
    brightness = np.einsum("hwc,hwc->hw", surface, surface)
    if np.sqrt(brightness.mean() / 3) < _DARK:
        return there, nothing
    soft = cv2.GaussianBlur(calm, (0, 0), 1.0).astype(np.float32)
    light = np.einsum("hwc,hwc->hw", soft, surface) / np.maximum(brightness, 1)
    off = np.linalg.norm(soft - light[..., None] * surface, axis=2) / 255
    slope = np.hypot(*(cv2.Sobel(light, cv2.CV_32F, *axes, ksize=3, scale=1 / 8) for axes in ((1, 0), (0, 1))))
    window = np.ones((_AROUND, _AROUND), np.uint8)
    span = np.asarray(cv2.dilate(light, window)) - np.asarray(cv2.erode(light, window))
    floor = float(np.clip(_NOISE * tolerance, *_STEEPEST))
    sharp = (slope > floor) & ((slope > _SHARP * span) | (slope > 2 * _STEEPEST[1]))
    shaded = (light >= 1 - _DEEPEST) & (light <= 1) & (off <= tolerance) & ~sharp & passable
    dark = shaded & ~there
    dark &= _soft_contact(dark, there, sharp)
    if not dark.any():
        return there, nothing
    return there | dark, np.where(dark, np.clip(1 - light, 0, 1), 0).astype(np.float32)


def _soft_contact(dark: NDArray[np.bool_], there: NDArray[np.bool_], sharp: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of `dark` that meet the ground `there` more often softly than across a sharp edge.

    A pale grey shape has an edge all around; a shadow has none, but where it disappears under what casts it. The
    crest of a thin line is soft too, but narrow.
    """
    count, labels = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
    labels = np.asarray(labels, np.int32)
    planes = labels.astype(np.float32)
    beside, around = (
        np.asarray(cv2.dilate(planes, np.ones((side, side), np.uint8))).astype(np.intp) for side in (3, 7)
    )
    close = np.asarray(cv2.dilate(there.astype(np.uint8), np.ones((3, 3), np.uint8))) > 0
    meets = np.bincount(beside[there], minlength=count)
    edged = np.bincount(around[close & sharp & ~there], minlength=count)
    core = np.asarray(cv2.erode(dark.astype(np.uint8), np.ones((_AROUND, _AROUND), np.uint8))) > 0
    soft = (meets > edged) & (np.bincount(labels[core], minlength=count) > 0)
    soft[0] = False
    return soft[labels]
