"""How a picture is cut into overlapping tiles and joined again without a seam, one axis at a time."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Span:
    """One tile along one axis: it reads pixels `start`..`stop` and fades at `cuts` to its neighbours."""

    start: int
    stop: int
    cuts: tuple[int | None, int | None]  # None where the picture ends: no fading there
    feather: int

    def weights(self, scale: int = 1) -> NDArray[np.float32]:
        """Share of this tile in each pixel of its result (stop - start) * scale, 0..1.

        The shares of neighbours add up to 1. Only the `feather` pixels on each side of a cut
        are mixed; from there to the tile's border the share is 0.
        """
        centers = (np.arange((self.stop - self.start) * scale) + 0.5) / scale + self.start
        share = np.ones(len(centers))
        reach = max(self.feather, 1)
        low, high = self.cuts
        if low is not None:
            share *= np.clip((centers - low + reach) / (2 * reach), 0, 1)
        if high is not None:
            share *= np.clip((high + reach - centers) / (2 * reach), 0, 1)
        return share.astype(np.float32)


def cut_axis(length: int, tile: int, overlap: int, feather: int, multiple: int) -> list[Span]:
    """Cover 0..`length` by spans of at most `tile` pixels, as equal as possible.

    Each span reads at least `overlap` pixels beyond its cuts, and the nearest `feather` of those are
    faded: a result is used only where its tile saw `overlap - feather` pixels of surroundings. Starts
    are multiples of `multiple`, so that networks which fold n x n pixels into channels see the same
    grid in every tile. Needs feather <= overlap, and tile - 2 * overlap of at least 2 * multiple.
    """
    if length <= tile:
        return [Span(0, length, (None, None), feather)]
    inner = tile - 2 * overlap - multiple  # rounding the start down may cost up to `multiple`
    count = max(2, -(-(length - 2 * overlap) // inner))
    edges = [round(index * (length - 2 * overlap) / count) + overlap for index in range(1, count)]
    cuts: list[int | None] = [None, *edges, None]
    return [
        Span(
            0 if low is None else (low - overlap) // multiple * multiple,
            length if high is None else high + overlap,
            (low, high),
            feather,
        )
        for low, high in pairwise(cuts)
    ]
