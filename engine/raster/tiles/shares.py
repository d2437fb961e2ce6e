"""How much of each pixel every tile gives, one axis at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor


class Axis:
    """The tiles along one axis of a picture: where they overlap, and their weights there.

    A tile's weight rises linearly from its edge over the true overlap with the tile before, and falls over that
    with the tile after; the weights of all tiles over a pixel are divided by their sum. As both axes do this, the
    products of a row's and a column's weight add up to 1 in the picture.
    """

    def __init__(self, offsets: Sequence[int], tile: int, side: int, device: torch.device, keep: int = 0) -> None:
        """Weights are computed once and kept if they are at most `keep` floats, else anew when asked for."""
        self.offsets, self.tile, self.side = offsets, tile, side
        self._centers = torch.arange(min(tile, side), dtype=torch.float32, device=device).add_(0.5)
        self._total = torch.zeros(side, dtype=torch.float32, device=device)
        for index, offset in enumerate(offsets):
            stop = min(offset + tile, side)
            self._total[offset:stop] += self._ramps(index, offset, stop)
        self._kept: list[Tensor] = []
        if len(offsets) * tile <= keep:
            self._kept = [self._weights(i, at, min(at + tile, side)) for i, at in enumerate(offsets)]

    def weights(self, index: int, start: int, stop: int) -> Tensor:
        """(stop - start,) weights of tile `index` in pixels `start`..`stop`, which it covers; above 0, at most 1."""
        if self._kept:
            return self._kept[index][start - self.offsets[index] : stop - self.offsets[index]]
        return self._weights(index, start, stop)

    def _weights(self, index: int, start: int, stop: int) -> Tensor:
        return self._ramps(index, start, stop).div_(self._total[start:stop])

    def within(self, start: int, stop: int) -> range:
        """The tiles that cover any pixel of `start`..`stop`."""
        return range(bisect_right(self.offsets, start - self.tile), bisect_left(self.offsets, stop))

    def runs(self) -> Iterator[range]:
        """The axis in order, in runs as long as possible: each covered by one tile alone, or everywhere by several."""
        ends = (offset + self.tile for offset in self.offsets)
        bounds = sorted({0, self.side, *(min(bound, self.side) for bound in (*self.offsets, *ends))})
        mixed: range | None = None
        for start, stop in pairwise(bounds):
            if len(self.within(start, stop)) > 1:
                mixed = range(mixed.start if mixed else start, stop)
                continue
            if mixed:
                yield mixed
                mixed = None
            yield range(start, stop)
        if mixed:
            yield mixed

    def _ramps(self, index: int, start: int, stop: int) -> Tensor:
        offset = self.offsets[index]
        centers = self._centers[start - offset : stop - offset]
        rise = self.offsets[index - 1] + self.tile - offset if index else 0
        fall = offset + self.tile - self.offsets[index + 1] if index + 1 < len(self.offsets) else 0
        ramps = torch.clamp(centers / rise, max=1) if rise > 0 else torch.ones_like(centers)
        return ramps.mul_(((self.tile - centers) / fall).clamp_(max=1)) if fall > 0 else ramps
