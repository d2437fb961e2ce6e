"""Grids and pictures for tests of tiles, smaller than `tile_grid` allows."""

import random

import torch

from vectrahub.engine.raster.tiles.grid import TileGrid, offsets


def small_grid(height: int, width: int, tile: int, overlap: int) -> TileGrid:
    ys, xs = offsets(height, tile, overlap), offsets(width, tile, overlap)
    return TileGrid(height, width, tile, overlap, ys, xs, (max(tile - height, 0), max(tile - width, 0)))


def random_grid(chance: random.Random) -> TileGrid:
    """Any size from 1 x 1 and any overlap; half of them shifted. Never so dense that it takes long."""
    height, width, tile = (chance.randint(1, 40) for _ in range(3))
    if chance.random() < 0.15:
        height, width = chance.choice([(1, width), (height, 1), (1, 1)])
    overlap = chance.randint(0, tile - 1)
    if height * width * (tile / (tile - overlap)) ** 2 > 6_000:
        overlap = tile // 2
    grid = small_grid(height, width, tile, overlap)
    return grid.shifted() if chance.random() < 0.5 else grid


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
