"""The frame of a try-on: sizes, no stretching, and the way back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.tryon.frame import (
    SHORT_SIDES,
    check_frame,
    check_size,
    contained,
    frame_size,
    framed_garment,
    framed_person,
    side_by_side,
    unframed,
)
from vectrahub.engine.tryon.mark import marked
from vectrahub.engine.tryon.words import told

SIZES = [(1024, 768), (517, 333), (333, 517), (4032, 3024), (64, 192), (720, 720), (2000, 1001)]


def soft(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth picture without edges, so that resampling there and back loses little."""
    noise = np.random.default_rng(seed).random((6, 6, 3), np.float32)
    return np.clip(np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)), 0, 1)


@pytest.mark.parametrize("resolution", SHORT_SIDES)
@pytest.mark.parametrize("size", SIZES)
def test_a_frame_has_the_persons_aspect_in_steps_of_16(size: tuple[int, int], resolution: str) -> None:
    high, wide = frame_size(*size, resolution)
    assert high % 16 == wide % 16 == 0
    short = SHORT_SIDES[resolution] // 16 * 16
    assert min(high, wide) == short
    wanted = short / min(size)
    assert all(0 <= side * wanted - got < 16.5 for side, got in zip(size, (high, wide), strict=True))
    check_frame(high, wide)


def test_the_largest_frame_is_allowed() -> None:
    check_frame(*frame_size(3000, 1000, "1080p"))


def test_the_named_resolutions() -> None:
    assert [frame_size(4000, 3000, name) for name in SHORT_SIDES] == [(640, 480), (960, 720), (1424, 1072)]
    assert frame_size(3000, 4000, "720p") == (720, 960)


@pytest.mark.parametrize("size", SIZES)
def test_a_picture_is_contained_whole_and_in_the_middle(size: tuple[int, int]) -> None:
    for frame in [(960, 720), (720, 960), (480, 480)]:
        place = contained(*size, frame)
        assert place.height == frame[0] or place.width == frame[1]
        assert place.height / place.width == pytest.approx(size[0] / size[1], rel=0.01)
        for start, length, side in ((place.top, place.height, frame[0]), (place.left, place.width, frame[1])):
            assert start >= 0 and abs(start - (side - length - start)) <= 1


@pytest.mark.parametrize("resolution", SHORT_SIDES)
@pytest.mark.parametrize("size", [*SIZES[:3], (64, 192), (1200, 500), (1000, 357)])
def test_unframing_gives_the_person_back(size: tuple[int, int], resolution: str) -> None:
    person = soft(*size)
    frame = frame_size(*size, resolution)
    framed = framed_person(person, frame)
    assert framed.shape == (*frame, 3)
    back = unframed(framed, *size)
    assert back.shape == person.shape
    assert np.abs(back - person).mean() < 0.004


def test_the_margins_of_every_person_are_small() -> None:
    random = np.random.default_rng(0)
    for short, aspect in zip(random.integers(64, 4000, 5000), random.uniform(1, 3, 5000), strict=True):
        size = int(short), min(round(short * aspect), 3 * int(short))
        for resolution in SHORT_SIDES:
            frame = frame_size(*size, resolution)
            place = contained(*size, frame)
            assert frame[0] - place.height + frame[1] - place.width <= 16, size


def test_a_person_that_fits_is_not_touched() -> None:
    person = soft(640, 480)
    assert np.array_equal(framed_person(person, frame_size(640, 480, "480p")), person)
    assert np.array_equal(unframed(person, 640, 480), person)


def test_the_margin_beside_a_person_repeats_its_edge() -> None:
    frame = frame_size(517, 333, "720p")
    framed = framed_person(soft(517, 333), frame)
    place = contained(517, 333, frame)
    assert 0 < place.left < 16
    assert np.array_equal(framed[:, 0], framed[:, place.left])


def test_a_landscape_garment_lies_whole_in_a_portrait_frame() -> None:
    garment = np.full((200, 400, 3), 0.9, np.float32)
    garment[50:150, 100:300] = (0.2, 0.1, 0.6)
    framed = framed_garment(garment, (960, 720))
    assert framed.shape == (960, 720, 3)
    assert np.allclose(framed[:300], 0.9, atol=1e-3) and np.allclose(framed[-300:], 0.9, atol=1e-3)
    share = (framed[..., 0] < 0.5).sum() / (720 * 360)
    assert share == pytest.approx(0.25, abs=0.01)


def test_the_ground_beside_a_garment_is_its_borders_and_no_blots() -> None:
    garment = np.full((200, 400, 3), 0.9, np.float32)
    garment[:60, :60] = 0.1
    garment[0] = 0.2
    framed = framed_garment(garment, (960, 720))
    assert np.allclose(framed[:200], 0.9, atol=1e-3)


def test_side_by_side_keeps_every_aspect() -> None:
    row = side_by_side([soft(100, 50), soft(640, 480), soft(200, 100)], 200)
    assert row.shape == (200, 100 + 150 + 100, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frame_size(1, 1, "720p"), ("person", "1 x 1 px", "64")),
        (lambda: frame_size(640, 200, "720p"), ("narrow", "200 x 640 px", "3 times", "Crop")),
        (lambda: frame_size(640, 480, "4k"), ("'4k'", "480p, 720p, 1080p")),
        (lambda: check_size("garment", 63, 500), ("garment", "500 x 63 px", "64")),
        (lambda: check_frame(641, 480), ("480 x 641 px", "multiples of 16", "VTON Prepare")),
        (lambda: check_frame(16 * 217, 16 * 67), ("megapixels", "VTON Prepare")),
        (lambda: check_frame(4000, 4000), ("megapixels", "VTON Prepare")),
        (lambda: unframed(soft(640, 480), 480, 640), ("'original'", "640 x 480 px", "480 x 640 px")),
        (lambda: marked(soft(640, 480), np.ones((100, 400), np.float32)), ("'mask'", "400 x 100 px", "VTON Prepare")),
        (lambda: told(" ", "green", is_marked=True), ("no prompt", "Dress the person")),
    ],
)
def test_what_does_not_fit_is_told(call, words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput) as error:
        call()
    assert not [word for word in words if word not in str(error.value)], str(error.value)
