"""Likeness against scikit-image on every pixel; segments against hand-written cases."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from vectrahub.engine.errors import BadInput
from vectrahub.engine.svg.measure import complexity, likeness, likeness_of_svg
from vectrahub.engine.svg.pathdata import count_segments


def test_likeness_equals_skimage() -> None:
    rng = np.random.default_rng(3)
    first = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    second = np.where(rng.random((40, 60, 1)) < 0.5, first, rng.integers(0, 256, first.shape, dtype=np.uint8))
    difference = deltaE_ciede2000(rgb2lab(first), rgb2lab(second))
    found = likeness(first, second)
    assert found.mean_de == pytest.approx(difference.mean(), abs=1e-4)
    assert found.share_over_5 == pytest.approx((difference > 5).mean(), abs=1e-9)


def test_equal_pictures_and_tiny_ones() -> None:
    for shape in [(1, 1, 3), (1, 50, 3), (9, 9, 3)]:
        picture = np.full(shape, 77, np.uint8)
        found = likeness(picture, picture)
        assert (found.mean_de, found.share_over_5, found.ssim) == (0, 0, 1)
    with pytest.raises(BadInput):
        likeness(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8))


def test_svg_over_white_with_alpha() -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h4v8H0z" fill="#F00"/></svg>'
    reference = np.zeros((8, 8, 3), np.uint8)
    reference[:, :4, 0] = 255
    alpha = np.zeros((8, 8), np.float32)
    alpha[:, :4] = 1
    assert likeness_of_svg(reference, svg, alpha).mean_de == 0
    assert likeness_of_svg(reference, svg).mean_de > 20


@pytest.mark.parametrize(
    ("d", "segments"),
    [
        ("M0 0L1 1 2 2 3 3Z", 4),
        ("M0 0 1 1 2 2", 3),
        ("m1 1c1 1 2 2 3 3 1 1 2 2 3 3zm1 1h1v1", 6),
        ("M0 0a1 1 0 01.5.5", 2),
        ("M0 0a1 1 0 01.5.5 1 1 0 1 0-.5-.5", 3),
        ("M.5.5-1e2-1E-2l1e1.5", 3),
        ("M0 0h1 2 3v4 5", 6),
        ("M0,0S1,1,2,2T3,3Q1 1 2 2", 4),
        ("L1 1", 0),
        ("", 0),
        ("M0 0L1 1L2 x3", 2),
    ],
)
def test_segments(d: str, segments: int) -> None:
    assert count_segments(d) == segments


def test_complexity_of_a_foreign_drawing() -> None:
    svg = b"""<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" transform="scale(2)"><g fill="red">
    <path d="M0 0h1v1z"/><circle r="3" style="fill:rgb(255,0,0)"/><rect width="3" height="3" fill="#00f" stroke="#F00"/>
    </g><polygon points="0 0 1 1 2 0"/></svg>"""
    cost = complexity(svg)
    assert (cost.shapes, cost.segments, cost.colors, cost.bytes) == (4, 6, 3, len(svg))
