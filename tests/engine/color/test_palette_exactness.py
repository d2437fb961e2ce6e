"""From a picture to the SVG: no colour but those of the user's palette, whatever palette it is."""

import re

import numpy as np
import pytest

from vectrahub.engine.color.nearest import nearest_by_eye
from vectrahub.engine.color.palette import PaletteRequest, parse_request
from vectrahub.engine.color.quantize import quantize
from vectrahub.engine.color.spaces import hex_to_rgb
from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.resize import resize_lanczos
from vectrahub.engine.svg.document import write_svg
from vectrahub.engine.svg.finish import finish
from vectrahub.engine.trace.options import trace_options
from vectrahub.engine.trace.trace import trace
from vectrahub.tests.color_cars import DEFAULT_PALETTE, photo_like

COUNT = 200


def a_palette(seed: int) -> tuple[str, ...]:
    """1 to 32 colours: random, near duplicates, a single one, black and white, greys."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 33))
    kind = seed % 5
    if kind == 0:
        rgb = rng.integers(0, 256, (count, 3))
    elif kind == 1:
        rgb = np.clip(rng.integers(0, 256, 3) + rng.integers(-2, 3, (count, 3)), 0, 255)
    elif kind == 2:
        rgb = rng.integers(0, 256, (1, 3))
    elif kind == 3:
        rgb = np.array([[0, 0, 0], [255, 255, 255]])[: 1 + seed % 2]
    else:
        rgb = rng.integers(0, 256, (count, 1)).repeat(3, axis=1)
    return tuple(dict.fromkeys("#" + bytes(row.astype(np.uint8)).hex().upper() for row in rgb))


def in_colors(seed: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """A picture in some palette's colours, its alpha, and the palette."""
    palette, alpha = a_palette(seed), None
    rgb = photo_like(seed, 24, 32, noise=float(seed % 3) * 3)
    if seed % 7 == 0:
        alpha = np.ones((48, 64), np.float32)
        alpha[:, :14] = 0
    request, specks = PaletteRequest(fixed=palette), (0.0, 0.1, 2.0)[seed % 3]
    result = quantize(resize_lanczos(rgb, 64, 48), alpha, rgb, request, specks=specks)
    shown = result.rgb if result.alpha is None else result.rgb[result.alpha > 0]
    pixels = {"#" + bytes(color).hex().upper() for color in np.unique(shown.reshape(-1, 3), axis=0)}
    assert pixels == set(result.palette.colors) <= set(palette)
    assert set(result.unused) == set(palette) - pixels
    return result.rgb, np.ones((48, 64), np.float32) if alpha is None else alpha, result.palette.colors


def fills_of(text: str) -> set[str]:
    """Every colour of a drawing's paint as '#RRGGBB'; a shape without any is black."""
    found = re.findall(r'(?:fill|stroke|stop-color)\s*[=:]\s*"?([^"; ]+)', text)
    bare = any("fill" not in tag for tag in re.findall(r"<(?:path|rect|circle|ellipse|polygon)[^>]*>", text))
    short = re.compile("#[0-9A-Fa-f]{3}")
    full = {"#" + "".join(2 * digit for digit in one[1:]) if short.fullmatch(one) else one for one in found}
    return {one.upper() for one in full if one != "none"} | ({"#000000"} if bare and "<g" not in text else set())


@pytest.mark.parametrize("seed", range(0, COUNT, 2))
def test_the_drawing_has_no_other_fill(seed: int) -> None:
    """Two palettes to a drawing, one picture above the other: starting the tracer takes longest."""
    rgb, alpha, colors = zip(in_colors(seed), in_colors(seed + 1), strict=True)
    drawn = trace(np.vstack(rgb), np.vstack(alpha), trace_options("illustration"), (32, 48))
    palette = tuple(dict.fromkeys(colors[0] + colors[1]))
    text = finish(write_svg(drawn.drawing), background="keep", palette=palette).svg.decode()
    assert drawn.hierarchy == "layers" and fills_of(text) <= set(palette)
    assert fills_of(text) <= set(a_palette(seed)) | set(a_palette(seed + 1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("side", "cell"), [(5, 24), (8, 24), (10, 24)])
def test_every_flat_square_has_the_colour_nearest_to_it(seed: int, side: int, cell: int) -> None:
    """More shades than an estimate can find are decided one by one."""
    shades = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    picture = shades.repeat(cell, axis=0).repeat(cell, axis=1)
    found = quantize(picture, None, None, PaletteRequest(fixed=DEFAULT_PALETTE))
    colors = hex_to_rgb(DEFAULT_PALETTE)
    wanted = colors[nearest_by_eye(shades, colors)].repeat(cell, axis=0).repeat(cell, axis=1)
    middle = np.arange(side * cell) % cell
    middle = (middle > 3) & (middle < cell - 4)
    assert (found.rgb == wanted)[np.ix_(middle, middle)].all()


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("FF0000,00FF00", ("#FF0000", "#00FF00")),
        ("ff0000;#0f0\n 00F ", ("#FF0000", "#00FF00", "#0000FF")),
        ("#abcdef, #ABCDEF", ("#ABCDEF",)),
    ],
)
def test_how_a_palette_may_be_written(text: str, fixed: tuple[str, ...]) -> None:
    assert parse_request(text).fixed == fixed


def test_more_than_32_are_refused_with_the_limit() -> None:
    codes = [f"{number:06X}" for number in range(33)]
    assert len(parse_request(",".join(codes[:32])).fixed) == 32
    with pytest.raises(BadInput, match="got 33, allowed at most 32"):
        parse_request(",".join(codes))
