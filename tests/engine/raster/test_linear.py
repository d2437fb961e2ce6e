"""Brightness, not bytes, is what shrinking keeps; what is hidden never shows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.linear import resize_linear

SIZES = [(1, 1), (7, 3), (16, 16), (31, 64), (64, 64), (100, 41)]


def noise(height: int, width: int, seed: int = 3) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), np.uint8), random.random((height, width), np.float32)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_one_colour_stays_that_colour_to_the_bit(width: int, height: int) -> None:
    rgb = np.full((37, 53, 3), (16, 27, 59), np.uint8)
    colors, alpha = resize_linear(rgb, None, width, height)
    assert alpha is None and colors.shape == (height, width, 3) and colors.dtype == np.float32
    assert (np.rint(colors * 255) == rgb[0, 0]).all() and np.ptp(colors.reshape(-1, 3), axis=0).max() == 0


def test_a_checker_shrinks_to_the_grey_that_it_shows() -> None:
    checker = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    colors, _ = resize_linear(np.repeat(checker[..., None], 3, axis=2), None, 64, 64)
    assert colors[4:-4, 4:-4] == pytest.approx(0.7354, abs=0.004)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_opaque_stays_exactly_opaque(width: int, height: int) -> None:
    rgb, _ = noise(64, 64)
    _, alpha = resize_linear(rgb, np.ones((64, 64), np.float32), width, height)
    assert alpha is not None and (alpha == 1).all()


@pytest.mark.parametrize("side", [5, 20, 150])
def test_hidden_colours_never_tint(side: int) -> None:
    rows, columns = np.indices((60, 60)) - 29.5
    alpha = np.clip(20.5 - np.hypot(rows, columns), 0, 1).astype(np.float32)
    random, _ = noise(60, 60)
    red = np.where(alpha[..., None] > 0, np.uint8([220, 20, 30]), random)
    colors, opacity = resize_linear(red, alpha, side, side)
    assert opacity is not None and opacity.min() == 0 and opacity.max() == 1
    assert np.abs(colors * 255 - (220, 20, 30)).max() < 0.01  # below full transparency too


def test_premultiplied_light_is_what_is_averaged() -> None:
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:, ::2], rgb[:, 1::2] = (255, 0, 0), (0, 255, 0)
    alpha = np.ones((8, 8), np.float32)
    alpha[:, 1::2] = 1 / 3
    colors, opacity = resize_linear(rgb, alpha, 1, 1)
    assert opacity is not None and opacity[0, 0] == pytest.approx(2 / 3, abs=0.04)
    linear = ((colors[0, 0] + 0.055) / 1.055) ** 2.4
    assert linear[0] / linear[1] == pytest.approx(3, rel=0.15)


@pytest.mark.parametrize("side", [40, 64, 100, 333])
def test_beside_an_edge_flat_stays_flat(side: int) -> None:
    """Lanczos in linear light alone leaves a bright seam on navy, 20 levels and more."""
    rgb = np.full((200, 200, 3), (16, 27, 59), np.uint8)
    rgb[:, 101:] = 255
    colors, _ = resize_linear(rgb, None, side, side)
    levels = np.rint(colors * 255)
    off = (levels != rgb[0, 0]).any(axis=2) & (levels != 255).any(axis=2)
    assert off.any(axis=0).sum() <= max(1, 4 * side / 200)


def test_every_value_lies_among_the_pixels_it_stands_for() -> None:
    rgb, _ = noise(96, 80)
    colors, _ = resize_linear(rgb, None, 20, 24)
    blocks = rgb.reshape(24, 4, 20, 4, 3)
    levels = colors * 255
    assert (levels >= blocks.min(axis=(1, 3)) - 1e-3).all() and (levels <= blocks.max(axis=(1, 3)) + 1e-3).all()


def test_the_same_size_is_the_same_picture() -> None:
    rgb, alpha = noise(9, 14)
    before = rgb.copy(), alpha.copy()
    colors, opacity = resize_linear(rgb, alpha, 14, 9)
    assert (np.rint(colors * 255) == rgb).all() and opacity is not None and (opacity == alpha).all()
    opacity[:] = 0
    assert (rgb == before[0]).all() and (alpha == before[1]).all()


@pytest.mark.parametrize(("high", "wide"), [(1, 1), (1, 50), (50, 1), (2, 2)])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_any_size_to_any_size(high: int, wide: int, width: int, height: int) -> None:
    rgb, alpha = noise(high, wide)
    for transparency in (None, alpha, np.zeros_like(alpha)):
        colors, opacity = resize_linear(rgb, transparency, width, height)
        assert colors.shape == (height, width, 3) and np.isfinite(colors).all()
        assert colors.min() >= 0 and colors.max() <= 1
        assert (opacity is None) == (transparency is None)
        assert opacity is None or (opacity.shape == (height, width) and 0 <= opacity.min() <= opacity.max() <= 1)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, -1), (20000, 5)])
def test_sizes_out_of_range_are_named(width: int, height: int) -> None:
    with pytest.raises(BadInput, match="16384"):
        resize_linear(*noise(4, 4), width, height)


@pytest.mark.parametrize("cut", [False, True])
def test_it_says_how_far_it_is_and_stops_when_told(cut: bool) -> None:
    rgb, alpha = noise(30, 40)
    told: list[float] = []
    colors, _ = resize_linear(rgb, alpha if cut else None, 50, 60, told.append)
    assert told == sorted(told) and told[-1] == pytest.approx(1) and np.diff([0, *told]).max() <= 0.25
    assert (colors == resize_linear(rgb, alpha if cut else None, 50, 60)[0]).all()

    class Cancelled(Exception):
        pass

    def cancel(fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        resize_linear(rgb, alpha if cut else None, 50, 60, cancel)
