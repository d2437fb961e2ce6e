"""Where tiles lie: every pixel covered, every tile whole, every seam in the middle of a shifted tile."""

import itertools
import math
import random

import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.tiles.grid import tile_grid
from vectrahub.tests.tile_grids import random_grid, small_grid


def test_8k_in_tiles_of_1024() -> None:
    grid = tile_grid(8192, 6000, 1024, 128)
    assert (grid.rows, grid.columns, grid.count, grid.stride) == (9, 7, 63, 896)
    assert grid.ys == tuple(range(0, 7169, 896)) and grid.xs[-2:] == (4480, 4976)
    assert grid.position(10) == (1, 3) and grid.box(10) == (896, 2688, 1920, 3712)
    assert grid.padding == (0, 0)
    with pytest.raises(IndexError):
        grid.position(63)


@pytest.mark.parametrize("seed", range(300))
def test_any_grid_covers_its_picture_with_whole_tiles(seed: int) -> None:
    chance = random.Random(seed)
    side, tile = chance.randint(1, 300), chance.randint(1, 90)
    overlap = chance.randint(0, tile - 1)
    (offsets, long) = (small_grid(side, tile, tile, overlap).ys, max(side, tile))
    assert len(offsets) == max(math.ceil((side - overlap) / (tile - overlap)), 1)
    assert offsets[0] == 0 and offsets[-1] + tile == long
    steps = [after - before for before, after in itertools.pairwise(offsets)]
    assert all(0 < step <= tile - overlap for step in steps) and all(step == tile - overlap for step in steps[:-1])


def test_a_small_picture_is_one_padded_tile() -> None:
    grid = tile_grid(1, 700, 512, 64)
    assert (grid.ys, grid.xs, grid.padding) == ((0,), (0, 188), (511, 0))
    assert tile_grid(512, 512, 512, 0).count == 1


@pytest.mark.parametrize("seed", range(100))
def test_seams_lie_in_the_middle_of_shifted_tiles(seed: int) -> None:
    chance = random.Random(seed)
    tile = 8 * chance.randint(8, 20)
    grid = tile_grid(chance.randint(1, 900), chance.randint(1, 900), tile, 8 * chance.randint(0, tile // 16))
    shifted = grid.shifted()
    assert (shifted.tile, shifted.padding) == (grid.tile, grid.padding)
    for before, after in ((grid.ys, shifted.ys), (grid.xs, shifted.xs)):
        assert (after[0], after[-1]) == (before[0], before[-1]) and list(after) == sorted(set(after))
        assert all(step <= grid.stride for step in (b - a for a, b in itertools.pairwise(after)))
        if len(before) == 1:
            assert after == before
        for offset in before[1:]:
            start, stop = offset, before[before.index(offset) - 1] + tile  # the overlap
            if offset % grid.stride == 0:  # not the last one, moved inward
                assert any(abs(2 * at + tile - start - stop) <= 1 for at in after), (before, after)
            assert any(at <= start and stop <= at + tile and at not in before[1:-1] for at in after), (before, after)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 5, 64, 0), "no pixels"),
        ((9, 9, 60, 0), "multiples of 8"),
        ((9, 9, 1020, 0), "Set tile to 1024"),
        ((9, 9, 56, 0), "from 64"),
        ((9, 9, 64, 64), "0 to 63"),
        ((9, 9, 64, -1), "Set overlap to 8"),
    ],
)
def test_what_makes_no_grid(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        tile_grid(*arguments)


def test_random_grids_are_of_all_kinds() -> None:
    grids = [random_grid(random.Random(seed)) for seed in range(500)]
    for kind in (
        lambda g: 1 in (g.height, g.width),
        lambda g: any(g.padding),
        lambda g: g.rows == 1 and g.columns > 1,
        lambda g: g.columns == 1 and g.rows > 1,
        lambda g: g.overlap > g.tile / 2 and g.count > 9,
        lambda g: not g.overlap and g.count > 3,
    ):
        assert sum(map(bool, map(kind, grids))) >= 10
