"""Working through a picture in blocks that fit the cache."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

_VALUES = 1 << 20  # of a block: the three buffers for mixing one (12 MB) fit a processor's last cache
COPIED = 1 << 22  # values of a block that is only copied: no buffers, and fewer of them
_WIDEST = 1024  # px: rather high than wide, so that a tile's part of a block is large


class Block(NamedTuple):
    """A part of a picture; `bottom` and `right` are beyond its last px."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, picture: Tensor, top: int = 0, left: int = 0) -> Tensor:
        """The block's view (h, w, C) of a (1, H, W, C) that lies at `top`, `left`."""
        return picture[0, self.top - top : self.bottom - top, self.left - left : self.right - left]


def block_values(picture: Tensor) -> int:
    """The most values that a block has: few enough that buffers for three are 3/8 of a small picture, or 12 MB."""
    return max(min(_VALUES, picture.numel() // 8), picture.shape[-1])


def blocks(rows: range, columns: range, pixels: int) -> Iterator[Block]:
    """The region where `rows` and `columns` cross, in blocks of at most `pixels`."""
    width = min(columns.stop - columns.start, _WIDEST, pixels)
    height = min(rows.stop - rows.start, pixels // width)
    for top in range(rows.start, rows.stop, height):
        for left in range(columns.start, columns.stop, width):
            yield Block(top, left, min(top + height, rows.stop), min(left + width, columns.stop))
