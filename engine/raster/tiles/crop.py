"""Cutting a picture into its tiles."""

import torch
from torch import Tensor

from ...errors import BadInput
from .grid import TileGrid


def padded(image: Tensor, grid: TileGrid) -> Tensor:
    """(1, H, W, C) -> (1, H + bottom, W + right, C), continued by reflection; the image itself without padding.

    The reflection does not double the edge and may be deeper than the picture; one pixel is repeated.
    Raises BadInput when the image is not one of the grid's size.
    """
    if image.ndim != 4 or image.shape[:3] != (1, grid.height, grid.width):
        raise BadInput(
            "The image does not fit the tile grid",
            value=f"shape {tuple(image.shape)}",
            limit=f"one image of {grid.width} x {grid.height}",
            remedy="Use the image and the grid of the same TileSplit.",
        )
    for axis, extra in enumerate(grid.padding, start=1):
        if extra:
            image = image.index_select(axis, _reflected(image.shape[axis], extra).to(image.device))
    return image


def split(image: Tensor, grid: TileGrid) -> list[Tensor]:
    """The tiles (1, tile, tile, C), row by row: views of the image (of its padded copy where it is smaller).

    Raises BadInput when the image is not one of the grid's size.
    """
    whole = padded(image, grid)
    boxes = [grid.box(index) for index in range(grid.count)]
    return [whole[:, top:bottom, left:right] for top, left, bottom, right in boxes]


def _reflected(side: int, extra: int) -> Tensor:
    index = torch.arange(side + extra)
    if side == 1:
        return torch.zeros_like(index)
    period = 2 * (side - 1)
    index %= period
    return torch.minimum(index, period - index)
