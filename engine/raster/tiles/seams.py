"""Repairing seams: a second picture shown only where tiles of the first met."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ...errors import BadInput
from ...progress import Progress, silent
from .blocks import Block, block_values, blocks
from .grid import TileGrid
from .light import Mixer, copy_pixels


def mix_seams(first: Tensor, second: Tensor, grid: TileGrid, feather: int, progress: Progress = silent) -> Tensor:
    """`first` with `second` in bands around the seams of `grid`: (1, H, W, C) both -> the same, float32.

    `second` is shown in full where tiles of `grid` overlap, and fades over `feather` px (0 or more) on both sides,
    mixed in linear light; where bands of rows and columns meet, what is left of `first` is the product of both.
    Elsewhere the values of one picture are copied. Memory added: as with `blend`.

    Raises BadInput for pictures of other sizes than the grid's, or a negative feather.
    """
    _check(first, second, grid, feather)
    picture = torch.empty(first.shape, dtype=torch.float32, device=first.device)
    down = _kept(grid.ys, grid.tile, grid.height, feather)
    across = _kept(grid.xs, grid.tile, grid.width, feather)
    values = block_values(picture)
    mixer = Mixer(values, picture.device)
    done = 0
    for rows in _runs(down):
        for columns in _runs(across):
            kept = float(down[rows.start]), float(across[columns.start])
            for block in blocks(rows, columns, values // picture.shape[-1]):
                progress(done / picture.numel())
                target, over, under = block.of(picture), block.of(second), block.of(first)
                if 0 in kept:
                    copy_pixels(over, target)
                elif kept == (1, 1):
                    copy_pixels(under, target)
                else:
                    _mix(mixer, block, target, over, under, down, across)
                done += target.numel()
    progress(1.0)
    return picture


def _mix(mixer: Mixer, block: Block, target: Tensor, over: Tensor, under: Tensor, down: Tensor, across: Tensor) -> None:
    line = across[block.left : block.right, None].to(target.device).expand(target.shape[1:])
    kept = down[block.top : block.bottom, None, None].to(target.device) * line.contiguous()
    mixer.begin(*target.shape)
    mixer.add(under, 0, 0, kept)
    mixer.add(over, 0, 0, kept.neg_().add_(1))
    mixer.end(target)


def _kept(offsets: Sequence[int], tile: int, side: int, feather: int) -> Tensor:
    """(side,) share of the first picture along one axis: 0 where tiles overlap, 1 from `feather` px beyond."""
    centers = torch.arange(side, dtype=torch.float32).add_(0.5)
    kept = torch.ones(side)
    for offset, following in pairwise(offsets):
        stop = offset + tile
        near = slice(max(following - feather, 0), stop + feather)
        away = torch.maximum(following - centers[near], centers[near] - stop).clamp_(min=0)
        kept[near] = torch.minimum(kept[near], away / max(feather, 1))
    return kept


def _runs(kept: Tensor) -> Iterator[range]:
    """The axis in runs of nothing but 0, nothing but 1, and what lies between."""
    _, lengths = torch.unique_consecutive(kept.sign() + kept.floor(), return_counts=True)
    start = 0
    for length in lengths.tolist():
        yield range(start, start + length)
        start += length


def _check(first: Tensor, second: Tensor, grid: TileGrid, feather: int) -> None:
    if feather < 0:
        raise BadInput("Feather of the seams", value=f"{feather} px", limit="0 or more", remedy="Set it to 32.")
    size = (1, grid.height, grid.width)
    if first.shape[:3] != size or second.shape != first.shape:
        raise BadInput(
            "The pictures do not fit the seams' grid",
            value=f"shapes {tuple(first.shape)} and {tuple(second.shape)}",
            limit=f"two of {grid.width} x {grid.height}, channels alike",
            remedy="Use the blended picture, and the one refined from it on the shifted grid.",
        )
