"""Whether pictures are the tiles of a grid."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import BadInput
from .grid import TileGrid


def check_sizes(tiles: Sequence[Tensor], grid: TileGrid) -> None:
    """Raises BadInput for a wrong number of tiles, or one that is not (1, tile, tile, C) with the first one's C."""
    if len(tiles) != grid.count:
        raise BadInput(
            "Number of tiles",
            value=len(tiles),
            limit=f"{grid.count}, the grid's {grid.columns} x {grid.rows}",
            remedy="Give all tiles of the TileSplit that made this grid, in its order.",
        )
    channels = tiles[0].shape[-1]
    wanted = (1, grid.tile, grid.tile, channels)
    for index, tile in enumerate(tiles):
        if tuple(tile.shape) != wanted or not channels:
            raise BadInput(
                f"Size of {_name(index, grid)}",
                value=f"shape {tuple(tile.shape)}",
                limit=f"{wanted}, one image of {grid.tile} x {grid.tile} with the channels of the first tile",
                remedy="Refine tiles without changing their size, or bring them back to it.",
            )


def check_finite(tiles: Sequence[Tensor], grid: TileGrid) -> None:
    """Raises BadInput for a tile with NaN or infinite values."""
    for index, tile in enumerate(tiles):
        if wrong := tile.numel() - int(torch.isfinite(tile).sum()):
            raise BadInput(
                f"Values of {_name(index, grid)}",
                value=f"{wrong} of {tile.numel()} are NaN or infinite",
                limit="finite numbers",
                remedy="Its sampling or decoding overflowed: use an fp16-safe VAE, or run the VAE in fp32.",
            )


def _name(index: int, grid: TileGrid) -> str:
    row, column = grid.position(index)
    return f"tile {index + 1} (row {row + 1}, column {column + 1})"
