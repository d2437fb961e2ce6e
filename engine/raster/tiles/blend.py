"""Joining tiles into one picture, mixed in linear light where they overlap."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...progress import Progress, silent
from .blocks import COPIED, Block, block_values, blocks
from .checks import check_finite, check_sizes
from .grid import TileGrid
from .light import Mixer, copy_pixels
from .shares import Axis


def blend(tiles: Sequence[Tensor], grid: TileGrid, progress: Progress = silent) -> Tensor:
    """The tiles (1, tile, tile, C), row by row -> one picture (1, H, W, C) float32 on the first tile's device.

    Where a tile is alone its values are copied. Elsewhere the tiles are mixed in linear light by the weights of
    `Axis`, in float32, whatever floats they are; see `Mixer` for what counts as colour. Memory added: the picture,
    and for the mixing 12 MB, or 3/8 of a picture that is smaller than 32 MB.

    Raises BadInput for a wrong number of tiles, a tile of another size, or one with NaN or infinite values.
    """
    check_sizes(tiles, grid)
    size = (1, grid.height, grid.width, tiles[0].shape[-1])
    picture = torch.empty(size, dtype=torch.float32, device=tiles[0].device)
    with torch.no_grad():
        _Join(tiles, grid, picture).run(progress)
    return picture


class _Join:
    def __init__(self, tiles: Sequence[Tensor], grid: TileGrid, picture: Tensor) -> None:
        self._tiles, self._grid, self._picture = tiles, grid, picture
        keep = picture.numel() // 16
        self._down = Axis(grid.ys, grid.tile, grid.height, picture.device, keep)
        self._across = Axis(grid.xs, grid.tile, grid.width, picture.device, keep)
        self._values = block_values(picture)
        self._mixer = Mixer(self._values, picture.device)

    def run(self, progress: Progress) -> None:
        done, channels = 0, self._picture.shape[-1]
        for rows in self._down.runs():
            for columns in self._across.runs():
                values = COPIED if self._alone(rows, columns) else self._values
                for block in blocks(rows, columns, values // channels):
                    target = block.of(self._picture)
                    self._fill(target, block, lambda at=done: progress(at / self._picture.numel()))
                    if not math.isfinite(target.sum().item()):
                        check_finite(self._tiles, self._grid)
                    done += target.numel()
        progress(1.0)

    def _fill(self, target: Tensor, block: Block, tick: Callable[[], None]) -> None:
        rows, columns = self._down.within(block.top, block.bottom), self._across.within(block.left, block.right)
        if len(rows) == len(columns) == 1:
            tick()
            copy_pixels(block.of(self._tile(rows[0], columns[0]), *self._corner(rows[0], columns[0])), target)
            return
        self._mixer.begin(*target.shape)
        for row in rows:
            for column in columns:
                tick()
                self._add(block, row, column, len(rows) > 1, len(columns) > 1)
        self._mixer.end(target)

    def _add(self, block: Block, row: int, column: int, by_row: bool, by_column: bool) -> None:
        """Add the tile's part, weighted along the axes where it is not alone: there its weight is 1."""
        top, left = self._corner(row, column)
        side = self._grid.tile
        part = Block(
            max(block.top, top), max(block.left, left), min(block.bottom, top + side), min(block.right, left + side)
        )
        piece = part.of(self._tile(row, column), top, left)
        weights = []
        if by_column:
            across = self._across.weights(column, part.left, part.right)[:, None]
            weights.append(across.expand(piece.shape[1:]).contiguous())  # a whole line at a time, not pixel by pixel
        if by_row:
            weights.append(self._down.weights(row, part.top, part.bottom)[:, None, None])
        self._mixer.add(piece, part.top - block.top, part.left - block.left, *weights)

    def _alone(self, rows: range, columns: range) -> bool:
        """Whether one tile covers this run of rows and of columns."""
        down, across = self._down.within(rows.start, rows.stop), self._across.within(columns.start, columns.stop)
        return len(down) == len(across) == 1

    def _tile(self, row: int, column: int) -> Tensor:
        return self._tiles[row * self._grid.columns + column]

    def _corner(self, row: int, column: int) -> tuple[int, int]:
        return self._grid.ys[row], self._grid.xs[column]
