"""Every command as it is meant, and every stream as a drawing."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from vectrahub.engine.networks.omnisvg.drawing import decode
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, ENDS, Vocabulary
from vectrahub.engine.svg.document import Drawing, write_svg
from vectrahub.engine.svg.render import over_ground, render
from vectrahub.engine.svg.safe import parse_svg
from vectrahub.tests.omnisvg_words import ART, tokens

BOTH = [Vocabulary(base) for base in BASES]
V = BOTH[0]


def drawn(text: str, vocabulary: Vocabulary = V) -> Drawing:
    return decode(tokens(text, vocabulary), vocabulary)


def data(drawing: Drawing) -> list[tuple[str, str]]:
    """(path data, fill) of each path in the file."""
    found = []
    for group in parse_svg(write_svg(drawing)):
        assert group.attrib["fill-rule"] == "nonzero"
        found += [(path.attrib["d"], group.attrib["fill"]) for path in group]
    return found


def pixels(svg: str) -> np.ndarray:
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">'
    return over_ground(render(f"{head}{svg}</svg>".encode(), 400, 400))


def shown(drawing: Drawing) -> np.ndarray:
    return over_ground(render(write_svg(drawing), 400, 400))


@pytest.mark.parametrize("vocabulary", BOTH)
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("M 9 9 20 30 L 60 30 L 60 70 Z 20 30 #e01", ("M20 30h40v40l-40-40z", "#EE0011")),
        ("M 0 0 20 30 L 60 30 L 60 70 #fff", ("M20 30h40v40", "#FFFFFF")),
        ("M 0 0 20 30 C 1 2 3 4 199 199 Z 20 30 #08f", ("M20 30c-19-28-17-26 179 169l-179-169z", "#0088FF")),
        ("M 0 0 0 199 L 199 0 L 199 199 Z 0 199 current", ("M0 199l199-199v199h-199z", "#000000")),
        ("M 0 0 10 10 L 20 10 L 20 20 Z 15 25 #123", ("M10 10h10v10l-5 5z", "#112233")),
        ("M 0 0 10 10 A 0 9 0 0 1 20 20 L 10 20 Z 10 10 #123", ("M10 10l10 10h-10v-10z", "#112233")),
        ("M 0 0 10 10 A 9 0 0 0 1 20 20 L 10 20", ("M10 10l10 10h-10", "#000000")),
        ("M 0 0 10 10 A 9 9 0 0 1 10 10 L 10 20 L 20 20 #123", ("M10 10v10h10", "#112233")),
    ],
)
def test_commands(vocabulary: Vocabulary, text: str, path: tuple[str, str]) -> None:
    drawing = drawn(text, vocabulary)
    assert (drawing.width, drawing.height) == (200, 200)
    assert data(drawing) == [path]


@pytest.mark.parametrize(("large", "sweep"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize(("rx", "ry", "turn"), [(50, 50, 0), (70, 40, 30), (60, 45, 99), (3, 2, 60), (199, 1, 10)])
def test_arcs_are_those_of_svg(rx: int, ry: int, turn: int, large: int, sweep: int) -> None:
    """Against the renderer's own arcs, too small radii included."""
    mine = shown(drawn(f"M 0 0 80 90 A {rx} {ry} {turn} {large} {sweep} 120 110 Z 80 90 #e01"))
    other = pixels(f'<path d="M80 90A{rx} {ry} {turn} {large} {sweep} 120 110Z" fill="#EE0011"/>')
    assert np.abs(mine.astype(int) - other).mean() < 0.1 and (mine < 255).any()


def test_subpaths_share_the_colour_that_ends_them() -> None:
    ring = drawn(
        "M 0 0 20 20 L 180 20 L 180 180 L 20 180 Z 20 20  M 0 0 60 60 L 60 140 L 140 140 L 140 60 Z 60 60 #e01"
        "M 0 0 0 0 L 10 0 L 10 10 #249".replace("#e01", "#e01 ")
    )
    assert [(len(shape.contours), shape.fill) for shape in ring.shapes] == [(2, "#EE0011"), (1, "#224499")]
    picture = shown(ring)
    assert picture[80, 80].tolist() == [0xEE, 0, 0x11]
    assert picture[200, 200].tolist() == [255, 255, 255]  # the inner one runs the other way: a hole
    same_way = drawn(
        "M 0 0 20 20 L 180 20 L 180 180 L 20 180 Z 20 20  M 0 0 60 60 L 140 60 L 140 140 L 60 140 Z 60 60 #e01"
    )
    assert shown(same_way)[200, 200].tolist() == [0xEE, 0, 0x11]


def test_colours_none_and_alone() -> None:
    triangle = "M 0 0 0 0 L 9 0 L 9 9 Z 0 0"
    assert drawn(f"{triangle} none").shapes == ()
    assert [shape.fill for shape in drawn(f"#f00 none {triangle} #0f0 #00f current {triangle}").shapes] == [
        "#00FF00",
        "#000000",
    ]
    assert drawn("M 0 0 5 5 #f00 M 0 0 5 5 Z 5 5 #f00").shapes == ()


def test_all_colours_are_four_bits_times_17() -> None:
    triangle = tokens("M 0 0 0 0 L 9 0 L 9 9", V)
    for red, green, blue in itertools.product(range(16), repeat=3):
        (shape,) = decode([*triangle, V.color(red, green, blue)], V).shapes
        assert shape.fill == f"#{red:X}{red:X}{green:X}{green:X}{blue:X}{blue:X}"


@pytest.mark.parametrize("vocabulary", BOTH)
def test_cut_anywhere_is_the_drawing_so_far(vocabulary: Vocabulary) -> None:
    stream = tokens(ART, vocabulary)
    whole = data(decode(stream, vocabulary))
    assert len(whole) == 6
    before = 0
    for length in range(len(stream) + 1):
        found = data(decode(stream[:length], vocabulary))
        assert before <= len(found) <= before + 1
        assert found[:before] == whole[:before]
        if len(found) > before:  # the path that is being drawn: black until its colour comes
            path, fill = found[-1]
            rest, last = whole[before]
            assert fill in ("#000000", last) and rest.startswith(path.removesuffix("z"))
            before += fill == last
    assert before == 6


def test_what_does_not_fit_is_left_out() -> None:
    good = "M 0 0 20 30 L 60 30 L 60 70 Z 20 30 #e01"
    expected = data(drawn(good))
    point, scalar = V.point(7, 7), V.scalar(3)
    words = tokens(good, V)
    for junk in [
        [point],
        [scalar],
        [point, scalar] * 9,
        [V.command("C"), point, point],
        [V.command("A"), point, point],
    ]:
        assert data(decode([*junk, *words], V)) == expected  # before the first M
        after = tokens("M 0 0 20 30 L 60 30", V)
        assert data(decode([*after, *junk, *words[len(after) :]], V)) == expected  # between two commands
        assert data(decode([*words, *junk], V)) == expected
    assert data(drawn("L 1 1 C 1 1 2 2 3 3 Z 5 5 #f00 " + good)) == expected
    assert data(drawn(good.replace("#e01", "M 4 4 #e01"))) == expected  # an M with one point


def test_after_a_close_the_pen_is_at_the_start() -> None:
    assert data(drawn("M 0 0 20 20 L 40 20 L 40 40 Z 20 20 L 20 60 L 50 60 #f00")) == [
        ("M20 20h20v20l-20-20zm0 0v40h30", "#FF0000")
    ]


def test_ids_of_nothing_are_skipped_anywhere() -> None:
    stream = tokens(ART, V)
    nothing = [-1, -(2**70), 0, 151_643, V.base, V.base + 1, V.base + 2, V.base + 8 + 40_000, 196_700, *ENDS, 2**63]
    rng = random.Random(4)
    for _ in range(20):
        mixed = list(stream)
        for _ in range(40):
            mixed.insert(rng.randrange(len(mixed) + 1), rng.choice(nothing))
        assert data(decode(mixed, V)) == data(decode(stream, V))
    assert decode(nothing, V).shapes == () == decode([], V).shapes


@pytest.mark.parametrize("vocabulary", BOTH)
@pytest.mark.parametrize("near", [True, False])
def test_any_ids_make_a_drawing(vocabulary: Vocabulary, near: bool) -> None:
    rng = np.random.default_rng(11)
    for _ in range(200):
        count = int(rng.integers(0, 120))
        stream = rng.integers(vocabulary.first - 50, vocabulary.stop + 50, count)
        if near:  # mostly commands and points, as a network that went astray
            kinds = rng.random(count)
            stream = np.where(kinds < 0.35, vocabulary.base + 3 + rng.integers(0, 5, count), stream)
            stream = np.where(kinds > 0.95, vocabulary.scalar(0) + rng.integers(0, 100, count), stream)
        drawing = decode(stream.tolist(), vocabulary)
        parse_svg(write_svg(drawing))
        for shape in drawing.shapes:
            assert all(np.isfinite(contour.curves).all() for contour in shape.contours)
    parse_svg(write_svg(decode(rng.integers(vocabulary.first, vocabulary.stop, 5000), vocabulary)))
