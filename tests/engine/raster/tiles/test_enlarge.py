"""The size asked for, and pixels that a photograph would have there."""

import numpy as np
import pytest
import torch

from vectrahub.engine.errors import BadInput
from vectrahub.engine.networks.enlarge_to import enlarge_to
from vectrahub.engine.networks.upscaler import Network
from vectrahub.engine.raster.tiles import enlarge
from vectrahub.engine.raster.tiles.enlarge import BICUBIC, LANCZOS, resize_photo, target_size


@pytest.mark.parametrize(
    ("size", "upscale", "long_side", "wanted"),
    [
        ((100, 200), "none", 4096, (100, 200)),
        ((100, 201), "2x", 64, (200, 402)),
        ((1, 1), "4x", 64, (4, 4)),
        ((100, 200), "long side", 4096, (2048, 4096)),
        ((4000, 3000), "long side", 1024, (1024, 768)),
        ((5, 16384), "long side", 64, (1, 64)),
        ((20000, 10), "none", 64, (20000, 10)),
    ],
)
def test_sizes(size: tuple[int, int], upscale: str, long_side: int, wanted: tuple[int, int]) -> None:
    assert target_size(*size, upscale, long_side) == wanted


@pytest.mark.parametrize(
    ("side", "upscale", "long_side"), [(8193, "2x", 64), (5000, "4x", 64), (9, "long side", 16385)]
)
def test_no_side_over_16384(side: int, upscale: str, long_side: int) -> None:
    with pytest.raises(BadInput, match=r"allowed 1 to 16384 px"):
        target_size(side, 10, upscale, long_side)


@pytest.mark.parametrize("kernel", [LANCZOS, BICUBIC])
def test_strips_join_without_a_trace(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).random((37, 41, 3), np.float32)
    for height, width in ((74, 82), (101, 97), (12, 50), (1, 1)):
        whole, seen = resize_photo(pixels, height, width, kernel), []
        with monkeypatch.context() as patch:
            patch.setattr(enlarge, "_STRIP", 5 * width * 3)
            parts = resize_photo(pixels, height, width, kernel, seen.append)
        assert whole.shape == (height, width, 3) and len(seen) == -(-height // 5) + 1
        assert np.abs(whole - parts).max() < 2e-4


def test_a_ramp_stays_a_ramp_and_values_stay_in_range() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None].repeat(16, 0).repeat(3, 2)
    large = resize_photo(ramp, 32, 128, LANCZOS)
    steps = np.diff(large[0, 8:-8, 0])
    assert np.abs(steps - steps.mean()).max() < 0.25 * steps.mean()
    stripes = np.tile(np.array([0, 1], np.float32), 32)[None, :, None].repeat(8, 0)
    assert 0 <= resize_photo(stripes, 16, 140, LANCZOS).min() and resize_photo(stripes, 16, 140, LANCZOS).max() <= 1
    assert np.abs(resize_photo(stripes, 4, 9, LANCZOS) - 0.5).max() < 0.1  # no aliasing


def test_the_size_already_there_costs_nothing() -> None:
    pixels = np.zeros((5, 6, 3), np.float32)
    assert resize_photo(pixels, 5, 6, LANCZOS) is pixels


class Doubling:
    """An upscaler that repeats pixels; `scale` times."""

    def __init__(self, scale: int) -> None:
        self.scale, self.seen = scale, []

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(pixels.shape[2:]))
        return pixels.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@pytest.mark.parametrize(
    ("scale", "size", "runs"),
    [
        (2, (80, 60), [(40, 30)]),
        (2, (160, 120), [(40, 30), (80, 60)]),
        (4, (80, 60), [(40, 30)]),
        (4, (160, 120), [(40, 30)]),
        (4, (50, 38), [(25, 19)]),  # never more than twice the wanted side
        (2, (100, 75), [(40, 30)]),
        (2, (20, 15), []),
    ],
)
def test_passes_of_a_network(scale: int, size: tuple[int, int], runs: list[tuple[int, int]]) -> None:
    network = Doubling(scale)
    pixels, seen = np.full((40, 30, 3), 0.25, np.float32), []
    result, count = enlarge_to(pixels, *size, Network(network, scale, torch.device("cpu")), seen.append)
    assert (network.seen, count) == (runs, len(runs))
    assert result.shape == (*size, 3) and np.abs(result - 0.25).max() < 1e-5
    assert seen == sorted(seen)
