"""Sizes from megapixels, and what resizing must not do."""

import cv2
import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.resize import MAX_ENLARGEMENT, MAX_SIDE, resize_lanczos, size_for_megapixels

SIZES = [(512, 512), (1024, 683), (333, 517), (1, 1), (1, 5000), (5000, 1), (8000, 5000), (40000, 30), (2000, 6000)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("megapixels", [3.0, 12.0])
def test_size_is_near_the_wish_or_says_why_not(size: tuple[int, int], megapixels: float) -> None:
    width, height, note = size_for_megapixels(*size, megapixels)
    assert 1 <= min(width, height) and max(width, height) <= MAX_SIDE
    assert width <= size[0] * MAX_ENLARGEMENT and height <= size[1] * MAX_ENLARGEMENT
    if note:
        assert "limit" in note
    else:
        assert width * height == pytest.approx(megapixels * 1e6, rel=0.002)
        assert width / height == pytest.approx(size[0] / size[1], rel=0.002)


def test_limits_are_named() -> None:
    assert size_for_megapixels(1, 1, 12) == (16, 16, "16 x 16 instead of 12 megapixels: limit 16 times larger per side")
    assert size_for_megapixels(1, 5000, 12)[:2] == (3, MAX_SIDE)


@pytest.mark.parametrize(("width", "height", "megapixels"), [(0, 5, 1.0), (5, 5, 0.0), (5, 5, float("nan"))])
def test_bad_sizes(width: int, height: int, megapixels: float) -> None:
    with pytest.raises(BadInput, match="allowed"):
        size_for_megapixels(width, height, megapixels)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (9, 1, 3), (7, 5, 3), (7, 5)])
@pytest.mark.parametrize("size", [(1, 1), (16, 3), (3, 16), (40, 40)])
def test_constant_stays_constant(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    resized = resize_lanczos(np.full(shape, 137, np.uint8), *size)
    assert resized.shape == (size[1], size[0], *shape[2:])
    assert (resized == 137).all()


def test_no_overshoot_beside_an_edge() -> None:
    edge = np.full((32, 32, 3), 180, np.uint8)
    edge[:, 16:] = 200
    enlarged = resize_lanczos(edge, 500, 500)
    assert (enlarged.min(), enlarged.max()) == (180, 200)
    assert np.unique(enlarged[0, :200]).tolist() == [180]
    bare = cv2.resize(edge, (500, 500), interpolation=cv2.INTER_LANCZOS4)
    assert bare.max() > 200  # what the clipping is for


def test_floats_agree_with_bytes_and_stay_in_range() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    for size in ((90, 160), (11, 9), (60, 20)):
        coarse = resize_lanczos(noise, *size)
        fine = resize_lanczos((noise / 255).astype(np.float32), *size)
        assert fine.dtype == np.float32 and fine.min() >= 0 and fine.max() <= 1
        assert np.abs(fine * 255 - coarse).max() < 1.5  # each of two steps rounds


def test_shrinking_averages_what_is_covered() -> None:
    checks = np.indices((400, 400)).sum(0) % 2 * np.float32(1)
    assert np.abs(resize_lanczos(checks, 100, 100) - 0.5).max() < 1e-6


def test_input_is_left_alone() -> None:
    noise = np.random.default_rng(6).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    noise.setflags(write=False)
    resize_lanczos(noise, 50, 10)
    assert resize_lanczos(noise, 20, 20) is noise
