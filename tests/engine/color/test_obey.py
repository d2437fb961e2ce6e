"""Shaded pictures in given colours: the nearest one everywhere, and no third one along an edge."""

import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from vectrahub.engine.color.obey import is_shaded, obey_labels
from vectrahub.engine.color.palette import parse_request
from vectrahub.engine.color.quantize import quantize
from vectrahub.engine.color.source import read_source
from vectrahub.engine.color.spaces import hex_to_rgb, rgb_to_hex
from vectrahub.engine.raster.resize import resize_lanczos
from vectrahub.tests.color_cars import DEFAULT_PALETTE
from vectrahub.tests.drawn_art import FLAT_ART, drawing, jpeg


def ramp(start: str, end: str, width: int = 300, height: int = 40) -> np.ndarray:
    a, b = hex_to_rgb((start, end)).astype(float)
    share = np.linspace(0, 1, width)[None, :, None]
    return np.rint(a * (1 - share) + b * share).astype(np.uint8).repeat(height, axis=0)


def by_skimage(rgb: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """CIEDE2000 of each pixel to each colour."""
    return np.stack([deltaE_ciede2000(rgb2lab(rgb), rgb2lab(color[None, None])) for color in palette], axis=-1)


@pytest.mark.parametrize(("start", "end"), [("#141440", "#FAB4C8"), ("#FF0000", "#000000"), ("#00FF00", "#0000FF")])
def test_a_ramp_changes_colour_where_ciede2000_does(start: str, end: str) -> None:
    palette = hex_to_rgb(DEFAULT_PALETTE)
    rgb = ramp(start, end)
    large = resize_lanczos(rgb, 900, 120)
    labels = obey_labels(large, read_source(rgb), palette)
    gaps = by_skimage(large[:1], palette)[0]
    excess = gaps[np.arange(900), labels[60]] - gaps.min(axis=1)
    assert excess.max() < 1e-6 and len(np.unique(labels)) >= 2


def test_flat_patches_take_the_nearest() -> None:
    rng = np.random.default_rng(0)
    palette = hex_to_rgb(DEFAULT_PALETTE)
    patches = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    rgb = patches.repeat(16, axis=0).repeat(16, axis=1)
    result = quantize(rgb, None, None, parse_request(",".join(DEFAULT_PALETTE)))
    middle = result.rgb[8::16, 8::16]
    gaps = by_skimage(patches, palette)
    chosen = np.array([[DEFAULT_PALETTE.index(color) for color in rgb_to_hex(row)] for row in middle])
    assert (np.take_along_axis(gaps, chosen[..., None], axis=-1)[..., 0] - gaps.min(axis=-1)).max() < 1.0


@pytest.mark.parametrize("quality", [None, 85])
@pytest.mark.parametrize(
    ("first", "second", "between"),
    [("#FFFFFF", "#000000", "#808080"), ("#FF0000", "#FFFFFF", "#FFC0CB"), ("#C01818", "#080808", "#800000")],
)
def test_an_edge_never_takes_a_third_colour_between(first, second, between, quality) -> None:
    body = f'<rect width="128" height="128" fill="{first}"/><circle cx="64" cy="64" r="40.3" fill="{second}"/>'
    rgb = drawing(body, 256)
    rgb = rgb if quality is None else jpeg(rgb, quality)
    labels = obey_labels(resize_lanczos(rgb, 768, 768), read_source(rgb), hex_to_rgb((first, second, between)), 0)
    assert (labels == 2).sum() <= (0 if quality is None else 0.002 * labels.size)
    assert (labels == 1).mean() == pytest.approx(np.pi * 40.3**2 / 128**2, rel=0.01)


def test_two_shades_of_one_colour_have_no_fringe_between() -> None:
    """Both sides of the edge are nearest to one colour, their mixture to another."""
    palette = ("#FFFFFF", "#808080", "#303030")
    body = '<rect width="128" height="128" fill="#FFFFFF"/><rect x="30.4" width="90" height="128" fill="#303030"/>'
    rgb = drawing(body, 128)
    assert (obey_labels(resize_lanczos(rgb, 512, 512), read_source(rgb), hex_to_rgb(palette)) != 1).all()


def test_a_thin_line_keeps_its_colour_and_gets_no_flanks() -> None:
    rgb = np.full((80, 80, 3), (200, 20, 20), np.uint8)
    rgb[:, 40] = 0
    rgb[:, [39, 41]] = (100, 10, 10)  # as anti-aliasing leaves it
    palette = ("#FF0000", "#000000", "#800000")
    labels = obey_labels(resize_lanczos(rgb, 320, 320), read_source(rgb), hex_to_rgb(palette))
    assert (labels[:, 160:163] == 1).all() and (labels != 2).mean() > 0.97


def test_only_shaded_pictures_are_decided_pixel_by_pixel() -> None:
    flat, soft = drawing(FLAT_ART, 256), ramp("#000000", "#FF0000")
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    assert not is_shaded(read_source(flat), False)
    assert is_shaded(read_source(noise), False) and is_shaded(read_source(soft), True)


def test_fewer_colours_than_given_are_those_of_the_largest_area() -> None:
    rgb = ramp("#000000", "#FF0000", 300)
    result = quantize(rgb, None, None, parse_request("#00FF00, #FF0000, #000000, #A52A2A", 2))
    assert len(result.palette.colors) == 2 and "#00FF00" in result.unused and len(result.unused) == 2


def test_specks_leave_the_palette_and_are_reported() -> None:
    rgb = ramp("#FFFFFF", "#FF0000", 400, 200)
    rgb[100:103, 20:23] = (0, 0, 255)
    request = parse_request("#FFFFFF, #FF0000, #0000FF, #FFC0CB")
    kept, gone = (quantize(rgb, None, None, request, specks=percent) for percent in (0.0, 0.1))
    assert "#0000FF" in kept.palette.colors and kept.specks == 0
    assert "#0000FF" in gone.unused and "#0000FF" not in gone.palette.colors and gone.specks >= 1
    assert set(gone.palette.colors) == set(rgb_to_hex(np.unique(gone.rgb.reshape(-1, 3), axis=0)))


def test_specks_of_two_found_colours_that_became_one_count_together() -> None:
    rgb = np.full((60, 60, 3), 255, np.uint8)
    rgb[20:24, 20:24], rgb[24:28, 20:24] = (250, 0, 0), (200, 30, 30)  # each 16 pixels, both red, together 32
    assert quantize(rgb, None, None, parse_request("#FFFFFF,#FF0000"), specks=0.6).specks == 0  # below 22
    assert quantize(rgb, None, None, parse_request("#FFFFFF,#FF0000"), specks=1.2).specks == 1  # below 43


def test_transparency_takes_no_colour() -> None:
    rgb, alpha = ramp("#FFFFFF", "#000000", 200, 100), np.ones((100, 200), np.float32)
    alpha[:, 80:120] = 0
    alpha[50:52, 98:102] = 1  # alone inside the gap
    result = quantize(rgb, alpha, None, parse_request("#FFFFFF,#000000,#808080"), specks=0.1)
    assert result.alpha is not None and (result.alpha == alpha).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (2, 3)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    result = quantize(rgb, None, None, parse_request("#FFFFFF,#000000"), specks=5.0)
    assert set(result.palette.colors) <= {"#FFFFFF", "#000000"}


def test_deterministic_and_nothing_mutated() -> None:
    rgb = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (90, 90, 3), dtype=np.uint8), (0, 0), 3)
    large = resize_lanczos(rgb, 270, 270)
    before = large.copy(), rgb.copy()
    large.setflags(write=False)
    rgb.setflags(write=False)
    request = parse_request(",".join(DEFAULT_PALETTE))
    first, second = (quantize(large, None, rgb, request, specks=0.1) for _ in range(2))
    assert (first.rgb == second.rgb).all() and first.palette == second.palette
    assert (large == before[0]).all() and (rgb == before[1]).all()


def test_strips_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from vectrahub.engine.color import obey

    body = '<rect width="128" height="128" fill="#C01818"/><path d="M10 90 L110 20" stroke="#101010" stroke-width="2"/>'
    rgb, palette = drawing(body + FLAT_ART[40:], 128), hex_to_rgb(DEFAULT_PALETTE)
    large = resize_lanczos(rgb, 384, 384)
    whole = obey_labels(large, read_source(rgb), palette)
    monkeypatch.setattr(obey, "_STRIP", 1)
    monkeypatch.setattr(obey, "_CHUNK", 1000)
    assert (obey_labels(large, read_source(rgb), palette) == whole).mean() > 0.9999
