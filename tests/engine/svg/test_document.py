"""The writer: what a trace writes stays as it is; the nonzero rule is written where a shape asks for it."""

from __future__ import annotations

import numpy as np

from vectrahub.engine.svg.document import Drawing, Shape, write_svg
from vectrahub.engine.svg.finish import finish
from vectrahub.engine.svg.path import Contour
from vectrahub.engine.svg.render import render


def square(low: float, high: float) -> Contour:
    return Contour.polygon(np.array([[low, low], [high, low], [high, high], [low, high]], float))


RING = (square(1, 9), square(3, 7))


def test_the_bytes_of_a_trace() -> None:
    drawing = Drawing(10, 10, (Shape(RING, "#E30613"), Shape(RING[:1], "#E30613"), Shape(RING[1:], "#FFFFFF", 0.5)))
    assert write_svg(drawing) == (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
        b' width="10" height="10" viewBox="0 0 10 10">\n'
        b'<g id="color-e30613" inkscape:groupmode="layer" inkscape:label="color-e30613" fill="#E30613"'
        b' fill-rule="evenodd">\n<path d="M1 1h8v8h-8zm2 2h4v4h-4z"/>\n<path d="M1 1h8v8h-8z"/>\n</g>\n'
        b'<g id="color-ffffff-50" inkscape:groupmode="layer" inkscape:label="color-ffffff-50" fill="#FFFFFF"'
        b' fill-opacity="0.5" fill-rule="evenodd">\n<path d="M3 3h4v4h-4z"/>\n</g>\n</svg>\n'
    )


def test_each_rule_has_its_group_and_its_middle() -> None:
    shapes = (Shape(RING, "#FF0000"), Shape(RING, "#FF0000", rule="nonzero"))
    text = write_svg(Drawing(10, 10, shapes)).decode()
    assert text.count("<g ") == 2 and 'id="color-ff0000-2"' in text
    for shape, middle in zip(shapes, (0, 255), strict=True):
        svg = write_svg(Drawing(10, 10, (shape,)))
        assert render(svg, 100, 100)[50, 50, 3] == middle
        assert render(finish(svg, background="keep").svg, 100, 100)[50, 50, 3] == middle


def test_resizing_keeps_everything_else() -> None:
    shape = Shape(RING, "#00FF00", 0.25, "nonzero")
    (resized,) = Drawing(10, 10, (shape,)).resized(20, 30).shapes
    assert (resized.fill, resized.opacity, resized.rule) == ("#00FF00", 0.25, "nonzero")
    assert resized.contours[0].curves[-1, 2].tolist() == [2, 27]
