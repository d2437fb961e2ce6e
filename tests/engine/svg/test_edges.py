"""Edges where the eye sees them; agreement that falls with every step away."""

from __future__ import annotations

import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.svg.edges import edge_agreement, edge_map
from vectrahub.tests.drawn_art import FLAT_ART, drawing, jpeg

RED_ON_GREEN = '<rect width="128" height="128" fill="#008A35"/><circle cx="64" cy="64" r="40" fill="#E30613"/>'


@pytest.fixture(scope="module")
def art() -> np.ndarray:
    return drawing(FLAT_ART, 448)


def test_equal_plain_and_empty(art: np.ndarray) -> None:
    white, black = np.full_like(art, 255), np.zeros_like(art)
    assert edge_agreement(art, art) == 1
    assert edge_agreement(white, black) == 1
    assert edge_agreement(art, white) == 0 == edge_agreement(white, art)
    with pytest.raises(BadInput):
        edge_agreement(art, art[:-1])


def test_falls_with_the_distance_and_the_same_both_ways(art: np.ndarray) -> None:
    found = [edge_agreement(art, np.roll(art, step, axis=1)) for step in (0, 2, 5, 8, 12, 16)]
    assert found[1] > 0.98 and found[-1] < 0.55 and found == sorted(found, reverse=True)
    other = np.roll(art, 7, axis=0)
    assert edge_agreement(art, other) == pytest.approx(edge_agreement(other, art))


def test_what_is_missing_and_what_is_too_much_both_cost(art: np.ndarray) -> None:
    half = drawing(FLAT_ART.replace('<rect x="76"', '<rect x="76" opacity="0"'), 448)
    assert 0.6 < edge_agreement(art, half) < 0.99
    assert edge_agreement(half, art) == pytest.approx(edge_agreement(art, half))


def test_hue_alone_makes_an_edge_and_colour_alone_moves_none(art: np.ndarray) -> None:
    assert edge_map(drawing(RED_ON_GREEN, 448)).sum() > 2 * np.pi * 140 * 0.7
    assert edge_agreement(art, drawing(FLAT_ART.replace("#E30613", "#7030A0"), 448)) > 0.95


def test_jpeg_and_blur_hardly_matter(art: np.ndarray) -> None:
    assert edge_agreement(art, jpeg(art, 60)) > 0.95
    ramp = np.broadcast_to(np.linspace(0, 255, 448, dtype=np.uint8)[:, None], (448, 448, 3)[:2])[..., None]
    assert not edge_map(np.repeat(ramp, 3, axis=2)).any()


@pytest.mark.parametrize("size", [32, 100, 900])
def test_any_size_is_measured_at_one(size: int, art: np.ndarray) -> None:
    assert edge_map(drawing(FLAT_ART, size)).shape == (448, 448)
    assert edge_map(np.zeros((1, size, 3), np.uint8)).shape == (max(1, round(448 / size)), 448)
    assert edge_agreement(drawing(FLAT_ART, size), drawing(FLAT_ART, size)) == 1
