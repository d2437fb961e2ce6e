"""Lines are added, fills stay; again is the same; wherever it is drawn, an outline is as wide."""

import re

import cv2
import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.svg.finish import finish
from vectrahub.engine.svg.gate import check
from vectrahub.engine.svg.outline import draw_outlines
from vectrahub.engine.svg.render import over_ground, render

SQUARE = '<path d="M20 20h60v60H20z" fill="#E30613"/>'
ROD = '<path d="M10 92h80v4H10z" fill="#0055AA"/>'
CAR = """<svg xmlns="http://www.w3.org/2000/svg" width="500" height="250" viewBox="0 0 500 250">
<path fill="#A52A2A" d="M30 180C30 150 40 140 90 131 130 125 150 120 170 107 210 75 235 65 290 65 350 65 380 85 415 122
450 127 470 137 472 165L472 185 30 185Z"/><path fill="#FF0000" d="M95 135L415 129 460 160 460 175 60 175 60 150Z"/>
<path fill="#FF0000" d="M200 145h50v15h-50z"/><path fill="#008080" d="M185 112C215 85 240 75 280 75L282 117 185 120Z"/>
<path fill="#000000" d="M285 120h2.500l-2 56h-2.500z"/><path fill="#000000" d="M55 159C150 150 350 150 452 156v2C352 152
152 152 55 161Z"/><circle cx="120" cy="185" r="37" fill="#222222"/><circle cx="120" cy="185" r="27" fill="#808080"/>
<circle cx="120" cy="185" r="23" fill="#222222"/><path fill="#808080" d="M118 160h4v50h-4zM95 183h50v4h-50z"/></svg>"""


def svg(*parts: str, size: int = 100, more: str = "") -> bytes:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 100 100" {more}>'
    return (head + "".join(parts) + "</svg>").encode()


def fills(drawing: bytes) -> set[str]:
    return set(re.findall(r' fill="(#[0-9A-F]{6})"', drawing.decode()))


def dark(drawing: bytes, side: int) -> int:
    """How many pixels of the middle row are nearly black."""
    picture = over_ground(render(drawing, side, side))
    return int((picture[side // 2].max(axis=1) < 60).sum())


@pytest.mark.parametrize("size", [100, 400, 25])
def test_an_outline_is_as_wide_at_every_size(size: int) -> None:
    done = draw_outlines(svg(SQUARE, size=size), width=2)
    assert done.outlined == 1 and done.svg.count(b'vector-effect="non-scaling-stroke"') == 1
    for side in (100, 400, 1000):
        assert dark(done.svg, side) == 4  # 2 px on each side of the square


def test_renderer_follows_transforms_and_dashes() -> None:
    line = '<path d="M-5 50H105" stroke-dasharray="8 8" stroke-width="6" vector-effect="non-scaling-stroke"/>'
    for scale, side in ((1, 100), (0.1, 400)):
        shapes = f'<g transform="scale({scale})" stroke="#000">{line.replace("105", str(round(105 / scale)))}</g>'
        picture = render(svg(shapes.replace("M-5 50", f"M-{5 / scale} {50 / scale}")), side, side)[..., 3] > 127
        assert picture.sum(axis=0).max() == 6
        assert np.diff(np.flatnonzero(np.diff(picture[side // 2].astype(int)) == 1)).tolist()[:3] == [16, 16, 16]


def test_outlines_lie_under_the_shapes_above() -> None:
    done = draw_outlines(svg(SQUARE, '<path d="M40 0h20v100H40z" fill="#FFCC00"/>'), width=4)
    assert over_ground(render(done.svg, 100, 100))[20, 50].tolist() == [255, 204, 0]


def test_other_values_and_none() -> None:
    done = draw_outlines(svg(SQUARE), width=3.5, color="fff")
    assert b'stroke="#FFFFFF" stroke-width="3.5"' in done.svg
    assert b"stroke" not in draw_outlines(done.svg, width=0).svg


@pytest.mark.parametrize("values", [{"color": "red-ish"}, {"width": -1.0}, {"width": float("nan")}, {"width": 1e9}])
def test_bad_values(values: dict[str, float | str]) -> None:
    with pytest.raises(BadInput):
        draw_outlines(svg(SQUARE), **values)  # pyright: ignore[reportArgumentType]


def test_what_gets_no_outline() -> None:
    ground = '<rect width="100" height="100" fill="#FFFFFF"/>'
    line = '<path d="M0 9h99" stroke="#00FF00" stroke-width="3" fill="none"/>'
    done = draw_outlines(svg(ground, line, SQUARE))
    assert done.outlined == 1 and b'stroke="#00FF00" stroke-width="3"' in done.svg


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("width", [0.0, 2.0])
def test_again_is_the_same_also_through_finish(lines: bool, width: float) -> None:
    once = draw_outlines(finish(CAR.encode()).svg, width=width, centrelines=lines)
    twice = draw_outlines(once.svg, width=width, centrelines=lines)
    finished = finish(once.svg, background="keep")
    thrice = draw_outlines(finished.svg, width=width, centrelines=lines)
    assert twice.svg == once.svg and thrice.centrelines == once.centrelines
    assert thrice.svg.count(b"stroke-linejoin") == once.svg.count(b"stroke-linejoin")
    effects = [text.count(b"non-scaling-stroke") for text in (once.svg, finished.svg)]
    assert effects[0] == effects[1] == (once.outlined if width else 0)
    assert draw_outlines(once.svg, width=0).svg == draw_outlines(finish(CAR.encode()).svg, width=0).svg


def test_a_car_keeps_its_fills_and_its_looks() -> None:
    before = finish(CAR.encode()).svg
    done = draw_outlines(before, width=0, centrelines=True)
    assert fills(done.svg) == fills(before) and done.contained == 1
    assert done.centrelines >= 5 and done.centreline_px > 500
    strokes = set(re.findall(r'stroke="(#[0-9A-F]{6})"', done.svg.decode()))
    assert strokes and strokes <= fills(before)
    pictures = [over_ground(render(text, 1000, 500)).astype(int) for text in (before, done.svg)]
    difference = np.abs(pictures[0] - pictures[1]).max(axis=2)
    stray = cv2.morphologyEx((difference > 64).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    assert difference.mean() < 0.5 and not stray.any()


def test_a_centreline_is_what_was_drawn() -> None:
    done = draw_outlines(svg(SQUARE, ROD), width=0, centrelines=True)
    group = done.svg.decode().partition('<g id="centrelines"')[2]
    assert 'fill="none"' in group and group.count("<path") == 1 and 'stroke="#0055AA"' in group
    assert abs(float(re.findall(r'stroke-width="([\d.]+)"', group)[0]) - 4) <= 0.3
    start = [float(number) for number in re.findall(r'd="M([\d.]+) ([\d.]+)', group)[0]]
    assert abs(start[1] - 94) <= 0.3 and min(abs(start[0] - 10), abs(start[0] - 90)) <= 0.3


def test_a_centreline_covers_no_outline() -> None:
    dark = []
    for lines in (False, True):
        done = draw_outlines(svg(SQUARE, ROD.replace("v4", "v5")), width=2, centrelines=lines)
        assert (b"centrelines" in done.svg) == lines
        dark.append((over_ground(render(done.svg, 100, 100)).max(axis=2) < 60).sum())
    assert dark[0] == dark[1] > 500


def test_what_covers_a_thin_shape_has_no_line_on_it() -> None:
    done = draw_outlines(svg(ROD, '<path d="M30 80h40v20H30z" fill="#E30613"/>'), width=0, centrelines=True)
    assert done.centrelines == 2 and abs(done.centreline_px - 40) <= 2
    assert over_ground(render(done.svg, 100, 100))[94, 50].tolist() == [0xE3, 6, 0x13]


def test_structured_drawings_get_only_the_outline() -> None:
    clip = '<clipPath id="c"><circle cx="50" cy="50" r="40"/></clipPath>'
    body = f'{clip}<g clip-path="url(#c)">{SQUARE}{SQUARE}</g><path fill="none" d="M0 0h9"/>'
    done = draw_outlines(svg(body), centrelines=True)
    assert done.structured and (done.outlined, done.duplicates, done.centrelines) == (2, 0, 0)
    assert b"clip-path" in done.svg and done.svg.count(b"non-scaling-stroke") == 2
    assert draw_outlines(done.svg, centrelines=True).svg == done.svg


def test_the_gate_takes_it_as_a_drawing() -> None:
    done = draw_outlines(svg(SQUARE), width=2, centrelines=True)
    assert check(done.svg, over_ground(render(done.svg, 100, 100))).passed


def test_unsafe_content_is_gone_and_an_empty_drawing_stays_empty() -> None:
    done = draw_outlines(svg("<script>evil()</script>", SQUARE))
    assert b"evil" not in done.svg and done.removed == {"script": 1}
    assert draw_outlines(svg(), centrelines=True).shapes == 0


def test_shared_opacity_stays_with_each_shape() -> None:
    faint = '<path d="M{} 20h40v40h-40z" fill="#E30613" stroke="#000000" opacity=".5"/>'
    finished = finish(svg(faint.format(10), faint.format(30)), background="keep").svg
    assert not re.search(rb"<g[^>]* opacity", finished)


def test_progress_and_cancel() -> None:
    shares: list[float] = []
    draw_outlines(CAR.encode(), centrelines=True, progress=shares.append)
    assert shares == sorted(shares) and len(shares) > 10 and shares[-1] <= 1

    def stop(share: float) -> None:
        if share > 0.2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        draw_outlines(CAR.encode(), centrelines=True, progress=stop)


@pytest.mark.parametrize(
    "shape",
    [
        '<line x1="5" y1="5" x2="80" y2="80" stroke="#FF0000" stroke-width="6"/>',
        '<path d="M5 5L80 80" stroke="#FF0000" stroke-width="6"/>',
        '<path d="M5 5C20 20 40 40 80 80" stroke="#FF0000" stroke-width="6"/>',
    ],
)
def test_a_line_keeps_its_colour(shape: str) -> None:
    clip = '<clipPath id="c"><circle cx="50" cy="50" r="40"/></clipPath>'
    for body in (shape, f'{clip}<g clip-path="url(#c)">{shape}</g>'):
        done = draw_outlines(svg(body))
        assert done.outlined == 0
        assert over_ground(render(done.svg, 100, 100))[50, 50].tolist() == [255, 0, 0]


OWN = 'stroke="#0000FF" stroke-width="5" vector-effect="non-scaling-stroke"'


@pytest.mark.parametrize("more", ["", 'stroke-linejoin="round" stroke-linecap="round"', 'stroke-dasharray="3"'])
@pytest.mark.parametrize("clip", ["", ' clip-path="url(#c)"'])
def test_own_strokes_are_not_taken_off(more: str, clip: str) -> None:
    body = f'<clipPath id="c"><circle cx="50" cy="50" r="40"/></clipPath><g{clip}>{SQUARE}</g>'
    drawing = svg(body.replace("<path", f"<path {OWN} {more}"))
    done = draw_outlines(drawing, width=0)
    assert done.replaced == 0 and (render(done.svg, 100, 100) == render(drawing, 100, 100)).all()


def test_an_own_group_called_centrelines_stays() -> None:
    body = '<g id="centrelines"><path d="M10 10H90" fill="none" stroke="#0000FF" stroke-width="5"/></g>'
    done = draw_outlines(svg(body, SQUARE, ROD), width=0, centrelines=True)
    assert b"#0000FF" in done.svg and done.replaced == 0 and done.centrelines == 1
    again = draw_outlines(done.svg, width=0, centrelines=True)
    assert again.svg == done.svg and again.replaced == 1


@pytest.mark.parametrize("inherited", ['stroke-dasharray="3"', 'stroke-opacity=".3"', 'stroke-linecap="square"'])
def test_a_structured_outline_is_plain(inherited: str) -> None:
    clip = '<clipPath id="c"><circle cx="50" cy="50" r="48"/></clipPath>'
    group = f'{clip}<g clip-path="url(#c)" {{}} stroke="#0000FF">{SQUARE}</g>'
    plain, done = (draw_outlines(svg(group.format(more))) for more in ("", inherited))
    assert (render(done.svg, 100, 100) == render(plain.svg, 100, 100)).all()
    assert draw_outlines(done.svg).svg == done.svg
    assert draw_outlines(done.svg, width=0).svg == draw_outlines(svg(group.format(inherited)), width=0).svg


@pytest.mark.parametrize(
    "unseen", ['fill-opacity="0"', 'visibility="hidden"', 'display="none"', 'fill="none"', 'fill="rgba(9,9,9,0)"']
)
def test_an_unseen_structured_shape_gets_no_outline(unseen: str) -> None:
    clip = '<clipPath id="c"><circle cx="50" cy="50" r="48"/></clipPath>'
    shape = SQUARE.replace('fill="#E30613"', unseen)
    assert draw_outlines(svg(f'{clip}<g clip-path="url(#c)">{shape}</g>')).outlined == 0


@pytest.mark.parametrize(
    "rod", ['stroke="#00FF00" stroke-width="1"', 'stroke="#0055AA" opacity=".5" fill-rule="evenodd"']
)
def test_again_is_the_same_after_own_strokes(rod: str) -> None:
    inner = '<path d="M30 30h9v9h-9" fill="#E30613" stroke="#00FF00"/>'
    once = draw_outlines(svg(SQUARE, inner, ROD.replace("fill", f"{rod} fill")), centrelines=True)
    assert once.contained == 1 and b"#00FF00" not in once.svg
    twice = draw_outlines(once.svg, centrelines=True)
    assert twice.svg == once.svg and b"stroke" not in draw_outlines(once.svg, width=0).svg
