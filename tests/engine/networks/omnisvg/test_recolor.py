"""The picture's colours come back; shapes and what the picture does not say stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vectrahub.engine.networks.omnisvg.drawing import decode
from vectrahub.engine.networks.omnisvg.picture import unsquare
from vectrahub.engine.networks.omnisvg.recolor import REACH, recolor, recolored_if_better
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, Vocabulary
from vectrahub.engine.svg.document import Drawing, Shape, write_svg
from vectrahub.engine.svg.path import Contour
from vectrahub.engine.svg.render import over_ground, render
from vectrahub.tests.drawn_art import jpeg
from vectrahub.tests.omnisvg_words import ART, tokens

V = Vocabulary(BASES[0])
SIZE = (700, 600)
DRAWING = unsquare(decode(tokens(ART, V), V), *SIZE)
TRUE = ("#FFFCF0", "#E30613", "#1A4F9C", "#2E8B3A", "#F58A07", "#431C80")


def fills(drawing: Drawing) -> tuple[str, ...]:
    return tuple(shape.fill for shape in drawing.shapes)


def painted(drawing: Drawing, colors: tuple[str, ...]) -> Drawing:
    return replace(drawing, shapes=tuple(replace(s, fill=c) for s, c in zip(drawing.shapes, colors, strict=True)))


def shown(drawing: Drawing) -> np.ndarray:
    return over_ground(render(write_svg(drawing), *SIZE))


def box(left: float, top: float, right: float, bottom: float, fill: str, opacity: float = 1.0) -> Shape:
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    return Shape((Contour.polygon(corners),), fill, opacity, "nonzero")


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return shown(painted(DRAWING, TRUE))


def test_the_exact_colours_come_back(picture: np.ndarray) -> None:
    found = recolored_if_better(DRAWING, picture)
    assert fills(found.drawing) == TRUE and found.changed == 6
    assert 0.8 < found.before < found.after
    for old, new in zip(DRAWING.shapes, found.drawing.shapes, strict=True):
        assert old.contours is new.contours and old.rule == new.rule
    again = recolored_if_better(found.drawing, picture)
    assert again.drawing is found.drawing and (again.changed, again.before) == (0, found.after) == (0, again.after)


def test_jpeg_and_a_drawing_that_is_a_little_off(picture: np.ndarray) -> None:
    off = unsquare(decode(tokens(ART.replace("40 100", "41 101").replace("20 180", "21 179"), V), V), *SIZE)
    found = recolor(off, jpeg(picture, 75))
    for color, true in zip(fills(found), TRUE, strict=True):
        assert max(abs(a - b) for a, b in zip(bytes.fromhex(color[1:]), bytes.fromhex(true[1:]), strict=True)) <= 3


def test_another_colour_is_not_a_rounding(picture: np.ndarray) -> None:
    ring = replace(DRAWING, shapes=(DRAWING.shapes[0], replace(DRAWING.shapes[1], fill="#00AA44")))
    assert fills(recolor(ring, picture))[1] == "#00AA44"
    plain = np.full((80, 80, 3), 100, np.uint8)
    for step, expected in ((int(REACH), "#646464"), (int(REACH) + 1, f"#{100 + int(REACH) + 1:02X}6464")):
        drawing = Drawing(80, 80, (box(0, 0, 80, 80, f"#{100 + step:02X}6464"),))
        assert fills(recolor(drawing, plain)) == (expected,)


def test_what_is_hidden_thin_or_translucent_keeps_its_colour() -> None:
    plain = np.full((80, 80, 3), 100, np.uint8)
    shapes = (
        box(10, 10, 30, 30, "#707070"),  # under the next one
        box(0, 0, 80, 80, "#606060"),
        box(40, 0, 42, 80, "#727272"),  # two pixels wide
        box(50, 50, 80, 80, "#747474", 0.5),
        box(200, 200, 300, 300, "#767676"),  # beside the picture
    )
    assert fills(recolor(Drawing(80, 80, shapes), plain)) == ("#707070", "#646464", "#727272", "#747474", "#767676")
    assert recolor(Drawing(80, 80, ()), plain).shapes == ()


def test_equal_fills_stay_equal() -> None:
    rgb = np.full((100, 100, 3), 255, np.uint8)
    rgb[10:40, 10:40] = (200, 30, 30)
    rgb[60:70, 60:70] = (190, 40, 40)
    drawing = Drawing(100, 100, (box(10, 10, 40, 40, "#CC2222"), box(60, 60, 70, 70, "#CC2222")))
    assert fills(recolor(drawing, rgb)) == ("#C81E1E", "#C81E1E")


def test_only_opaque_pixels_say_a_colour() -> None:
    rgb = np.full((60, 60, 3), 90, np.uint8)
    alpha = np.ones((60, 60), np.float32)
    rgb[:, 20:], alpha[:, 20:] = 70, 0.0
    assert fills(recolor(Drawing(60, 60, (box(0, 0, 60, 60, "#555555"),)), rgb, alpha)) == ("#5A5A5A",)
    assert fills(recolor(Drawing(60, 60, (box(20, 0, 60, 60, "#EEEEEE"),)), rgb, alpha)) == ("#EEEEEE",)


def test_taken_back_when_it_makes_the_drawing_less_like() -> None:
    """Stripes too thin to be asked for their colour: the one block that is large enough speaks for all, wrongly."""
    rgb = np.full((120, 120, 3), 215, np.uint8)
    rgb[40:56, 40:56] = 255
    stripes = tuple(box(0, y, 120, y + 3, "#DDDDDD") for y in range(0, 120, 4))
    drawing = Drawing(120, 120, (box(0, 0, 120, 120, "#D7D7D7"), *stripes, box(40, 40, 56, 56, "#DDDDDD")))
    assert fills(recolor(drawing, rgb))[:2] == ("#D7D7D7", "#FFFFFF")
    found = recolored_if_better(drawing, rgb)
    assert found.drawing is drawing and found.changed == 0 and found.before == found.after


def test_a_texture_costs_no_more_than_a_flat_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (448, 448, 3), dtype=np.uint8)
    calls: list[float] = []
    found = recolored_if_better(DRAWING, noise, progress=calls.append)
    assert len(found.drawing.shapes) == 6 and calls == sorted(calls)
