"""The passes to 12 MP, tiles without seams, memory, cancelling, and real weight files through spandrel."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vectrahub.engine.errors import BadInput, EngineFailure
from vectrahub.engine.networks.upscaler import Network, enlarge, plan_passes, upscale_tiled
from vectrahub.engine.raster.resize import MAX_SIDE
from vectrahub.tests.rrdbnet import write_rrdbnet

CPU = torch.device("cpu")
REACH = 3  # input pixels that `blurring` sees to each side


def noise(height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(height * 10007 + width).random((height, width, 3), np.float32)


def blurring(scale: int = 2) -> torch.nn.Module:
    """A fixed network whose reach is known: three 3 x 3 convolutions at the input's size, then nearest."""
    torch.manual_seed(1)
    layers = [torch.nn.Conv2d(3, 3, 3, padding=1) for _ in range(REACH)]
    return torch.nn.Sequential(*layers, torch.nn.Sigmoid(), torch.nn.Upsample(scale_factor=scale)).eval()


def network(module: Callable[[torch.Tensor], torch.Tensor], scale: int = 2) -> Network:
    return Network(module, scale, CPU, module if isinstance(module, torch.nn.Module) else None)


def nearest(scale: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda pixels: torch.nn.functional.interpolate(pixels, scale_factor=scale)


# The seed's table for a x2 network and 12 MP.
@pytest.mark.parametrize(
    ("size", "road"),
    [
        ((512, 512), "network network resize"),
        ((700, 700), "network network resize"),
        ((720, 720), "network resize network"),
        ((1024, 1024), "network resize network"),
        ((1700, 1700), "network resize network"),
        ((2000, 1700), "resize network"),
        ((3464, 3464), "resize network"),
        ((8000, 5000), "resize network"),
    ],
)
@pytest.mark.parametrize("draft", [1, 4])
def test_road_of_the_seed(size: tuple[int, int], road: str, draft: int) -> None:
    side = int(draft**0.5)
    plan = plan_passes(size[0] // side, size[1] // side, 2, 12 / draft)
    assert " ".join(step.kind for step in plan.passes) == road
    assert plan.width * plan.height == pytest.approx(12e6 / draft, rel=0.005)
    if "resize network" in road:
        last, before = plan.passes[-1], plan.passes[-2]
        assert (last.width, last.height) == (2 * before.width, 2 * before.height)
        assert before.width * before.height == pytest.approx(3e6 / draft, rel=0.005)


@pytest.mark.parametrize("width", [1, 17, 200, 999, 3000, 9000])
@pytest.mark.parametrize("height", [1, 31, 640, 2047, 5000])
@pytest.mark.parametrize("scale", [None, 2, 3, 4, 8])
def test_every_road_ends_where_lanczos_ends(width: int, height: int, scale: int | None) -> None:
    plan, direct = plan_passes(width, height, scale), plan_passes(width, height, None)
    assert plan.width * plan.height == pytest.approx(direct.width * direct.height, rel=0.006)
    assert max(plan.width, plan.height) <= MAX_SIDE and plan.note == direct.note
    at = (width, height)
    for step in plan.passes:
        if step.kind == "network":
            assert scale and (step.width, step.height) == (at[0] * scale, at[1] * scale)
            assert step.width * step.height <= 48.5e6
        at = (step.width, step.height)


def test_stronger_networks_pass_once() -> None:
    assert [str(step) for step in plan_passes(512, 512, 4).passes] == ["network 2048x2048", "resize 3464x3464"]
    assert [str(step) for step in plan_passes(1024, 1024, 4).passes] == ["network 4096x4096", "resize 3464x3464"]
    assert [step.kind for step in plan_passes(4000, 3000, 4).passes] == ["resize", "network", "resize"]
    assert plan_passes(1000, 12000, None).passes == ()


@pytest.mark.parametrize("size", [(150, 150), (65, 200), (64, 64), (131, 40)])
@pytest.mark.parametrize("scale", [2, 4])
def test_tiled_equals_untiled_when_the_overlap_covers_the_reach(size: tuple[int, int], scale: int) -> None:
    module, pixels = blurring(scale), noise(*size)
    whole, _ = upscale_tiled(pixels, network(module, scale), tile=1024)
    tiled, used = upscale_tiled(pixels, network(module, scale), tile=64, overlap=8)
    assert used == 64 and whole.shape == (size[0] * scale, size[1] * scale, 3)
    assert np.abs(tiled - whole).max() < 1e-6


def test_too_little_overlap_fades_instead_of_stepping() -> None:
    module, pixels = blurring(), np.full((200, 200, 3), 0.5, np.float32)
    whole, _ = upscale_tiled(pixels, network(module), tile=1024)
    bare, _ = upscale_tiled(pixels, network(module), tile=64, overlap=0)
    assert np.abs(bare - whole).max() > 1e-3  # the network does see its borders; so the test above can fail


def test_out_of_memory_halves_the_tile() -> None:
    module, pixels, tried = blurring(), noise(300, 200), []

    def tight(cut: torch.Tensor) -> torch.Tensor:
        tried.append(max(cut.shape[-2:]))
        if cut.shape[-1] * cut.shape[-2] > 128 * 128:
            raise torch.OutOfMemoryError("simulated")
        return module(cut)

    whole, _ = upscale_tiled(pixels, network(module))
    tiled, used = upscale_tiled(pixels, network(tight))
    assert used == 128 and tried[0] == 300 and max(tried[2:]) <= 128
    assert np.abs(tiled - whole).max() < 1e-6


def test_gives_up_at_the_smallest_tile() -> None:
    def full(_cut: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("simulated")

    with pytest.raises(EngineFailure, match=r"tiles of 64 px.*lanczos"):
        upscale_tiled(noise(300, 300), network(full))


def test_other_errors_pass_through() -> None:
    def broken(_cut: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("broken weights")

    with pytest.raises(RuntimeError, match="broken weights"):
        upscale_tiled(noise(30, 30), network(broken))


def test_wrong_result_size_is_an_error() -> None:
    with pytest.raises(EngineFailure, match="expected"):
        upscale_tiled(noise(30, 30), Network(nearest(2), 4, CPU))


class Cancelled(Exception):
    pass


def test_cancel_stops_within_one_tile() -> None:
    calls = []

    def counting(cut: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return nearest(2)(cut)

    def cancel(fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        upscale_tiled(noise(512, 512), network(counting), cancel, tile=128)
    assert len(calls) == 20  # of 64: the 20th began at 19/64, below 0.3


def test_cancel_works_inside_a_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    module = blurring()
    for index, layer in enumerate(module.children()):
        layer.register_forward_hook(lambda *_unused, at=index: ran.append(at))
    clock = iter(range(1000))
    monkeypatch.setattr("vectrahub.engine.networks.cancel.time", SimpleNamespace(monotonic=lambda: next(clock)))

    def cancel(_fraction: float) -> None:
        if len(ran) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        upscale_tiled(noise(30, 30), network(module), cancel)
    assert ran == [0, 1]
    assert not any(layer._forward_pre_hooks for layer in module.modules())


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    enlarge(np.zeros((40, 60, 3), np.uint8), None, 0.1, network(nearest(2)), seen.append, tile=64)
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1 and len(seen) > 4


def test_nothing_is_rounded_to_bytes_between_passes() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (16, 1, 3))
    dim = enlarge(ramp, None, 4 * 4 * 4096e-6, network(lambda cut: nearest(2)(cut) / 16))
    assert len(np.unique(np.rint(dim.rgb * 65535))) > 200  # bytes after the first pass leave 17


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    width, height = size
    rgb = np.full((height, width, 3), 128, np.uint8)
    for used in (None, network(nearest(2)), network(nearest(4), 4)):
        done = enlarge(rgb, np.ones((height, width), np.float32), 0.5, used)
        assert done.rgb.shape == (done.plan.height, done.plan.width, 3)
        assert done.alpha is not None and done.alpha.shape == done.rgb.shape[:2]
        assert np.abs(done.rgb - 128 / 255).max() < 1e-6


def test_40_megapixels_shrink() -> None:
    checks = np.zeros((5000, 8000, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    done = enlarge(checks, None, 12, None)
    assert done.rgb.shape == (2739, 4382, 3) and done.tile == 0
    assert abs(float(done.rgb.mean()) - 0.5) < 0.01
    assert done.rgb.std() < 0.25  # point sampling would keep 0.5


def test_a_network_that_does_not_enlarge_is_refused() -> None:
    with pytest.raises(BadInput, match="x1"):
        enlarge(np.zeros((4, 4, 3), np.uint8), None, 1, network(nearest(1), 1))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_real_weight_files(scale: int, suffix: str, tmp_path: Path) -> None:
    spandrel = pytest.importorskip("spandrel")
    descriptor = spandrel.ModelLoader(device=CPU).load_from_file(write_rrdbnet(tmp_path / f"net{suffix}", scale)).eval()
    assert (descriptor.architecture.id, descriptor.scale) == ("ESRGAN", scale)
    used = Network(descriptor, descriptor.scale, CPU, descriptor.model)
    for size in ((33, 46), (1, 1)):
        whole, _ = upscale_tiled(noise(*size), used)
        assert whole.shape == (size[0] * scale, size[1] * scale, 3) and np.isfinite(whole).all()
    pixels = noise(96, 144)
    whole, _ = upscale_tiled(pixels, used)
    tiled, _ = upscale_tiled(pixels, used, tile=64)
    assert whole.std() > 0.01
    # One block could see 20 (x4) or 40 (x2) pixels, more than the 12 that are clean at this tile; it hardly does.
    assert np.abs(tiled - whole).max() < 2e-3
