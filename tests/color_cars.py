"""Shaded pictures for the tests of colours: soft ramps, edges, noise, as photos have them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# The default palette of the seed, which the workflow's Palette node holds.
DEFAULT_PALETTE = tuple(
    "#" + digits
    for digits in (
        "000000 FFFFFF FF0000 00FF00 0000FF FFFF00 FF00FF 00FFFF 808080 FFA500 800080 FFC0CB A52A2A 008080 FFD700"
    ).split()
)


def photo_like(seed: int, height: int = 72, width: int = 96, noise: float = 3.0) -> NDArray[np.uint8]:
    """(height, width, 3): soft ramps of all hues with a few hard shapes and some noise."""
    rng = np.random.default_rng(seed)
    soft = cv2.resize(rng.uniform(0, 255, (4, 5, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(4):
        center = int(rng.integers(0, width)), int(rng.integers(0, height))
        color = tuple(map(float, rng.uniform(0, 255, 3)))
        cv2.circle(soft, center, int(rng.integers(4, height // 3)), color, -1, cv2.LINE_AA)
    return np.clip(np.rint(soft + rng.normal(0, noise, soft.shape)), 0, 255).astype(np.uint8)
