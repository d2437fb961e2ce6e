"""Tiles cover everything, fit, and their shares add up."""

import numpy as np
import pytest

from vectrahub.engine.raster.tiling import cut_axis


@pytest.mark.parametrize("length", [1, 63, 64, 65, 100, 127, 500, 1733])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 16), (128, 32), (512, 32)])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_shares_add_up_to_one(length: int, tile: int, overlap: int, scale: int) -> None:
    feather, multiple = overlap // 4, 8
    total = np.zeros(length * scale)
    for span in cut_axis(length, tile, overlap, feather, multiple):
        assert span.start % multiple == 0 and 0 < span.stop - span.start <= tile
        weights = span.weights(scale)
        total[span.start * scale : span.stop * scale] += weights
        used = np.flatnonzero(weights)
        assert span.start == 0 or used[0] >= (overlap - feather) * scale
        assert span.stop == length or len(weights) - 1 - used[-1] >= (overlap - feather) * scale
    assert np.abs(total - 1).max() < 1e-6
