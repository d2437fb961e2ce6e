"""What is dropped changes nothing, and what could change something stays."""

import numpy as np
import pytest

from vectrahub.engine.svg.outline import Outlined, draw_outlines
from vectrahub.engine.svg.render import render

RED, BLUE = "#E30613", "#0055AA"


def drop(*shapes: str) -> Outlined:
    return draw_outlines(drawing("".join(shapes)), width=0)


def drawing(body: str) -> bytes:
    # Without blended pixels: a border that is painted twice is a little stronger than one painted once.
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200" viewBox="0 0 200 200">'
    return f'{head}<g shape-rendering="crispEdges">{body}</g></svg>'.encode()


def rect(x: float, y: float, width: float, height: float, color: str = RED, more: str = "") -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{color}" {more}/>'


def test_a_repeated_shape_is_drawn_once() -> None:
    done = drop(rect(10, 10, 50, 50), rect(100, 10, 20, 20, BLUE), rect(10, 10, 50, 50))
    assert (done.duplicates, done.contained, done.shapes) == (1, 0, 2)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "inner", [rect(30, 30, 20, 20), rect(10, 10, 20, 50), '<circle cx="40" cy="40" r="9" fill="#e30613"/>']
)
def test_a_shape_inside_one_of_its_colour_goes(inner: str, order: int) -> None:
    assert drop(*[rect(10, 10, 100, 50), inner][::order]).contained == 1


@pytest.mark.parametrize(
    "shapes",
    [
        [rect(10, 10, 100, 100), rect(20, 20, 50, 50, BLUE), rect(30, 30, 20, 20)],  # seen on the blue one
        [rect(10, 10, 100, 100), rect(48, 48, 5, 5, BLUE), rect(30, 30, 20, 20)],  # covers a corner of it
        [rect(10, 10, 100, 100), '<path d="M0 45h200" stroke="#0055AA" stroke-width="3"/>', rect(30, 46, 20, 20)],
        [rect(10, 10, 100, 100), rect(80, 80, 31, 20)],  # stands out by one pixel
        [rect(10, 10, 100, 100, more='fill-opacity=".5"'), rect(30, 30, 20, 20)],
        [rect(10, 10, 100, 100), rect(30, 30, 20, 20, more='fill-opacity=".5"')],
        [rect(10, 10, 100, 100, more='opacity=".5"'), rect(10, 10, 100, 100, more='opacity=".5"')],
        [f'<path fill="{RED}" fill-rule="evenodd" d="M10 10h100v100h-100zM30 30h50v50h-50z"/>', rect(40, 40, 20, 20)],
        [f'<path fill="{RED}" d="M10 10h100v100h-100zM30 30v50h50v-50z"/>', rect(30, 30, 50, 50)],
        [rect(10, 10, 100, 100, more='stroke="#0055AA" stroke-width="9"'), rect(10, 10, 50, 50)],
    ],
)
def test_what_is_seen_stays(shapes: list[str]) -> None:
    done = drop(*shapes)
    assert (done.duplicates, done.contained) == (0, 0)


def test_another_colour_below_does_not_matter() -> None:
    assert drop(rect(10, 10, 100, 100), rect(40, 40, 9, 9, BLUE), rect(0, 0, 150, 150)).contained == 1
    assert drop(rect(10, 10, 100, 100), rect(60, 60, 9, 9, BLUE), rect(30, 30, 20, 20)).contained == 1


def any_shape(rng: np.random.Generator, color: str, step: float) -> str:
    x, y, width, height = (np.round(rng.random(4) * [180, 180, 90, 90] / step) * step + step).tolist()
    hole = f"M{x + width / 4} {y + height / 4}h{width / 2}v{height / 2}h{-width / 2}z"
    corners = " ".join(f"{a} {b}" for a, b in np.round(rng.random((5, 2)) * 200 / step) * step)
    rule = rng.choice(["evenodd", "nonzero"])
    return [
        rect(x, y, width, height, color),
        f'<circle cx="{x}" cy="{y}" r="{width / 2}" fill="{color}"/>',
        f'<path fill="{color}" fill-rule="{rule}" d="M{x} {y}h{width}v{height}h{-width}z{hole}"/>',
        f'<path fill="{color}" fill-rule="{rule}" d="M{corners}z"/>',
    ][rng.integers(4)]


def test_dropping_changes_no_pixel() -> None:
    dropped = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        colors = [RED, BLUE, "#FFCC00"][: rng.integers(1, 4)]
        shapes = [any_shape(rng, colors[rng.integers(len(colors))], (0.5, 5, 10, 20)[seed % 4]) for _ in range(16)]
        shapes[1] = shapes[1].replace("fill=", 'fill-opacity=".5" fill=')
        shapes[2] = shapes[2].replace("fill=", 'stroke="#00FF00" stroke-width="3" fill=')
        shapes += shapes[3:6]
        before = drawing("".join(shapes))
        done = draw_outlines(before, width=0)
        dropped += done.duplicates + done.contained
        assert (render(before, 600, 600) == render(done.svg, 600, 600)).all(), seed
    assert dropped > 100


def polygon(points: np.ndarray) -> str:
    return f'<path fill="{RED}" d="M' + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + 'z"/>'


def seen_difference(width: int, height: int, *shapes: str) -> int:
    """How many pixels are another colour when the hidden shapes are dropped."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    before = f"{head}{''.join(shapes)}</svg>".encode()
    after = draw_outlines(before, width=0).svg
    pictures = [render(text, width, height).astype(int) for text in (before, after)]
    return int((np.abs(pictures[0] - pictures[1]).max(axis=2) > 60).sum())


def test_what_shows_under_a_large_arch_stays() -> None:
    arch = f'<path fill="{RED}" d="M0 0H2000V1400H1900C1900 100 100 100 100 1400H0z"/>'
    t = np.linspace(0.4, 0.475, 20)[:, None]
    control = np.array([[100, 1400], [100, 100], [1900, 100], [1900, 1400]])
    curve = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1) @ control
    band = polygon(np.concatenate([curve - np.array([0, 20]), curve[::-1] + np.array([0, 4])]))
    assert seen_difference(2000, 1500, arch, band) == 0


def test_a_strip_in_a_large_hole_stays() -> None:
    k = 400 * 0.5522847498
    hole = f"M900 500C900 {500 + k} {500 + k} 900 500 900S100 {500 + k} 100 500 {500 - k} 100 500 100"
    hole += f" 900 {500 - k} 900 500z"
    square = f'<path fill="{RED}" fill-rule="evenodd" d="M50 50H950V950H50z{hole}"/>'
    angle = np.deg2rad(np.linspace(4, 7, 20))
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    strip = polygon(500 + np.concatenate([401.3 * ring, 398.3 * ring[::-1]]))
    assert seen_difference(1000, 1000, square, strip) == 0
