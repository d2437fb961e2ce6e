"""The more like the picture, the better the rank; what cannot be used is last and says why."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.networks.omnisvg.drawing import decode
from vectrahub.engine.networks.omnisvg.picture import Placement
from vectrahub.engine.networks.omnisvg.ranking import combined, rank, rank_without_picture
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, Vocabulary
from vectrahub.engine.svg.document import Drawing
from vectrahub.engine.svg.geometry import transformed
from vectrahub.engine.svg.measure import likeness_of_svg
from vectrahub.engine.svg.render import over_ground, render, split_alpha
from vectrahub.tests.drawn_art import svg
from vectrahub.tests.omnisvg_words import ART, to_svg, tokens

V = Vocabulary(BASES[0])
DRAWING = decode(tokens(ART, V), V)
PLACE = Placement(600, 600)
NOTHING = svg("")


def moved(steps: float) -> Drawing:
    def move(contours: tuple) -> tuple:
        return tuple(transformed(contour, (1, 0, 0, 1, steps, steps)) for contour in contours)

    return replace(DRAWING, shapes=tuple(replace(shape, contours=move(shape.contours)) for shape in DRAWING.shapes))


def without(*indices: int) -> Drawing:
    return replace(DRAWING, shapes=tuple(s for index, s in enumerate(DRAWING.shapes) if index not in indices))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return over_ground(render(to_svg(DRAWING, PLACE), 600, 600))


@pytest.mark.parametrize(
    "ladder",
    [
        [moved(0), moved(1), moved(3), moved(6), moved(20)],
        [DRAWING, without(5), without(4, 5), without(1, 4, 5), without(1, 2, 3, 4, 5)],
        [moved(1), without(1)],  # a little off is better than the main thing missing
    ],
)
def test_worse_is_ranked_lower(ladder: list[Drawing], picture: np.ndarray) -> None:
    found = rank([to_svg(drawing, PLACE) for drawing in ladder], picture)
    likenesses = [score.likeness for score in found.scores]
    assert likenesses == sorted(likenesses, reverse=True) and len(set(likenesses)) == len(ladder)
    assert found.best == 0
    assert rank([to_svg(drawing, PLACE) for drawing in reversed(ladder)], picture).best == len(ladder) - 1


def test_figures_are_those_of_the_gate(picture: np.ndarray) -> None:
    file = to_svg(moved(2), PLACE)
    (score,) = rank([file], picture).scores
    alike = likeness_of_svg(picture, file, side=448)
    assert (score.mean_de, score.ssim) == (alike.mean_de, alike.ssim)
    assert score.coverage_error is None and "coverage_error" not in score.figures() and "reason" not in score.figures()


def test_perfect_is_one(picture: np.ndarray) -> None:
    small = over_ground(render(to_svg(DRAWING, Placement(90, 90)), 90, 90))
    assert rank([to_svg(DRAWING, Placement(90, 90))], small).scores[0].likeness == pytest.approx(1)
    assert rank([to_svg(DRAWING, PLACE)], picture).scores[0].likeness > 0.98


def test_ties_go_to_the_first_and_the_useless_say_why(picture: np.ndarray) -> None:
    good, bad = to_svg(DRAWING, PLACE), to_svg(moved(9), PLACE)
    found = rank([b"", b"<svg", NOTHING, bad, good, good], picture)
    assert found.best == 4
    assert [score.likeness == 0 for score in found.scores] == [True, True, True, False, False, False]
    assert [bool(score.reason) for score in found.scores] == [True, True, True, False, False, False]
    assert "0 visible pixels" in found.scores[2].reason
    assert rank([b"", b""], picture).best == 0
    with pytest.raises(BadInput):
        rank([], picture)


def test_the_own_holes_of_the_picture_win() -> None:
    hole = svg('<path d="M20 20h88v88h-88zM40 40v40h40v-40z" fill="#E30613"/>')
    filled = svg('<path d="M20 20h88v88h-88z" fill="#E30613"/><path d="M40 40h40v40h-40z" fill="#fff"/>')
    rgb, alpha = split_alpha(render(hole, 300, 300))
    assert rank([filled, hole], rgb, alpha).best == 1
    assert rank([filled, hole], rgb).best == 0  # over white they are equal


def test_progress_comes_often_and_cancels(picture: np.ndarray) -> None:
    class Cancelled(Exception):
        pass

    seen: list[float] = []

    def progress(share: float) -> None:
        seen.append(share)
        if share > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        rank([to_svg(DRAWING, PLACE)] * 3, picture, progress=progress)
    assert seen == sorted(seen) and len(seen) > 4


def test_combined_grows_with_each_measure() -> None:
    grid = list(itertools.product((0, 3, 40), (1, 0.4, -0.5), (1, 0.4, 0), (0, 0.2)))
    for de, ssim, edges, coverage in grid:
        figure = combined(de, ssim, edges, coverage)
        assert 0 < figure <= 1
        assert figure < combined(de - 0.1, ssim, edges, coverage)
        assert figure < combined(de, ssim + 0.1, edges, coverage)
        assert figure < combined(de, ssim, edges + 0.1, coverage)
        assert figure < combined(de, ssim, edges, coverage - 0.1)
    assert combined(0, 1, 1) == 1


def test_without_a_picture() -> None:
    sound = to_svg(DRAWING)
    blob = svg('<rect width="128" height="128"/>')
    cut = svg('<circle cx="0" cy="64" r="60"/><circle cx="100" cy="90" r="20"/><path d="M60 0h20v99h-20z"/>')
    pale = svg('<circle cx="64" cy="64" r="60" fill="#fefefe"/>')
    found = rank_without_picture([b"<svg/>", b"<svg" + b" " * 30, NOTHING, pale, blob, cut, sound, sound])
    assert found.best == 6
    values = [score.likeness for score in found.scores]
    assert values[:4] == [0, 0, 0, 0] and 0 < values[4] < values[5] < values[6] == values[7]
    assert [bool(score.reason) for score in found.scores] == [True] * 4 + [False] * 4
    assert rank_without_picture([sound, sound], [False, True]).best == 1
    with pytest.raises(BadInput):
        rank_without_picture([])


def test_a_plain_glyph_is_sound() -> None:
    ring = svg('<path d="M64 14a50 50 0 110 100 50 50 0 010-100zM64 40a24 24 0 100 48 24 24 0 000-48z"/>')
    assert rank_without_picture([ring]).scores[0].likeness > 0.8
