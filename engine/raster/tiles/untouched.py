"""What no refined tile has a part in stays as it was, whatever went over it afterwards."""

from collections.abc import Collection
from itertools import pairwise

from torch import Tensor

from .grid import TileGrid


def put_back(picture: Tensor, before: Tensor, grid: TileGrid, changed: Collection[int]) -> None:
    """Copy from `before` into `picture`, (1, H, W, C) both, every pixel that none of the tiles `changed` covers."""
    for top, bottom in _steps(grid.ys, grid.tile, grid.height):
        for left, right in _steps(grid.xs, grid.tile, grid.width):
            if not any(_covers(grid, index, top, left) for index in changed):
                picture[:, top:bottom, left:right] = before[:, top:bottom, left:right]


def _steps(offsets: tuple[int, ...], tile: int, side: int) -> list[tuple[int, int]]:
    """The parts of an axis within which the same tiles lie."""
    edges = {0, side, *offsets, *(offset + tile for offset in offsets)}
    return list(pairwise(sorted(edge for edge in edges if edge <= side)))


def _covers(grid: TileGrid, index: int, top: int, left: int) -> bool:
    above, before, below, after = grid.box(index)
    return above <= top < below and before <= left < after
