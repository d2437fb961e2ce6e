"""From raster to drawing and back: what comes out looks like what went in."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from vectrahub.engine.color.palette import parse_request
from vectrahub.engine.color.quantize import quantize
from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.alpha import resize_alpha
from vectrahub.engine.raster.resize import resize_lanczos
from vectrahub.engine.svg.document import write_svg
from vectrahub.engine.svg.render import over_ground, render
from vectrahub.engine.trace.options import trace_options
from vectrahub.engine.trace.trace import Traced, trace
from vectrahub.tests.drawn_art import FLAT_ART, drawing, drawing_with_alpha

SCALE = 6


def traced(rgb, alpha=None, scale: int = SCALE, progress=None, **options) -> Traced:
    """The pipeline's middle: upscale, snap, trace."""
    height, width = rgb.shape[:2]
    size = width * scale, height * scale
    large = None if alpha is None else resize_alpha(alpha, *size)
    snapped = quantize(resize_lanczos(rgb, *size), large, rgb, parse_request(""))
    extra = {} if progress is None else {"progress": progress}
    return trace(snapped.rgb, snapped.alpha, trace_options("logo", **options), (width, height), **extra)


def difference(
    result: Traced, body: str, size: int = 512, ground: tuple[int, int, int] = (255, 255, 255)
) -> np.ndarray:
    """dE2000 per pixel between the drawing and the truth, both over a ground, at `size`."""
    drawn, truth = (
        over_ground(render(text, size, size), ground) for text in (write_svg(result.drawing, 3), svg_of(body))
    )
    return np.asarray(deltaE_ciede2000(rgb2lab(truth), rgb2lab(drawn)))


def svg_of(body: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">{body}</svg>'.encode()


ART = {
    "shapes": FLAT_ART,
    "ring": '<rect width="128" height="128" fill="#FFF"/><path fill-rule="evenodd" fill="#1A4F9C" '
    'd="M64 10a54 54 0 1 0 .01 0Z M64 34a30 30 0 1 0 .01 0Z"/>',
    "strokes": '<rect width="128" height="128" fill="#FFF"/><g fill="none" stroke="#101010" stroke-width="4">'
    '<path d="M12 20 C50 10 80 60 116 30"/><path d="M12 60 L60 110 L116 70"/></g>',
    "overlap": '<rect width="128" height="128" fill="#FFC800"/><circle cx="50" cy="60" r="36" fill="#E30613"/>'
    '<circle cx="78" cy="60" r="36" fill="#1A4F9C"/><rect x="30" y="56" width="70" height="14" fill="#FFF"/>',
}


@pytest.mark.parametrize("art", ART)
def test_drawn_art_comes_back(art):
    result = traced(drawing(ART[art]))
    error = difference(result, ART[art])
    assert error.mean() < 0.5
    assert (error > 5).mean() < 0.02
    assert (result.hierarchy, result.reason) == ("layers", "")
    assert (result.drawing.width, result.drawing.height) == (128, 128)


def test_simple_art_costs_little():
    result = traced(drawing(ART["shapes"]))
    assert len(result.drawing.shapes) == 6
    assert sum(contour.segments for shape in result.drawing.shapes for contour in shape.contours) < 45


def test_a_hole_stays_a_hole():
    body = '<path fill-rule="evenodd" fill="#E30613" d="M64 10a54 54 0 1 0 .01 0Z M64 34a30 30 0 1 0 .01 0Z"/>'
    result = traced(*drawing_with_alpha(body))
    alpha = render(write_svg(result.drawing), 128, 128)[..., 3]
    assert alpha[64, 64] == 0 and alpha[2, 2] == 0 and alpha[20, 64] == 255
    (shape,) = result.drawing.shapes
    assert len(shape.contours) == 2 and shape.fill == "#E30613"
    for ground in ((255, 255, 255), (0, 0, 0)):
        assert difference(result, body, ground=ground).mean() < 0.5


def test_half_opacity_stays_half():
    body = (
        '<circle cx="50" cy="64" r="36" fill="#E30613" fill-opacity="0.5"/>'
        '<rect x="92" y="30" width="26" height="60" fill="#1A4F9C"/>'
    )
    result = traced(*drawing_with_alpha(body))
    assert sorted((shape.fill, round(shape.opacity, 1)) for shape in result.drawing.shapes) == [
        ("#1A4F9C", 1.0),
        ("#E30613", 0.5),
    ]
    assert difference(result, body, ground=(40, 200, 90)).mean() < 0.5


def test_opaque_over_half_opaque_leaves_no_double_paint():
    body = (
        '<g fill="#E30613" fill-opacity="0.5"><rect x="10" y="10" width="108" height="108"/>'
        '</g><circle cx="64" cy="64" r="30" fill="#101010"/>'
    )
    result = traced(*drawing_with_alpha(body))
    assert difference(result, body, ground=(255, 255, 255)).mean() < 0.5


def test_the_ground_is_apart_from_the_white_inside():
    body = (
        '<rect width="128" height="128" fill="#FFF"/><circle cx="64" cy="64" r="50" fill="#1A4F9C"/>'
        '<circle cx="64" cy="64" r="20" fill="#FFF"/>'
    )
    shapes = traced(drawing(body)).drawing.shapes
    assert [shape.fill for shape in shapes].count("#FFFFFF") == 2
    assert shapes[0].fill == "#FFFFFF" and len(shapes[0].contours) == 1


def many_colors() -> np.ndarray:
    rgb = np.zeros((60, 60, 3), np.uint8)
    rgb[..., 0] = np.arange(60) * 4
    rgb[..., 1] = np.arange(60)[:, None] * 4
    return rgb


def test_more_than_64_colours_fall_back_to_stacked():
    result = trace(many_colors(), None, trace_options("illustration"))
    assert result.hierarchy == "stacked" and "more than 64 colours" in result.reason and "PaletteSnap" in result.reason
    assert result.drawing.shapes


def test_stacked_with_transparency_becomes_cutout_and_keeps_the_hole():
    rgb, alpha = np.full((60, 60, 3), (227, 6, 19), np.uint8), np.ones((60, 60), np.float32)
    alpha[20:40, 20:40] = 0
    rgb[20:40, 20:40] = 0
    result = trace(rgb, alpha, trace_options("logo", hierarchy="stacked"))
    assert result.hierarchy == "cutout" and "transparency" in result.reason
    rendered = render(write_svg(result.drawing), 60, 60)
    assert rendered[30, 30, 3] == 0 and rendered[10, 10, 3] == 255
    assert (np.abs(rendered[5:15, 5:15, :3].astype(int) - (227, 6, 19)) <= 8).all()


@pytest.mark.parametrize("hierarchy", ["layers", "stacked", "cutout"])
@pytest.mark.parametrize("mode", ["refit", "spline", "polygon", "none"])
def test_every_mode_and_hierarchy(mode, hierarchy):
    result = traced(drawing(ART["overlap"]), scale=4, mode=mode, hierarchy=hierarchy)
    assert result.hierarchy == hierarchy
    assert difference(result, ART["overlap"], 256).mean() < 1.5


def test_a_huge_image_is_refused():
    huge = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (9000, 9000, 3))
    with pytest.raises(BadInput, match=r"9000 x 9000, allowed 64 megapixels.*ESRGAN12MP"):
        trace(huge, None, trace_options("auto"))


@pytest.mark.parametrize("mode", ["refit", "spline", "polygon", "none"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (5, 3)])
def test_tiny_images(shape, mode):
    rgb = np.full((*shape, 3), (227, 6, 19), np.uint8)
    result = trace(rgb, None, trace_options("logo", mode=mode))
    assert (result.drawing.width, result.drawing.height) == (shape[1], shape[0])
    rendered = render(write_svg(result.drawing), shape[1], shape[0])
    if mode in ("refit", "none"):  # VTracer's own polygons and splines need some length
        assert (rendered == (227, 6, 19, 255)).all()


@pytest.mark.parametrize("hierarchy", ["layers", "stacked", "cutout"])
def test_nothing_visible_gives_an_empty_drawing(hierarchy):
    rgb, alpha = np.zeros((50, 50, 3), np.uint8), np.zeros((50, 50), np.float32)
    result = trace(rgb, alpha, trace_options("logo", hierarchy=hierarchy))
    assert not render(write_svg(result.drawing), 50, 50)[..., 3].any()


@pytest.mark.parametrize("hierarchy", ["layers", "stacked", "cutout"])
def test_one_colour_fills_the_picture(hierarchy):
    rgb = np.full((50, 80, 3), (26, 79, 156), np.uint8)
    options = trace_options("logo", hierarchy=hierarchy)
    rendered = render(write_svg(trace(rgb, None, options).drawing), 80, 50)
    assert (np.abs(rendered.astype(int) - (26, 79, 156, 255)) <= 2).all()


def test_twice_the_same_bytes_and_nothing_mutated():
    rgb, alpha = drawing_with_alpha(FLAT_ART.split("/>", 1)[1], 256)
    rgb, alpha = (rgb // 64 * 64).astype(np.uint8), np.round(alpha)
    before = rgb.copy(), alpha.copy()
    rgb.setflags(write=False)
    alpha.setflags(write=False)
    first, second = (write_svg(trace(rgb, alpha, trace_options("logo"), (128, 128)).drawing) for _ in range(2))
    assert first == second
    assert (rgb == before[0]).all() and (alpha == before[1]).all()


def test_progress_grows():
    seen: list[float] = []
    traced(drawing(FLAT_ART), progress=seen.append)
    assert min(np.diff(seen)) > -1e-9 and len(seen) > 5 and 0 <= seen[0] and seen[-1] <= 1 + 1e-9
