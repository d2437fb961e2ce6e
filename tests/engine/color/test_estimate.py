"""The colours of drawn art are found again, and none besides."""

import numpy as np
import pytest

from vectrahub.engine.color.estimate import estimate_colors
from vectrahub.engine.color.source import read_source
from vectrahub.engine.color.spaces import hex_to_rgb, rgb_to_hex, srgb_to_lab
from vectrahub.tests.drawn_art import FLAT_ART, FLAT_COLORS, drawing, jpeg


def colors_of(rgb: np.ndarray, **options: object) -> list[str]:
    return list(rgb_to_hex(estimate_colors(read_source(rgb), **options)))


def gaps(found: list[str], truth: tuple[str, ...]) -> np.ndarray:
    """dE76 from every true colour to the nearest one found."""
    lab, other = srgb_to_lab(hex_to_rgb(truth)) * 100, srgb_to_lab(hex_to_rgb(tuple(found))) * 100
    return np.linalg.norm(lab[:, None] - other[None], axis=2).min(axis=1)


@pytest.mark.parametrize("size", [64, 171, 512, 1500])
def test_flat_art_gives_its_exact_colours(size):
    assert sorted(colors_of(drawing(FLAT_ART, size))) == sorted(FLAT_COLORS)


def test_the_largest_area_comes_first():
    found = colors_of(drawing(FLAT_ART, 256))
    assert found[0] == "#FFFFFF" and found[1] == "#E30613" and found[-1] == "#101010"


@pytest.mark.parametrize("quality", [95, 80, 60])
def test_jpeg_gives_the_same_colours_nearly(quality):
    found = colors_of(jpeg(drawing(FLAT_ART, 512), quality))
    assert len(found) == len(FLAT_COLORS)
    assert gaps(found, FLAT_COLORS).max() < 2.5


@pytest.mark.parametrize("width", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("color", ["#E30613", "#000000", "#1A4F9C"])
def test_thin_lines_have_their_colour(width, color):
    lines = "".join(f'<path d="M10 {y + width / 2} H118 M{y} 10 L{y - 30} 118"/>' for y in (40, 64, 90))
    rgb = drawing(f'<g fill="none" stroke="{color}" stroke-width="{width}">{lines}</g>', 128)
    found = colors_of(rgb)
    assert found[0] == "#FFFFFF" and len(found) <= (3 if width < 2 else 2)
    assert gaps(found, (color,)).max() < 1


@pytest.mark.parametrize("quality", [None, 80])
def test_edges_add_no_colour_between(quality):
    """Black on white: every grey of an edge is a mixture."""
    circles = "".join(
        f'<circle cx="{x}" cy="{y}" r="{4 + (x + y) % 9}"/>' for x in (20, 64, 100) for y in (24, 60, 104)
    )
    rgb = drawing(circles, 256)
    found = colors_of(rgb if quality is None else jpeg(rgb, quality))
    assert len(found) == 2 and gaps(found, ("#FFFFFF", "#000000")).max() < 2.5


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_asked_for_number_is_a_limit(count):
    rgb = drawing(FLAT_ART, 256)
    found = colors_of(rgb, count=count)
    assert len(found) == count and found[0] == "#FFFFFF"


def test_never_more_than_32():
    patches = "".join(
        f'<rect x="{8 * (k % 16)}" y="{8 * (k // 16)}" width="8" height="8" '
        f'fill="hsl({k * 37 % 360},90%,{25 + k % 5 * 12}%)"/>'
        for k in range(256)
    )
    assert len(colors_of(drawing(patches, 512))) == 32


def test_only_opaque_pixels_count():
    rgb = drawing(FLAT_ART, 128)
    opaque = np.zeros(rgb.shape[:2], bool)
    opaque[:, 72:] = True
    found = colors_of(rgb, opaque=opaque)
    assert "#E30613" not in found and "#1A4F9C" in found
    assert colors_of(rgb, opaque=np.zeros_like(opaque)) == ["#000000"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 2), (3, 7)])
def test_tiny_pictures(shape):
    rgb = np.full((*shape, 3), (227, 6, 19), np.uint8)
    assert colors_of(rgb) == ["#E30613"]


def test_the_same_answer_twice_and_the_input_untouched():
    rgb = jpeg(drawing(FLAT_ART, 256))
    before = rgb.copy()
    assert colors_of(rgb) == colors_of(rgb)
    assert (rgb == before).all()
