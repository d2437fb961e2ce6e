"""The way into the square and back lands every shape where it was."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from vectrahub.engine.networks.omnisvg.drawing import decode
from vectrahub.engine.networks.omnisvg.picture import Placement, square, unsquare
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, Vocabulary
from vectrahub.engine.svg.document import Drawing, Shape, write_svg
from vectrahub.engine.svg.path import Contour
from vectrahub.engine.svg.render import over_ground, render, split_alpha
from vectrahub.engine.svg.safe import parse_svg
from vectrahub.tests.omnisvg_words import ART, to_svg, tokens

V = Vocabulary(BASES[0])
DRAWING = decode(tokens(ART, V), V)
# On white, clear of the padding of the pictures below: a ring and a triangle.
SMALL = decode(
    tokens(
        "M 0 0 80 100 A 20 20 0 0 1 120 100 A 20 20 0 0 1 80 100 Z 80 100"
        " M 0 0 90 100 A 10 10 0 0 0 110 100 A 10 10 0 0 0 90 100 Z 90 100 #249"
        " M 0 0 85 83 L 95 83 L 85 93 Z 85 83 #e01",
        V,
    ),
    V,
)
SIZES = [(900, 500), (400, 900), (301, 700), (448, 448), (1000, 401)]


def shown(drawing: Drawing, width: int, height: int) -> np.ndarray:
    return over_ground(render(write_svg(drawing), width, height))


def away(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(int) - second).mean())


@pytest.mark.parametrize("size", SIZES)
def test_there_and_back(size: tuple[int, int]) -> None:
    """The picture of a drawing, squared, is the drawing on its canvas; moved by one pixel it is not."""
    picture = shown(unsquare(SMALL, *size), *size)
    canvas = shown(SMALL, 448, 448)
    squared = square(picture)
    assert squared.pixels.shape == (448, 448, 3) and squared.pixels.dtype == np.uint8
    assert squared.placement == Placement(*size)
    beside = min(away(squared.pixels, np.roll(canvas, step, axis)) for axis in (0, 1) for step in (-1, 1))
    assert away(squared.pixels, canvas) < 0.25 * beside


@pytest.mark.parametrize("size", [(64, 40), (31, 77)])
def test_small_pictures_are_enlarged_in_place(size: tuple[int, int]) -> None:
    picture = shown(unsquare(SMALL, *size), *size)
    pixels = square(picture).pixels
    expected = shown(SMALL, 448, 448)
    assert away(pixels, expected) < min(
        away(pixels, np.roll(expected, step, axis)) for axis in (0, 1) for step in (-3, 3)
    )
    assert set(np.unique(pixels)) <= set(range(picture.min(), 256))  # no ringing


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (16384, 3), (2, 1)])
def test_extreme_sizes(size: tuple[int, int]) -> None:
    width, height = size
    black = square(np.zeros((height, width, 3), np.uint8))
    assert black.pixels.shape == (448, 448, 3) and not black.pixels.any()  # its own ground goes on
    assert unsquare(DRAWING, *size).width == width


def test_the_file_has_the_size_of_the_picture_or_of_the_canvas() -> None:
    assert parse_svg(to_svg(DRAWING, Placement(301, 700))).attrib["viewBox"] == "0 0 301 700"
    assert parse_svg(to_svg(DRAWING)).attrib["viewBox"] == "0 0 200 200"


@pytest.mark.parametrize("size", SIZES)
def test_a_ground_covers_the_picture_exactly(size: tuple[int, int]) -> None:
    """199 is the last line of the grid, yet nothing stays bare; and nothing sticks out."""
    placed = unsquare(DRAWING, *size)
    corners = placed.shapes[0].contours[0].curves[:, 2]
    assert np.allclose(corners.min(axis=0), 0) and np.allclose(corners.max(axis=0), size)
    assert (render(write_svg(placed), *size)[..., 3] == 255).all()
    assert (render(to_svg(DRAWING), 200, 200)[..., 3] == 255).all()


def test_what_lies_in_the_padding_is_left_out() -> None:
    outside = Shape((Contour.polygon(np.array([[10.0, 0], [40, 5], [20, 30]])),), "#FF0000", rule="nonzero")
    half = Shape((Contour.polygon(np.array([[10.0, 0], [40, 5], [20, 130]])), *outside.contours), "#00FF00")
    placed = unsquare(replace(SMALL, shapes=(outside, half)), 800, 200)
    assert [(shape.fill, len(shape.contours), shape.rule) for shape in placed.shapes] == [("#00FF00", 1, "evenodd")]


def test_cutting_rectangles_changes_no_pixel() -> None:
    points = np.array([[-30.0, 10], [90, 10], [90, 250], [60, 250], [60, 40], [-10, 40], [-10, 300], [-30, 300]])
    steps = Drawing(200, 200, (Shape((Contour.polygon(points),), "#FF0000", rule="nonzero"),))
    whole = shown(replace(steps, shapes=(*steps.shapes, Shape((Contour.polygon(points[:3]),), "#FF0000"))), 200, 200)
    assert away(shown(unsquare(steps, 200, 200), 200, 200), shown(steps, 200, 200)) == 0
    assert whole.any()


def test_alpha_over_white_and_the_colour_of_the_padding() -> None:
    rgb = np.zeros((100, 50, 3), np.uint8)
    rgb[20:80, 10:40] = (200, 0, 0)
    alpha = np.zeros((100, 50), np.float32)
    alpha[20:80, 10:40] = 1
    before = rgb.copy(), alpha.copy()
    pixels = square(rgb, alpha).pixels
    assert (pixels[0, 0] == 255).all() and (pixels[224, 224] == (200, 0, 0)).all() and (pixels[224, 2] == 255).all()
    assert (rgb == before[0]).all() and (alpha == before[1]).all()
    blue = np.where(alpha[..., None] > 0, rgb, np.array((10, 20, 200), np.uint8))
    assert (square(blue).pixels[:, 0] == (10, 20, 200)).all()
    two = blue.copy()
    two[50:] = (0, 90, 0)  # two grounds are none: white
    assert (square(two).pixels[:, 0] == 255).all()


def test_whitening_of_a_plain_ground() -> None:
    rng = np.random.default_rng(0)
    picture = np.full((90, 120, 3), (120, 160, 220), np.uint8)
    picture += rng.integers(0, 4, picture.shape, dtype=np.uint8)
    cv2.circle(picture, (60, 45), 20, (200, 30, 30), -1)
    squared = square(picture, ground_to_white=True)
    assert (squared.pixels[:40] == 255).all() and (squared.pixels[:, :60] == 255).all()
    assert (squared.pixels[224, 224] == (200, 30, 30)).all()
    assert squared.whitened is not None and squared.whitened.startswith("#7")
    assert square(picture).whitened is None
    bright = np.maximum(picture, 245)
    assert (square(bright, ground_to_white=True).pixels == square(bright).pixels).all()
    white = cv2.circle(picture.copy(), (60, 45), 10, (255, 255, 255), -1)  # it would be lost
    assert (square(white, ground_to_white=True).pixels == square(white).pixels).all()
    restless = rng.integers(0, 255, picture.shape, dtype=np.uint8)
    assert square(restless, ground_to_white=True).whitened is None


def test_a_whitened_ground_is_laid_under() -> None:
    svg = to_svg(SMALL, Placement(500, 400), "#78A0DC")
    drawn = over_ground(render(svg, 500, 400))
    assert (drawn[0, 0] == (0x78, 0xA0, 0xDC)).all() and (drawn[-1, -1] == (0x78, 0xA0, 0xDC)).all()
    rgb, alpha = split_alpha(render(to_svg(SMALL, Placement(500, 400)), 500, 400))
    assert alpha[0, 0] == 0 and (rgb[0, 0] == 255).all()
