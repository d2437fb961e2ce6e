"""Split, then blend: the picture again, whatever the grid; mixed in linear light; little memory; clear errors."""

import itertools
import random
import tracemalloc
from collections.abc import Callable

import pytest
import torch
from torch.autograd.profiler import profile

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.tiles.blend import blend
from vectrahub.engine.raster.tiles.crop import padded, split
from vectrahub.engine.raster.tiles.grid import tile_grid
from vectrahub.engine.raster.tiles.light import to_linear, to_srgb
from vectrahub.engine.raster.tiles.shares import Axis
from vectrahub.tests.tile_grids import noise, random_grid, small_grid

CPU = torch.device("cpu")


def linear(values: torch.Tensor) -> torch.Tensor:
    return to_linear(values, torch.empty_like(values), torch.empty_like(values))


def srgb(values: torch.Tensor) -> torch.Tensor:
    return to_srgb(values.clone(), torch.empty_like(values), torch.empty_like(values))


def test_500_pictures_come_back() -> None:
    chance = random.Random(0)
    for seed in range(500):
        grid = random_grid(chance)
        image = noise(1, grid.height, grid.width, chance.choice([1, 2, 3, 3, 3, 4]), seed=seed)
        joined = blend(split(image, grid), grid)
        assert joined.shape == image.shape and joined.dtype == torch.float32
        assert (joined - image).abs().max() <= 1e-5, grid


def test_tiles_are_views_and_stay_as_they_are() -> None:
    grid, image = tile_grid(200, 300, 128, 32), noise(1, 200, 300, 3)
    before = image.clone()
    tiles = split(image, grid)
    joined = blend(tiles, grid)
    assert all(tile.untyped_storage().data_ptr() == image.untyped_storage().data_ptr() for tile in tiles)
    assert joined.untyped_storage().data_ptr() != image.untyped_storage().data_ptr()
    assert torch.equal(image, before)


def test_weights_are_ramps_over_the_true_overlap_and_sum_to_one() -> None:
    axis = Axis((0, 6, 8), 10, 18, CPU)  # the last tile moved inward: overlaps of 4 and 8, three tiles at 8 and 9
    assert next(list(run) for run in axis.runs()) == [0, 1, 2, 3, 4, 5]
    assert torch.allclose(axis.weights(0, 0, 8), torch.tensor([1.0] * 6 + [0.875, 0.625]))
    chance = random.Random(1)
    for _ in range(200):
        grid = random_grid(chance)
        for offsets, side in ((grid.ys, grid.height), (grid.xs, grid.width)):
            axis, total = Axis(offsets, grid.tile, side, CPU), torch.zeros(side)
            for index, offset in enumerate(offsets):
                weights = axis.weights(index, offset, min(offset + grid.tile, side))
                assert weights.min() > 0 and weights.max() <= 1
                total[offset : offset + grid.tile] += weights
            assert (total - 1).abs().max() < 1e-6
            assert list(itertools.chain(*axis.runs())) == list(range(side))


def test_what_one_tile_covers_alone_is_copied_exactly() -> None:
    grid = small_grid(20, 28, 16, 4)
    image = noise(1, 20, 28, 3)
    tiles = [tile + index for index, tile in enumerate(split(image, grid))]  # far outside 0..1
    joined = blend(tiles, grid)
    assert torch.equal(joined[:, :4, :12], tiles[0][:, :4, :12])
    assert torch.equal(joined[:, 16:, 16:], tiles[-1][:, 12:, 4:])


@pytest.mark.parametrize("value", [0.0, 0.02, 0.5, 1.0, -0.3, 7.0])
def test_a_constant_stays_constant(value: float) -> None:
    for seed in range(30):
        grid = random_grid(random.Random(seed))
        tiles = [torch.full((1, grid.tile, grid.tile, 3), value)] * grid.count
        assert (blend(tiles, grid) - value).abs().max() <= 1e-5 * max(1, abs(value))


def test_black_against_white_is_mixed_in_linear_light() -> None:
    grid = small_grid(8, 15, 8, 1)  # one column of overlap, in its middle: half and half
    black, white = torch.zeros(1, 8, 8, 4), torch.ones(1, 8, 8, 4)
    middle = blend([black, white], grid)[0, :, 7]
    assert torch.allclose(middle[:, :3], torch.tensor(0.7354), atol=1e-4)
    assert torch.allclose(middle[:, 3], torch.tensor(0.5))  # opacity is no light


def test_the_transfer_function_is_srgbs() -> None:
    values = torch.linspace(0, 1, 1001, dtype=torch.float64)
    exact = torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    assert (linear(values.float()) - exact).abs().max() < 5e-7
    assert (srgb(exact.float()) - values).abs().max() < 2e-6
    wild = torch.tensor([-1e30, -5.0, -0.1, 1.5, 40.0, 65504.0])
    assert torch.isfinite(linear(wild)).all() and torch.allclose(srgb(linear(wild)), wild, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_floats_have_no_black_edges(dtype: torch.dtype) -> None:
    grid, image = tile_grid(150, 170, 64, 24), noise(1, 150, 170, 3).to(dtype)
    joined = blend(split(image, grid), grid)
    assert joined.dtype == torch.float32 and (joined - image.float()).abs().max() <= 1e-5
    gray = blend([torch.full((1, 64, 64, 3), 0.5, dtype=dtype)] * grid.count, grid)
    assert (gray - 0.5).abs().max() <= 1e-5


def test_tiles_as_a_vae_leaves_them() -> None:
    grid, image = tile_grid(150, 170, 64, 24), noise(1, 150, 170, 3)
    planes = [tile.movedim(-1, 1).contiguous().movedim(1, -1) for tile in split(image, grid)]
    assert not planes[0].is_contiguous() and (blend(planes, grid) - image).abs().max() <= 1e-5


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (2, 3), (30, 64), (64, 64)])
def test_small_pictures_are_reflected_not_squashed(height: int, width: int) -> None:
    grid, image = tile_grid(height, width, 64, 8), noise(1, height, width, 3)
    whole = padded(image, grid)
    assert whole.shape == (1, 64, 64, 3) and torch.equal(whole[:, :height, :width], image)
    mirrored = [abs((row + height - 1) % max(2 * height - 2, 1) - height + 1) for row in range(64)]  # 0 1 2 1 0 1 2
    assert torch.equal(whole[:, :, 0], image[:, mirrored, 0])
    assert torch.equal(blend(split(image, grid), grid), image)


@pytest.mark.parametrize(
    ("height", "width", "tile", "overlap"),
    [
        (500, 400, 160, 8),
        (500, 400, 160, 120),
        (1, 9000, 64, 32),
        (9000, 1, 64, 0),
        (300, 300, 296, 290),
        (512, 512, 512, 0),
    ],
)
def test_memory_stays_under_2_2_times_the_output(height: int, width: int, tile: int, overlap: int) -> None:
    """The most that torch held (its profiler) and the most that NumPy and Python did (tracemalloc), output included."""
    grid = tile_grid(height, width, tile, overlap)
    tiles = split(noise(1, height, width, 3), grid)
    peak = peak_bytes(lambda: blend(tiles, grid))
    assert 4 * 3 * height * width <= peak < 2.2 * 4 * 3 * height * width


def peak_bytes(work: Callable[[], torch.Tensor]) -> int:
    tracemalloc.start()
    try:
        with profile(profile_memory=True) as seen:
            _result = work()
        _, others = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    moves = [event for event in seen.kineto_results.events() if event.name() == "[memory]"]
    moves.sort(key=lambda event: event.start_ns())
    return others + max(itertools.accumulate(event.nbytes() for event in moves))


def test_progress_and_cancel() -> None:
    grid = small_grid(400, 400, 128, 16)
    tiles, seen = split(noise(1, 400, 400, 3), grid), []
    blend(tiles, grid, seen.append)
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1 and len(seen) > 10

    def cancel(fraction: float) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blend(tiles, grid, cancel)


def test_bad_tiles_are_named() -> None:
    grid = tile_grid(100, 180, 64, 8)
    tiles = split(noise(1, 100, 180, 3), grid)
    with pytest.raises(BadInput, match=r"got 5, allowed 8"):
        blend(tiles[:5], grid)
    with pytest.raises(BadInput, match=r"Number of tiles"):
        blend([], grid)
    with pytest.raises(BadInput, match=r"tile 7 \(row 2, column 3\).*\(1, 64, 65, 3\)"):
        blend([*tiles[:6], torch.zeros(1, 64, 65, 3), *tiles[7:]], grid)
    for bad in (float("nan"), float("inf")):
        broken = tiles[2].clone()
        broken[0, 40, 50, 1] = bad
        with pytest.raises(BadInput, match=r"tile 3 \(row 1, column 3\): got 1 of 12288"):
            blend([*tiles[:2], broken, *tiles[3:]], grid)


def test_an_image_of_another_size_is_not_split() -> None:
    grid = tile_grid(100, 180, 64, 8)
    for shape in ((1, 100, 181, 3), (2, 100, 180, 3), (100, 180, 3)):
        with pytest.raises(BadInput, match="does not fit the tile grid"):
            split(torch.zeros(shape), grid)
