"""What no refined tile has a part in is put back."""

import pytest
import torch

from vectrahub.engine.raster.tiles.grid import tile_grid
from vectrahub.engine.raster.tiles.untouched import put_back


@pytest.mark.parametrize("size", [(300, 400), (100, 90), (128, 224), (64, 500)])
@pytest.mark.parametrize("changed", [set(), {0}, {1, 2}, {3}])
def test_pixels_of_changed_tiles_only_are_the_new_ones(size: tuple[int, int], changed: set[int]) -> None:
    grid = tile_grid(*size, 128, 32)
    changed = {index for index in changed if index < grid.count}
    before, after = torch.zeros(1, *size, 3), torch.ones(1, *size, 3)
    expected = torch.zeros(1, *size, 3)
    for index in changed:
        top, left, bottom, right = grid.box(index)
        expected[:, top:bottom, left:right] = 1
    put_back(after, before, grid, changed)
    assert torch.equal(after, expected)
