"""Every pixel gets a colour of the palette; edges stay where they were drawn."""

import numpy as np
import pytest

from vectrahub.engine.color.snap import snap_labels
from vectrahub.engine.color.source import read_source
from vectrahub.engine.color.spaces import hex_to_rgb
from vectrahub.engine.raster.resize import resize_lanczos
from vectrahub.tests.drawn_art import drawing, jpeg


def snapped(rgb: np.ndarray, palette: tuple[str, ...], scale: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    return snap_labels(resize_lanczos(rgb, width * scale, height * scale), read_source(rgb), hex_to_rgb(palette))


@pytest.mark.parametrize("quality", [None, 80])
@pytest.mark.parametrize(
    ("first", "second", "between"),
    [("#FFFFFF", "#000000", "#808080"), ("#E30613", "#FFFFFF", "#F18389"), ("#1A4F9C", "#FFC800", "#8D8C4E")],
)
def test_an_edge_never_takes_a_third_colour_between(first, second, between, quality):
    """The third colour is in the palette, as it fills a patch of its own elsewhere."""
    body = f'<rect width="128" height="128" fill="{first}"/><circle cx="44" cy="70" r="30.3" fill="{second}"/>'
    body += f'<rect x="96" y="8" width="24" height="24" fill="{between}"/>'
    rgb = drawing(body)
    palette = (first, second, between)
    if quality is None:
        labels = snapped(rgb, palette, 4)
    else:  # what compression leaves goes by the median of quantize
        rgb = jpeg(rgb, quality)
        labels = snap_labels(resize_lanczos(rgb, 512, 512), read_source(rgb), hex_to_rgb(palette), 8)
    patch = np.zeros(labels.shape, bool)
    patch[4 * 4 : 36 * 4, 92 * 4 : 124 * 4] = True
    stray = (labels == 2) & ~patch
    assert stray.sum() <= (0 if quality is None else 4 * 4 * 4)
    assert (labels == 2)[8 * 4 + 8 : 32 * 4 - 8, 96 * 4 + 8 : 120 * 4 - 8].all()


@pytest.mark.parametrize("slope", [0.0, 0.2, 0.45, 1.0])
def test_a_straight_edge_stays_within_a_tenth_of_a_pixel(slope):
    left = 50.37
    body = f'<polygon points="{left},0 128,0 128,128 {left - slope * 32},128" fill="#1A4F9C"/>'
    scale = 8
    labels = snapped(drawing(body), ("#FFFFFF", "#1A4F9C"), scale)
    rows = np.arange(4 * scale, 124 * scale)  # away from the picture's border
    found = (labels[rows] == 0).sum(axis=1) / scale
    true = left - slope * 32 * ((rows + 0.5) / scale) / 128
    assert np.abs(found - true).max() < 0.1 + 0.5 / scale  # half an upscaled pixel is the grid's own error
    assert abs((found - true).mean()) < 0.05


def test_a_circle_keeps_its_area():
    labels = snapped(drawing('<circle cx="63.3" cy="64.8" r="40" fill="#E30613"/>'), ("#FFFFFF", "#E30613"), 8)
    assert (labels == 1).sum() / 64 == pytest.approx(np.pi * 1600, rel=2e-3)


def test_cleanup_takes_single_pixels():
    rgb = np.full((40, 40, 3), 255, np.uint8)
    rgb[:, 20:] = 0
    source = read_source(rgb)
    noisy = rgb.copy()
    noisy[10, 20] = 255
    table = hex_to_rgb(("#FFFFFF", "#000000"))
    assert snap_labels(noisy, source, table)[10, 20] == 0
    assert snap_labels(noisy, source, table, cleanup=3)[10, 20] == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_tiny_pictures(shape):
    rgb = np.full((*shape, 3), 250, np.uint8)
    assert (snapped(rgb, ("#000000", "#FFFFFF"), 3) == 1).all()


def test_progress_grows_and_cancels():
    class Stop(Exception):
        pass

    rgb = drawing('<circle cx="64" cy="64" r="40"/>')
    seen: list[float] = []
    snap_labels(rgb, read_source(rgb), hex_to_rgb(("#FFFFFF", "#000000")), 3, seen.append)
    assert seen == sorted(seen) and seen[-1] == 1

    def stop(_: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        snap_labels(rgb, read_source(rgb), hex_to_rgb(("#FFFFFF", "#000000")), 3, stop)
