"""The ground is found by its own colour, edges are solved, and what is no ground stays as it is."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.plain_ground import CutOut, cut_out
from vectrahub.engine.svg.render import render
from vectrahub.tests.drawn_art import svg

SIDE = 256
Floats = NDArray[np.float32]

OWL = (
    '<path d="M30 40Q64 10 98 40L100 90Q64 125 28 90Z" fill="#33261d"/>'
    '<circle cx="48" cy="55" r="12" fill="#fff"/><circle cx="80" cy="55" r="12" fill="#fff"/>'
    '<circle cx="48" cy="55" r="5" fill="#F4A300"/><circle cx="80" cy="55" r="5" fill="#F4A300"/>'
)
SHAPES = (
    '<rect x="18" y="16" width="50" height="50" rx="8" fill="#7c3aed"/><circle cx="82" cy="80" r="30" fill="#16a34a"/>'
    '<path d="M12 110l50-24 8 30z" fill="#E30613"/>'
)
RING = '<circle cx="64" cy="64" r="36" fill="none" stroke="#0a7d5a" stroke-width="14"/>'


def drawn(body: str, side: int = SIDE) -> tuple[Floats, Floats]:
    """Straight colours 0..255 and alpha, averaged from twice the size."""
    fine = render(svg(body), 2 * side, 2 * side).astype(np.float32)
    light = cv2.resize(fine[..., :3] * fine[..., 3:] / 255, (side, side), interpolation=cv2.INTER_AREA)
    alpha = np.asarray(cv2.resize(fine[..., 3], (side, side), interpolation=cv2.INTER_AREA), np.float32) / 255
    return np.asarray(light / np.maximum(alpha, 1e-6)[..., None], np.float32), alpha


def over(colors: NDArray, alpha: Floats, ground: NDArray) -> Floats:
    return np.asarray(colors * alpha[..., None] + ground * (1 - alpha[..., None]), np.float32)


def plain(color: str, side: int = SIDE) -> Floats:
    return np.full((side, side, 3), tuple(bytes.fromhex(color)), np.float32)


def sloped(first: str, last: str) -> Floats:
    share = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    return plain(first) * (1 - share) + plain(last) * share


def vignette(color: str, levels: float) -> Floats:
    rows, columns = np.indices((SIDE, SIDE)) / SIDE - 0.5
    return (plain(color) - (2 * levels * (rows**2 + columns**2))[..., None]).astype(np.float32)


def pixels(picture: NDArray) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def noisy(picture: Floats, sigma: float) -> Floats:
    return picture + np.random.default_rng(1).normal(0, sigma, picture.shape).astype(np.float32)


def jpeg(picture: Floats) -> NDArray[np.uint8]:
    stream = BytesIO()
    Image.fromarray(pixels(picture)).save(stream, "JPEG", quality=85)
    return np.asarray(Image.open(stream))


def solved(result: CutOut) -> Floats:
    assert result.alpha is not None, result.reason
    assert result.alpha.dtype == np.float32 and np.isfinite(result.alpha).all()
    assert result.alpha.min() >= 0 and result.alpha.max() <= 1
    return result.alpha


def halo(result: CutOut, colors: Floats, alpha: Floats, ground: str) -> float:
    """Mean difference from the truth in the edges, in levels, on another ground."""
    other = plain(ground, len(alpha))
    band = (alpha > 0) & (alpha < 1)
    return float(np.abs(over(result.rgb, solved(result), other) - over(colors, alpha, other))[band].mean())


GROUNDS = {
    "white": plain("FFFFFF"),
    "off-white": plain("F4F1EA"),
    "navy": plain("101B3B"),
    "red": plain("C8102E"),
    "slope": sloped("FFFFFF", "B8C4E0"),
    "vignette": vignette("FAFAFA", 30),
}


@pytest.mark.parametrize("body", [OWL, SHAPES])
@pytest.mark.parametrize("ground", GROUNDS)
def test_alpha_and_colours_come_back(body: str, ground: str) -> None:
    colors, alpha = drawn(body)
    behind = GROUNDS[ground]
    picture = pixels(over(colors, alpha, behind))
    before = picture.copy()
    result = cut_out(picture)
    found = solved(result)
    band = (alpha > 0) & (alpha < 1)
    assert (picture == before).all()
    assert np.abs(found - alpha)[band].mean() < 0.015
    assert found[cv2.dilate(alpha, np.ones((5, 5))) == 0].max() == 0
    assert found[cv2.erode(alpha, np.ones((5, 5))) == 1].min() == 1
    assert (np.abs(over(result.rgb, found, behind) - picture) > 8).mean() < 2e-4
    assert halo(result, colors, alpha, "000000") < 2 and halo(result, colors, alpha, "FF00FF") < 2
    assert result.reason.startswith("removed") and result.share == pytest.approx((alpha < 0.5).mean(), abs=0.002)


@pytest.mark.parametrize("ground", ["FFFFFF", "F4F1EA", "101B3B"])
def test_noise_is_no_drawing(ground: str) -> None:
    colors, alpha = drawn(SHAPES)
    result = cut_out(pixels(noisy(over(colors, alpha, plain(ground)), 2)))
    found = solved(result)
    assert np.abs(found - alpha)[(alpha > 0) & (alpha < 1)].mean() < 0.04
    assert found[cv2.dilate(alpha, np.ones((5, 5))) == 0].max() < 0.02
    assert halo(result, colors, alpha, "000000") < 5


@pytest.mark.parametrize("ground", ["FFFFFF", "F4F1EA"])
def test_what_jpeg_leaves_beside_edges_goes_too(ground: str) -> None:
    colors, alpha = drawn(SHAPES)
    found = solved(cut_out(jpeg(over(colors, alpha, plain(ground)))))
    assert np.abs(found - alpha)[(alpha > 0) & (alpha < 1)].mean() < 0.08
    assert found[cv2.dilate(alpha, np.ones((9, 9))) == 0].max() < 0.05
    assert found[cv2.erode(alpha, np.ones((9, 9))) == 1].min() > 0.9


def test_white_inside_stays_and_holes_open_only_when_asked() -> None:
    middle = SIDE // 2
    ring = pixels(over(*drawn(RING), plain("FFFFFF")))
    outside, everywhere = cut_out(ring), cut_out(ring, holes="everywhere")
    assert solved(outside)[middle, middle] == 1 and (outside.rgb[middle, middle] == 255).all()
    assert solved(everywhere)[middle, middle] == 0 and everywhere.share > outside.share
    owl = cut_out(pixels(over(*drawn(OWL), plain("FFFFFF"))))
    eye = int(55 / 128 * SIDE), int((48 - 8) / 128 * SIDE)
    assert solved(owl)[eye] == 1 and (owl.rgb[eye] == 255).all()


def test_a_white_detail_behind_a_thin_line_stays_white_and_opaque() -> None:
    body = '<circle cx="64" cy="64" r="40" fill="#fff" stroke="#111" stroke-width="1.2"/>'
    result = cut_out(pixels(over(*drawn(body), plain("FFFFFF"))))
    rows, columns = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    inside = np.hypot(rows, columns) < 38 / 128 * SIDE
    assert solved(result)[inside].min() == 1 and result.rgb[inside].min() >= 250


def test_thin_strokes_are_not_washed_out() -> None:
    body = "".join(f'<path d="M{10 + 14 * i} 12L{34 + 14 * i} 116" stroke="#111" stroke-width="1"/>' for i in range(6))
    colors, alpha = drawn(body, 2 * SIDE)
    result = cut_out(pixels(over(colors, alpha, plain("FFFFFF", 2 * SIDE))))
    assert np.abs(solved(result) - alpha)[alpha > 0].mean() < 0.02
    assert halo(result, colors, alpha, "000000") < 3


def test_a_pale_shape_is_a_shape_and_a_soft_shadow_a_shadow() -> None:
    pale = '<circle cx="64" cy="64" r="30" fill="#EDEDED"/>'
    result = cut_out(pixels(over(*drawn(pale), plain("FFFFFF"))))
    assert solved(result)[SIDE // 2, SIDE // 2] == 1
    colors, alpha = drawn(SHAPES, 512)
    shadow = cv2.GaussianBlur(np.roll(alpha, 14, axis=0), (0, 0), 12) * 0.4
    truth = alpha + (1 - alpha) * shadow
    picture = pixels(over(colors * (alpha / np.maximum(truth, 1e-6))[..., None], truth, plain("FFFFFF", 512)))
    result = cut_out(picture)
    found = solved(result)
    assert (np.abs(found - truth) > 0.1).mean() < 1e-4 and np.abs(found - truth).mean() < 0.002
    deep = (alpha == 0) & (truth > 0.2)
    assert found[deep].min() > 0.15 and result.rgb[deep & (found < 0.5)].mean() < 10


def two_colors(first: str, second: str) -> NDArray[np.uint8]:
    picture = plain(first)
    picture[:, SIDE // 2 :] = plain(second)[:, SIDE // 2 :]
    picture[100:150, 100:150] = 0
    return pixels(picture)


def photo() -> NDArray[np.uint8]:
    y, x = np.indices((SIDE, SIDE)) / SIDE
    waves = [127 + 80 * np.sin(9 * x + 3 * y), 120 + 90 * np.cos(5 * y + 7 * x * x), 100 + 60 * np.sin(13 * y)]
    return pixels(noisy(np.stack(waves, axis=-1).astype(np.float32), 4))


def crossed() -> NDArray[np.uint8]:
    picture = plain("FFFFFF")
    picture[120:136] = picture[:, 120:136] = 0
    return pixels(picture)


UNTOUCHED = {
    "photo": (photo(), "no plain colour"),
    "noise": (np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "no plain colour"),
    "two colours": (two_colors("FFFFFF", "1428C8"), "no plain colour"),
    "two near colours": (two_colors("FFFFFF", "EEEEEE"), "no plain colour"),
    "two noisy colours": (pixels(noisy(two_colors("FFFFFF", "E0E0E0").astype(np.float32), 2)), "no plain colour"),
    "crossed": (crossed(), "in pieces"),
    "one colour": (pixels(plain("F4F1EA")), "nothing but the ground #F4F1EA"),
    "one noisy colour": (pixels(noisy(plain("F4F1EA"), 3)), "nothing but the ground"),
    "slope only": (pixels(sloped("FFFFFF", "3366CC")), "nothing but the ground"),
    "1 x 1": (np.uint8([[[9, 200, 30]]]), "nothing but the ground #09C81E"),
    "2 x 2": (np.random.default_rng(2).integers(0, 256, (2, 2, 3), np.uint8), "kept"),
    "1 x 40": (np.random.default_rng(3).integers(0, 256, (1, 40, 3), np.uint8), "no plain colour"),
}


@pytest.mark.parametrize("name", UNTOUCHED)
@pytest.mark.parametrize("holes", ["outside", "everywhere"])
def test_without_a_ground_nothing_changes_and_the_reason_is_given(name: str, holes: str) -> None:
    picture, reason = UNTOUCHED[name]
    before = picture.copy()
    result = cut_out(picture, holes=holes)
    assert result.alpha is None and result.ground == "" and result.share == 0
    assert (result.rgb == before).all() and reason in result.reason and result.reason.startswith("kept")


def test_a_subject_that_is_cut_off_at_one_side_is_still_cut_out() -> None:
    colors, alpha = (np.roll(plane, 60, axis=0) for plane in drawn(OWL))
    alpha[:60] = 0
    found = solved(cut_out(pixels(over(colors, alpha, plain("FFFFFF")))))
    assert found[-1].max() == 1 and found[0].max() == 0


def test_alpha_that_is_there_is_kept() -> None:
    picture = pixels(over(*drawn(OWL), plain("FFFFFF")))
    alone = solved(cut_out(picture))
    window = np.ones((SIDE, SIDE), np.float32)
    window[100:140, 100:140] = 0.5
    assert solved(cut_out(picture, window)) == pytest.approx(alone * window, abs=1e-6)
    for alpha in (np.zeros((SIDE, SIDE), np.float32), np.repeat(np.float32([[0], [1]]), SIDE // 2, 0).repeat(SIDE, 1)):
        result = cut_out(picture, alpha)
        assert result.alpha is alpha and (result.rgb == picture).all() and "transparent already" in result.reason


def test_transparent_pixels_show_the_nearest_visible_colour() -> None:
    result = cut_out(pixels(over(*drawn(RING), plain("FFFFFF"))), holes="everywhere")
    assert np.abs(result.rgb[solved(result) == 0].astype(int) - (10, 125, 90)).max() <= 12


def test_tolerance_is_a_lab_distance() -> None:
    body = '<rect x="8" y="8" width="112" height="112" fill="#F2F2F2"/><circle cx="64" cy="64" r="30" fill="#111"/>'
    picture = pixels(over(*drawn(body), plain("FFFFFF")))
    corner = SIDE // 8
    assert solved(cut_out(picture, tolerance=0.01))[corner, corner] == 1
    assert solved(cut_out(picture, tolerance=0.1))[corner, corner] == 0


@pytest.mark.parametrize(
    ("wrong", "limit"), [({"holes": "inside"}, "outside"), ({"tolerance": 1.5}, "0..1"), ({"tolerance": -0.5}, "-1")]
)
def test_bad_values_are_named(wrong: dict[str, str | float], limit: str) -> None:
    with pytest.raises(BadInput, match=limit):
        cut_out(np.zeros((4, 4, 3), np.uint8), **wrong)  # pyright: ignore[reportArgumentType]


def test_equal_input_gives_equal_bytes_and_cancelling_gets_through() -> None:
    picture = pixels(noisy(over(*drawn(SHAPES), plain("F4F1EA")), 2))
    first, second = cut_out(picture), cut_out(picture)
    assert first.rgb.tobytes() == second.rgb.tobytes() and solved(first).tobytes() == solved(second).tobytes()

    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_out(picture, progress=stop)
