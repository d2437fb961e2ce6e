"""From a picture to its palette, its few opacities, its ground."""

import numpy as np
import pytest

from vectrahub.engine.color.palette import parse_request
from vectrahub.engine.color.quantize import Snapped, quantize
from vectrahub.engine.color.spaces import rgb_to_hex
from vectrahub.engine.raster.alpha import resize_alpha
from vectrahub.engine.raster.denoise import calm, compression_noise
from vectrahub.engine.raster.resize import resize_lanczos
from vectrahub.tests.drawn_art import FLAT_ART, FLAT_COLORS, drawing, drawing_with_alpha, jpeg


def run(rgb, alpha=None, palette="", colors=0, scale=3, **options) -> Snapped:
    height, width = rgb.shape[:2]
    size = width * scale, height * scale
    large = None if alpha is None else resize_alpha(alpha, *size)
    return quantize(resize_lanczos(rgb, *size), large, rgb, parse_request(palette, colors), **options)


def used(result: Snapped) -> set[str]:
    shown = result.rgb.reshape(-1, 3) if result.alpha is None else result.rgb[result.alpha > 0]
    return set(rgb_to_hex(np.unique(shown, axis=0)))


def test_automatic_palette_of_flat_art():
    result = run(drawing(FLAT_ART))
    assert used(result) == set(result.palette.colors) == set(FLAT_COLORS)
    assert (result.palette.source_width, result.palette.source_height) == (128, 128)
    assert (result.background, result.alpha, result.unused) == ("#FFFFFF", None, ())
    assert not result.gradients and not result.compressed


def test_a_fixed_palette_is_obeyed_exactly():
    result = run(drawing(FLAT_ART), palette="#FF0000, #00FF00, #0000FF, #FFFFFF, #123456")
    assert used(result) == set(result.palette.colors)
    assert used(result) <= {"#FF0000", "#00FF00", "#0000FF", "#FFFFFF", "#123456"}
    assert set(result.unused) == {"#FF0000", "#00FF00", "#0000FF", "#FFFFFF", "#123456"} - used(result)
    red = result.rgb[40 * 3, 40 * 3]
    assert red.tolist() == [255, 0, 0]


def test_a_pull_makes_a_colour_exact_and_leaves_the_rest():
    result = run(drawing(FLAT_ART), palette="#E40515 ~ 0.05")
    assert set(result.palette.colors) == set(FLAT_COLORS) - {"#E30613"} | {"#E40515"}


def test_white_becomes_transparent_and_its_enclosed_parts_too():
    result = run(drawing(FLAT_ART), palette="#FFFFFF -> transparent ~ 0.05")
    assert result.alpha is not None and set(np.unique(result.alpha)) == {0, 1}
    assert result.alpha[0, 0] == 0 and result.alpha[120, 120] == 1
    assert result.background == "transparent" and "#FFFFFF" not in result.palette.colors


@pytest.mark.parametrize("opacity", [0.5, 0.25])
def test_half_opacity_survives_as_a_level(opacity):
    body = (
        f'<circle cx="44" cy="64" r="30" fill="#E30613" fill-opacity="{opacity}"/>'
        '<rect x="84" y="40" width="30" height="48" fill="#1A4F9C"/>'
    )
    result = run(*drawing_with_alpha(body))
    assert result.alpha is not None
    levels = np.unique(result.alpha)
    assert len(levels) == 3 and levels == pytest.approx([0, opacity, 1], abs=0.01)
    assert result.alpha[64 * 3, 44 * 3] == pytest.approx(opacity, abs=0.01)
    assert result.background == "transparent"
    assert set(result.palette.colors) == {"#E30613", "#1A4F9C"}  # the black of transparent pixels is no colour


def test_fully_transparent():
    rgb, alpha = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.float32)
    result = run(rgb, alpha)
    assert result.alpha is not None and not result.alpha.any()
    assert result.background == "transparent" and result.palette.colors == ()


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (227, 6, 19)])
def test_a_single_colour(color):
    result = run(np.full((30, 50, 3), color, np.uint8))
    assert used(result) == set(result.palette.colors) == {rgb_to_hex(np.array([color]))[0]}
    assert result.background == result.palette.colors[0] and not result.gradients


def test_the_ground_is_the_border_not_the_largest_area():
    body = '<rect width="128" height="128" fill="#1A4F9C"/><circle cx="64" cy="64" r="60" fill="#FFFFFF"/>'
    assert run(drawing(body)).background == "#1A4F9C"


@pytest.mark.parametrize("quality", [None, 90, 70])
def test_flat_art_has_no_gradients(quality):
    rgb = drawing('<circle cx="64" cy="64" r="44" fill="#E30613"/>', 256)
    assert not run(rgb if quality is None else jpeg(rgb, quality), scale=2).gradients
    rgb = drawing(FLAT_ART, 256)
    assert not run(rgb if quality is None else jpeg(rgb, quality), scale=2).gradients


@pytest.mark.parametrize("quality", [None, 80])
@pytest.mark.parametrize("stops", [("#000", "#FFF"), ("#E30613", "#FFC800"), ("#1A4F9C", "#4080C0")])
def test_a_ramp_is_a_gradient(quality, stops):
    body = (
        f'<defs><linearGradient id="g"><stop stop-color="{stops[0]}"/><stop offset="1" stop-color="{stops[1]}"/>'
        '</linearGradient></defs><rect width="128" height="128" fill="url(#g)"/>'
    )
    rgb = drawing(body, 256)
    assert run(rgb if quality is None else jpeg(rgb, quality), scale=1).gradients


def test_compression_is_seen_and_clean_art_is_not():
    for body in (FLAT_ART, '<circle cx="64" cy="64" r="44"/>'):
        rgb = drawing(body, 256)
        assert compression_noise(rgb) < 0.05
        calmed, compressed = calm(rgb)
        assert not compressed and calmed is rgb
        for quality in (95, 85, 60):
            noisy = jpeg(rgb, quality)
            before = noisy.copy()
            calmed, compressed = calm(noisy)
            assert compressed and compression_noise(noisy) > 0.12
            assert (noisy == before).all() and calmed is not noisy


def test_a_flat_picture_has_no_noise_to_measure():
    assert compression_noise(np.full((30, 30, 3), 7, np.uint8)) == 0
    assert compression_noise(np.zeros((1, 1, 3), np.uint8)) == 0


@pytest.mark.parametrize("colors", [1, 2, 4])
def test_the_number_of_colours_is_a_limit(colors):
    assert len(run(drawing(FLAT_ART), colors=colors).palette.colors) == colors


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (2, 2)])
def test_tiny_pictures(shape):
    result = run(np.full((*shape, 3), 200, np.uint8), np.full(shape, 0.5, np.float32))
    assert result.rgb.shape == (shape[0] * 3, shape[1] * 3, 3) and (result.rgb == 200).all()
    assert result.alpha is not None and result.alpha == pytest.approx(0.5, abs=0.01)


def test_deterministic_and_nothing_mutated():
    rgb, alpha = drawing_with_alpha(FLAT_ART.split("/>", 1)[1])
    large, large_alpha = resize_lanczos(rgb, 300, 300), resize_alpha(alpha, 300, 300)
    inputs = [large, large_alpha, rgb]
    before = [array.copy() for array in inputs]
    for array in inputs:
        array.setflags(write=False)
    first, second = (quantize(*inputs, parse_request("")) for _ in range(2))
    assert all((array == old).all() for array, old in zip(inputs, before, strict=True))
    assert (first.rgb == second.rgb).all() and (first.alpha == second.alpha).all()
    assert first.palette == second.palette


def test_progress_grows():
    seen: list[float] = []
    run(drawing(FLAT_ART), progress=seen.append)
    assert seen == sorted(seen) and len(seen) > 3 and 0 <= seen[0] and seen[-1] <= 1


def test_reading_a_large_source_and_its_opacity_reports_between_its_steps():
    """At 12 megapixels each of the two was silent for more than a second."""
    seen: list[float] = []
    run(*drawing_with_alpha(FLAT_ART.split("/>", 1)[1]), palette="#FF0000, #0000FF", scale=2, progress=seen.append)
    assert seen == sorted(seen)
    for start, end, least in ((0.0, 0.1, 6), (0.1, 0.12, 3), (0.7, 0.74, 6)):
        assert len({share for share in seen if start < share < end}) >= least, (start, end)
