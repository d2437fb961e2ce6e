"""The nearest colour is CIEDE2000's own, for every palette, however it is found."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from vectrahub.engine.color.nearest import nearest_by_eye

CAR = "000000 FFFFFF FF0000 00FF00 0000FF FFFF00 FF00FF 00FFFF 808080 FFA500 800080 FFC0CB A52A2A 008080 FFD700".split()


def gaps(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """CIEDE2000 of every pixel to every colour by scikit-image alone: (n, colours)."""
    lab = rgb2lab(pixels[None] / 255)[0], rgb2lab(palette[None] / 255)[0]
    return np.asarray(deltaE_ciede2000(lab[0][:, None], lab[1][None]))


def palettes() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    some = [rng.integers(0, 256, (count, 3)) for count in (1, 2, 5, 15, 32)]
    near = np.clip(rng.integers(0, 256, (1, 3)) + rng.integers(-3, 4, (20, 3)), 0, 255)
    greys = np.arange(0, 256, 9)[:, None].repeat(3, axis=1)
    return [
        np.asarray(palette, np.uint8)
        for palette in [*some, near, greys, [[128] * 3, [129] * 3, [130] * 3], [list(bytes.fromhex(c)) for c in CAR]]
    ]


@pytest.mark.parametrize("number", range(len(palettes())))
def test_it_is_the_nearest_for_ciede2000(number: int) -> None:
    palette, rng = palettes()[number], np.random.default_rng(number)
    close = np.clip(palette[rng.integers(0, len(palette), 3000)].astype(int) + rng.integers(-9, 10, (3000, 3)), 0, 255)
    pixels = np.vstack([rng.integers(0, 256, (20000, 3)), close]).astype(np.uint8)
    found, truth = nearest_by_eye(pixels, palette), gaps(pixels, palette)
    excess = truth[np.arange(len(pixels)), found] - truth.min(axis=1)
    assert excess.max() < 1e-6


def test_ties_shapes_and_order() -> None:
    palette = np.array([[9, 9, 9], [9, 9, 9], [200, 0, 0]], np.uint8)
    pixels = np.array([[[8, 8, 8], [255, 0, 0]]], np.uint8)
    assert nearest_by_eye(pixels, palette).tolist() == [[0, 2]]
    assert nearest_by_eye(np.zeros((0, 4, 3), np.uint8), palette).shape == (0, 4)


def test_progress_grows() -> None:
    seen: list[float] = []
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    nearest_by_eye(pixels, palettes()[4], seen.append)
    assert seen == sorted(seen) and len(seen) > 10 and seen[-1] == 1
