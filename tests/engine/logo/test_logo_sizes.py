"""The list of sizes as written, the square to generate at, and the pictures."""

import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.logo.sizes import MAX_PIXELS, MAX_SIZES, at_size, canvas_side, check_amount, parse_sizes

RED = (227, 6, 19)


@pytest.mark.parametrize(
    "text", ["256, 512,1024", "[256,512,1024]", " [ 256 512\t1024 ]\n", "256;512;1024,", "0256 512 1024"]
)
def test_lists_as_people_write_them(text: str):
    assert parse_sizes(text) == (256, 512, 1024)


def test_the_order_stays_and_each_comes_once():
    assert parse_sizes("512, 64, 512, 8, 4096") == (512, 64, 8, 4096)
    assert parse_sizes(",".join(map(str, parse_sizes("512, 64")))) == (512, 64)
    assert len(parse_sizes(",".join(str(8 + n) for n in range(MAX_SIZES)))) == MAX_SIZES


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("[]", "'[]'"),
        (" , ", "' , '"),
        ("[0]", "got 0, allowed"),
        ("256, 7", "got 7, allowed"),
        ("[99999]", "got 99999, allowed"),
        ("256,4097", "got 4097, allowed"),
        ("9" * 5000, "got 999"),
        ("abc", "'abc'"),
        ("256, 25.5", "'25.5'"),
        ("-256", "'-256'"),
        ("256px", "'256px'"),
        ("[[256]]", "'[256]'"),
        ("\u00b2\u0662", "got"),
        (",".join(str(8 + n) for n in range(MAX_SIZES + 1)), "33 sizes"),
    ],
)
def test_a_wrong_one_is_named(text: str, named: str):
    with pytest.raises(BadInput) as caught:
        parse_sizes(text)
    message = str(caught.value)
    assert named in message and "256, 512, 1024" in message and "allowed" in message and len(message) < 300


@pytest.mark.parametrize(
    ("sizes", "side"),
    [((256, 512), 1024), ((1024,), 1024), ((1025, 8), 1040), ((1600,), 1600), ((2048,), 2048), ((4096, 8), 2048)],
)
def test_the_canvas(sizes: tuple[int, ...], side: int):
    assert canvas_side(sizes) == side


def test_the_canvas_of_any_size_is_one_that_flux_takes():
    for size in range(8, 4097, 7):
        side = canvas_side((8, size))
        assert side % 16 == 0 and 1024 <= side <= 2048 and side >= min(size, 2048)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (64, 40), (40, 64), (65, 1), (1, 1)])
@pytest.mark.parametrize("side", [8, 33, 64, 100])
@pytest.mark.parametrize("cut", [False, True])
def test_a_plain_picture_stays_plain_in_the_middle(width: int, height: int, side: int, cut: bool):
    rgb = np.full((height, width, 3), RED, np.uint8)
    alpha = np.full((height, width), 0.5, np.float32) if cut else None
    before = rgb.copy()
    colors, opacity = at_size(rgb, alpha, side)
    assert colors.shape == (side, side, 3) and colors.dtype == np.float32
    assert np.abs(colors * 255 - RED).max() < 0.01  # under what is transparent as well
    assert np.array_equal(rgb, before)
    if width == height:
        assert (opacity is None) == (alpha is None)
    else:
        assert opacity is not None and opacity.shape == (side, side)
        seen = opacity > 0
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        for found, length in ((rows, height), (columns, width)):
            expected = max(1, round(side * length / max(width, height)))
            assert len(found) == expected and abs(found[0] - (side - 1 - found[-1])) <= 1
    if opacity is not None:
        values = np.unique(np.round(opacity, 4))
        assert set(values.tolist()) <= {0.0, 0.5 if cut else 1.0}


def test_hidden_colours_do_not_tint_the_small_one():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, :32], rgb[:, 32:] = RED, (0, 255, 0)
    alpha = np.ones((64, 64), np.float32)
    alpha[:, 32:] = 0
    colors, opacity = at_size(rgb, alpha, 9)
    assert opacity is not None and opacity[4, 0] == 1 and opacity[4, 8] == 0
    assert np.abs(colors[opacity > 0.02] * 255 - RED).max() < 1


def test_of_an_odd_rest_the_larger_half_is_below_and_right():
    for shape, margins in (((3, 7), (2, 3, 0, 0)), ((7, 3), (0, 0, 2, 3))):
        _, opacity = at_size(np.zeros((*shape, 3), np.uint8), None, 8)
        assert opacity is not None
        rows, columns = np.flatnonzero(opacity.any(1)), np.flatnonzero(opacity.any(0))
        assert (rows[0], 7 - rows[-1], columns[0], 7 - columns[-1]) == margins


@pytest.mark.parametrize(("logos", "sizes"), [(1, tuple(range(4065, 4097))), (8, (4096,)), (1000, (256, 512))])
def test_more_than_fits_into_memory_is_refused_with_a_remedy(logos: int, sizes: tuple[int, ...]):
    with pytest.raises(
        BadInput, match=r"got \d+\.\d million pixels, allowed 128 million\. Fewer or smaller sizes, or one"
    ):
        check_amount(logos, sizes)
    check_amount(1, (4096, 2048, 1024))


def test_up_to_the_limit_is_allowed():
    side = 4000
    count = MAX_PIXELS // side**2
    check_amount(count, (side,))
    with pytest.raises(BadInput):
        check_amount(count, (side, 8))


def test_one_size_says_how_far_it_is():
    told: list[float] = []
    at_size(np.zeros((20, 30, 3), np.uint8), None, 50, told.append)
    assert len(told) >= 3 and told == sorted(told)
