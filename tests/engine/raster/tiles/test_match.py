"""A tile gets its source's colours, keeps its detail, and never explodes."""

import numpy as np
import pytest
import torch

from vectrahub.engine.color.spaces import srgb_to_lab
from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.tiles.crop import split
from vectrahub.engine.raster.tiles.lab import from_lab, to_lab
from vectrahub.engine.raster.tiles.match import METHODS, match_color, match_tiles
from vectrahub.tests.tile_grids import noise, small_grid


def drifted(source: torch.Tensor) -> torch.Tensor:
    """Darker, warmer, flatter, with grain of its own."""
    shift = torch.tensor([0.06, -0.02, -0.08])
    return (source * 0.75 + shift + (noise(*source.shape, seed=9) - 0.5) * 0.05).clamp(0, 1)


def picture(height: int = 96, width: int = 80) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([0.3 + 0.4 * x, 0.3 + 0.3 * y, 0.5 - 0.2 * x * y], dim=-1)[None]


def test_lab_is_cielab_and_comes_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    values = torch.from_numpy(pixels).float() / 255
    assert np.abs(to_lab(values).numpy() - srgb_to_lab(pixels) * 100).max() < 0.6  # OpenCV reads a table
    assert (from_lab(to_lab(values)) - values).abs().max() < 5e-5
    assert torch.allclose(to_lab(torch.tensor([[1.0, 0.0, 0.0]])), torch.tensor([[53.24, 80.09, 67.20]]), atol=0.05)


def test_lab_gives_the_mean_and_the_spread_of_the_source() -> None:
    source = picture()
    tile = drifted(source)
    matched = match_color(tile, source, "lab")
    for statistic in (torch.mean, torch.std):
        wanted, got = (statistic(to_lab(image), dim=(1, 2)) for image in (source, matched))
        assert (wanted - got).abs().max() < 0.05 < (wanted - statistic(to_lab(tile), dim=(1, 2))).abs().max()


def test_wavelet_takes_the_coarse_part_and_keeps_the_detail() -> None:
    source = picture(200, 180) * 0.8 + 0.1
    grain = (noise(1, 200, 180, 3, seed=3) - 0.5) * 0.1
    matched = match_color((source * 0.7 + 0.05 + grain).clamp(0, 1), source, "wavelet")
    assert (matched - grain - source).abs()[:, 40:-40, 40:-40].max() < 0.02


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_channels_any_size(method: str, channels: int) -> None:
    for height, width in ((1, 1), (1, 7), (33, 2)):
        source, tile = noise(1, height, width, 3), noise(1, height, width, channels, seed=1).half()
        before = tile.clone()
        matched = match_color(tile, source, method)
        assert matched.shape == tile.shape and matched.dtype == torch.float32 and torch.equal(tile, before)
        assert torch.isfinite(matched).all() and matched.min() >= 0 and matched.max() <= 1
        colors = 3 if channels >= 3 else 1
        assert torch.equal(matched[..., colors:], tile[..., colors:].float())


@pytest.mark.parametrize("method", METHODS)
def test_a_tile_like_its_source_stays(method: str) -> None:
    source = noise(1, 50, 60, 3)
    assert (match_color(source, source.clone(), method) - source).abs().max() < 5e-5


def test_flat_tiles_do_not_explode() -> None:
    source = noise(1, 60, 60, 3)
    nearly = torch.full((1, 60, 60, 3), 0.5) + (noise(1, 60, 60, 3, seed=2) - 0.5) * 0.004
    for tile in (torch.full((1, 60, 60, 3), 0.5), torch.zeros(1, 60, 60, 3), nearly):
        matched = match_color(tile, source, "lab")
        assert torch.isfinite(matched).all() and matched.std(dim=(1, 2)).max() < 0.01
    calm = match_color(source, torch.full((1, 60, 60, 3), 0.5), "lab")
    assert calm.std(dim=(1, 2)).min() > 0.25 * source.std(dim=(1, 2)).max()  # no picture is wiped out


def test_a_broken_tile_is_left_for_blend_to_name() -> None:
    tile = torch.full((1, 8, 8, 3), float("nan"))
    assert match_color(tile, torch.zeros(1, 8, 8, 3), "lab") is tile


def test_tiles_of_a_grid() -> None:
    grid, source = small_grid(50, 70, 32, 8), picture(50, 70)
    tiles, seen = [drifted(tile) for tile in split(source, grid)], []
    matched = match_tiles(tiles, source, grid, "lab", seen.append)
    assert len(matched) == grid.count and seen[-1] == 1
    assert torch.equal(matched[4], match_color(tiles[4], split(source, grid)[4], "lab"))
    with pytest.raises(BadInput, match="Number of tiles"):
        match_tiles(tiles[1:], source, grid, "lab")


def test_bad_input() -> None:
    with pytest.raises(BadInput, match="'hsv'"):
        match_color(torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 8, 3), "hsv")
    with pytest.raises(BadInput, match="does not fit the tile"):
        match_color(torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 9, 3), "lab")
