"""Hidden colours never reach what is seen."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vectrahub.engine.networks.upscaler import enlarge
from vectrahub.engine.raster.alpha import INVISIBLE, bleed_colors, flatten, resize_alpha
from vectrahub.engine.raster.resize import resize_lanczos

RED = (220, 20, 30)


def disc(size: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A red disc with anti-aliased alpha; its colours are straight, those outside are black."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    alpha = np.clip(size * 0.4 + 0.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    alpha = np.rint(alpha * 255).astype(np.float32) / 255
    rgb = np.zeros((size, size, 3), np.uint8)
    rgb[alpha > 0] = RED
    return rgb, alpha


def worst_fringe(rgb: NDArray[np.floating], alpha: NDArray[np.float32]) -> float:
    return float(np.abs(rgb[alpha > 0.02] - np.array(RED)).max())


def test_no_dark_fringe_after_enlarging() -> None:
    rgb, alpha = disc()
    enlarged = enlarge(rgb, alpha, 1.0, None)
    assert enlarged.alpha is not None
    assert worst_fringe(enlarged.rgb * 255, enlarged.alpha) < 1
    side = enlarged.alpha.shape[0]
    assert worst_fringe(resize_lanczos(rgb, side, side).astype(float), enlarged.alpha) > 50  # without bleeding


def test_bleed_takes_the_nearest_visible_colour() -> None:
    rgb = np.zeros((5, 9, 3), np.uint8)
    alpha = np.zeros((5, 9), np.float32)
    rgb[2, 1], alpha[2, 1] = (255, 0, 0), 1
    rgb[2, 7], alpha[2, 7] = (0, 0, 255), 0.5
    bled = bleed_colors(rgb, alpha)
    assert (bled[:, :4] == (255, 0, 0)).all() and (bled[:, 5:] == (0, 0, 255)).all()
    assert not rgb[0].any()


def test_nearly_invisible_colours_are_replaced_and_edges_kept() -> None:
    rgb = np.array([[[10, 20, 30], [1, 2, 3], [99, 98, 97]]], np.uint8)
    alpha = np.array([[1, INVISIBLE, INVISIBLE * 2]], np.float32)
    assert bleed_colors(rgb, alpha)[0].tolist()[0::2] == [[10, 20, 30], [99, 98, 97]]
    assert bleed_colors(rgb, alpha)[0, 1].tolist() != [1, 2, 3]


@pytest.mark.parametrize("opacity", [0.0, 1.0])
def test_all_hidden_or_all_seen_keeps_the_colours(opacity: float) -> None:
    rgb, _ = disc(16)
    enlarged = enlarge(rgb, np.full((16, 16), opacity, np.float32), 0.04, None)
    assert enlarged.alpha is not None and (enlarged.alpha == opacity).all()
    assert bleed_colors(rgb, np.full((16, 16), opacity, np.float32)) is rgb
    assert bleed_colors(rgb, None) is rgb


def test_alpha_stays_exact_where_it_was_flat() -> None:
    alpha = np.zeros((40, 40), np.float32)
    alpha[:, 20:] = 1
    enlarged = resize_alpha(alpha, 333, 333)
    assert enlarged is not None
    assert enlarged.min() == 0 and enlarged.max() == 1
    assert (enlarged[:, :150] == 0).all() and (enlarged[:, 183:] == 1).all()
    assert resize_alpha(None, 5, 5) is None


def test_flatten_mixes_in_srgb() -> None:
    rgb = np.array([[[0, 100, 200]] * 3], np.uint8)
    alpha = np.array([[0, 0.5, 1]], np.float32)
    flat = flatten(rgb, alpha)
    assert flat[0, 0].tolist() == [255, 255, 255] and flat[0, 2].tolist() == [0, 100, 200]
    assert np.abs(flat[0, 1] - np.array([127.5, 177.5, 227.5])).max() <= 0.5
    assert flatten(rgb, alpha, (1, 2, 3))[0, 0].tolist() == [1, 2, 3]
    assert flatten(rgb, None) is rgb
