"""Finishing: the ground goes, everything else stays where and what it was, and twice is once."""

import re

import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.svg.finish import automatic_decimals, finish
from vectrahub.engine.svg.measure import likeness
from vectrahub.engine.svg.render import over_ground, render

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
GROUND = '<rect width="100" height="100" fill="#FFFFFF"/>'
LETTER = '<path d="M20 20h60v60H20z" fill="#111111"/>'
COUNTER = '<path d="M40 40h20v20H40z" fill="#FFFFFF"/>'
COLORS = ["#E30613", "#0055AA", "#FFCC00", "#111111"]


def svg(*parts: str) -> bytes:
    return (HEAD + "".join(parts) + "</svg>").encode()


def test_ground_goes_and_white_inside_stays() -> None:
    done = finish(svg(GROUND, LETTER, COUNTER))
    drawn = render(done.svg, 100, 100)
    assert done.background == "removed: #FFFFFF"
    assert drawn[5, 5, 3] == 0
    assert tuple(drawn[50, 50]) == (255, 255, 255, 255)
    assert tuple(drawn[25, 25]) == (0x11, 0x11, 0x11, 255)


@pytest.mark.parametrize("rule", ["evenodd", "nonzero"])
def test_islands_of_one_compound_ground_stay(rule: str) -> None:
    ground = "M0 0h100v100H0zM20 20v60h60V20zM40 40h20v20H40z"
    done = finish(
        svg(f'<path fill-rule="{rule}" fill="#fff" d="{ground}"/>', '<path d="M20 20h60v60H20zM40 40v20h20V40z"/>')
    )
    drawn = render(done.svg, 100, 100)
    assert drawn[5, 5, 3] == 0 and tuple(drawn[50, 50]) == (255, 255, 255, 255)


def test_ground_upon_ground() -> None:
    done = finish(svg(GROUND, '<path d="M0 0h100v100H0z"/>', '<circle cx="50" cy="50" r="20" fill="red"/>'))
    assert done.shapes == 1 and not render(done.svg, 100, 100)[2, 2].any()


def test_ground_in_two_halves() -> None:
    halves = '<path d="M0 0h100v49H0z" fill="#fff"/><path d="M0 51h100v49H0z" fill="#fff"/>'
    done = finish(svg('<path d="M0 48.8h100v2.4H0z" fill="red"/>', halves, COUNTER))
    assert done.background == "removed: #FFFFFF" and b"#FF0000" in done.svg


def test_a_subject_cut_off_by_the_border_leaves_a_ground() -> None:
    subject = '<path d="M30 100V60L0 50V40h100v10L70 60v40z" fill="#E30613"/>'
    done = finish(svg(GROUND, subject))
    assert done.background == "removed: #FFFFFF" and not render(done.svg, 100, 100)[5, 50].any()


def test_a_field_cut_in_four_is_no_ground() -> None:
    cross = '<path d="M48 0h4v48h48v4H52v48h-4V52H0v-4h48z" fill="#fff"/>'
    done = finish(svg('<path d="M0 0h100v100H0z" fill="#0078D4"/>', cross))
    assert tuple(render(done.svg, 100, 100)[20, 20]) == (0, 0x78, 0xD4, 255)


@pytest.mark.parametrize(
    "parts",
    [
        (LETTER, COUNTER),  # no ground at all
        ('<rect x="10" y="10" width="80" height="80" fill="#fff"/>', LETTER),  # does not cover the border
        ('<rect width="100" height="60" fill="#fff"/>', LETTER),  # covers half of it
        ('<rect width="100" height="100" fill="#fff" fill-opacity=".5"/>', LETTER),  # is not opaque
        ('<rect width="100" height="100" fill="#fff"/>',),  # is the whole picture
        ('<path d="M0 0h50v100H0z" fill="red"/>', '<path d="M50 0h50v100H50z" fill="#00f"/>'),  # two colours
    ],
)
def test_what_is_no_ground_stays(parts: tuple[str, ...]) -> None:
    before, done = svg(*parts), finish(svg(*parts))
    assert done.background.startswith("kept")
    assert np.abs(render(before, 100, 100).astype(int) - render(done.svg, 100, 100)).max() <= 2


def test_palette_snaps_every_notation_but_not_far_colors() -> None:
    body = [
        '<path d="M0 0h9v9z" fill="rgb(227,6,20)"/>',
        '<path d="M0 20h9v9z" style="fill:#E20612"/>',
        '<path d="M0 40h9v9z" fill="none" stroke="#E30515"/>',
        '<path d="M0 60h9v9z" fill="green"/>',
        '<path d="M0 80h9v9z" fill="red"/>',
    ]
    text = finish(svg(*body), palette=("#E30613", "#FFFFFF")).svg
    assert text.count(b"#E30613") == 2 and b'stroke="#E30613"' in text  # the two fills share a group
    assert b"#008000" in text


def test_gradient_stops_snap_only_when_close() -> None:
    stops = '<stop offset="0" stop-color="#E30614"/><stop offset="50%" stop-color="#F04050"/><stop offset="1"/>'
    body = f'<defs><linearGradient id="q">{stops}</linearGradient></defs><rect width="80" height="50" fill="url(#q)"/>'
    text = finish(svg(body), palette=("#E30613",)).svg.decode()
    assert re.findall('stop-color="(.*?)"', text) == ["#E30613", "#F04050", "#000000"]


def test_size_of_the_reference_scales_the_numbers() -> None:
    done = finish(svg(LETTER), size=(400, 200))
    assert b'width="400" height="200" viewBox="0 0 400 200"' in done.svg and b'd="M80 40h240v120h-240z"' in done.svg
    assert b"transform" not in done.svg


def test_transforms_strokes_and_gradients_look_the_same() -> None:
    body = (
        '<defs><radialGradient id="r"><stop stop-color="red"/><stop offset="1" stop-color="#00f"/></radialGradient>'
        '<linearGradient id="l" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="30" y2="10" '
        'gradientTransform="skewX(20)">'
        '<stop stop-color="#0f0"/><stop offset="1" stop-color="#f0f" stop-opacity=".4"/></linearGradient></defs>'
        '<g transform="translate(10 5) rotate(20) scale(1.4)"><ellipse cx="20" cy="15" rx="15" ry="8" fill="url(#r)"/>'
        '<rect x="5" y="30" width="30" height="12" rx="4" fill="url(#l)" stroke="#333" stroke-width="2"/></g>'
        '<g transform="scale(2)"><circle cx="35" cy="12" r="8" fill="url(#r)" opacity=".7"/>'
        '<polyline points="5,40 20,30 30,45 45,30" fill="none" stroke="teal" stroke-dasharray="3 1" '
        'stroke-width="1.5"/></g>'
    )
    before = svg(body)
    done = finish(before, background="keep", decimals=3)
    assert " transform=" not in done.svg.decode()
    alike = likeness(over_ground(render(before, 300, 300)), over_ground(render(done.svg, 300, 300)))
    assert alike.mean_de < 0.05 and alike.share_over_5 < 0.002
    assert finish(done.svg, background="keep", decimals=3).svg == done.svg


def test_clip_paths_keep_their_structure() -> None:
    clip = '<clipPath id="c"><circle cx="50" cy="50" r="30"/></clipPath>'
    body = clip + '<g clip-path="url(#c)"><rect width="99" height="99"/></g>'
    done = finish(svg(body))
    assert done.structured and np.array_equal(render(svg(body), 90, 90), render(done.svg, 90, 90))
    whole = '<clipPath id="c"><rect width="100" height="100"/></clipPath><g clip-path="url(#c)">' + LETTER + "</g>"
    assert not finish(svg(whole)).structured


def random_drawing(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(int(rng.integers(3, 25))):
        x, y, w, h = rng.integers(0, 70, 2).tolist() + rng.integers(3, 40, 2).tolist()
        fill = COLORS[int(rng.integers(len(COLORS)))]
        shape = int(rng.integers(4))
        faint = ' fill-opacity=".6"' if rng.random() < 0.15 else ""
        if shape == 0:
            parts.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}"{faint}/>')
        elif shape == 1:
            parts.append(f'<circle cx="{x + 9}" cy="{y + 9}" r="{w / 3:.2f}" fill="{fill}"{faint}/>')
        elif shape == 2:
            parts.append(f'<path d="M{x} {y}c{w} 0 {w} {h} 0 {h}s-9-{h}-4-{h}z" fill="{fill}"{faint}/>')
        else:
            parts.append(f'<path d="M{x} {y}l{w} {h}h-{w}" fill="none" stroke="{fill}" stroke-width="{w % 7 + 0.5}"/>')
    return svg(*parts)


def test_grouping_draws_the_same_picture_and_is_idempotent() -> None:
    merged = 0
    for seed in range(100):
        before = random_drawing(seed)
        done = finish(before, background="keep", decimals=4)
        first, second = render(before, 256, 256).astype(int), render(done.svg, 256, 256).astype(int)
        assert (np.abs(first - second).max(axis=2) > 16).mean() < 2e-4, seed
        again = finish(done.svg, background="keep", decimals=4)
        assert again.svg == done.svg == finish(before, background="keep", decimals=4).svg, seed
        merged += done.groups < done.shapes
        once = finish(before)
        assert finish(once.svg).svg == once.svg, seed
    assert merged > 50


def test_one_group_per_color_with_a_label() -> None:
    dots = "".join(f'<circle cx="{9 + 11 * n}" cy="50" r="4" fill="{COLORS[n % 2]}"/>' for n in range(8))
    done = finish(svg(dots))
    assert done.groups == 2 and re.findall(r'id="(.*?)" inkscape', done.svg.decode()) == [
        "color-e30613",
        "color-0055aa",
    ]


def test_precision() -> None:
    assert [automatic_decimals(n, 1) for n in (4000, 512, 511, 52, 24)] == [1, 1, 2, 2, 3]
    assert b"M20.33 20" in finish(svg('<path d="M20.3333 20h60v60z"/>'), decimals=2).svg
    for bad in ({"decimals": 7}, {"background": "white"}):
        with pytest.raises(BadInput):
            finish(svg(LETTER), **bad)  # type: ignore[arg-type]


def test_empty_drawing() -> None:
    assert finish(svg()).shapes == 0
