"""Holes and windows: what the network is shown, what comes back, in which order, and when memory or patience ends.

Most networks here are a few lines that say what they saw; one is LaMa itself, with random weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vectrahub.engine.errors import BadInput, EngineFailure
from vectrahub.engine.networks.inpaint.choice import choose_inpainter
from vectrahub.engine.networks.inpaint.inpaint import SMALLEST_WINDOW, inpaint
from vectrahub.engine.networks.inpaint.network import Inpainter
from vectrahub.engine.networks.inpaint.windows import CONTEXT, plan
from vectrahub.tests.tiny_lama import random_lama

CPU = torch.device("cpu")
FILL = (0.2, 0.6, 0.4)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass
class Seen:
    """What a network was shown. sizes: (h, w); known: share of each window that was no hole."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    known: list[float] = field(default_factory=list)


def flat(seen: Seen, fill: tuple[float, float, float] = FILL) -> Inpainter:
    """Answers with one colour everywhere, also outside the holes."""

    def forward(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert image.shape[1] == 3 and mask.shape == (1, 1, *image.shape[2:])
        assert all(side % 8 == 0 and side >= 16 for side in image.shape[2:])
        assert set(mask.unique().tolist()) <= {0.0, 1.0} and not (image * mask).any(), "it was shown the hole"
        seen.sizes.append((image.shape[2], image.shape[3]))
        seen.known.append(float(1 - mask.mean()))
        return torch.tensor(fill).view(1, 3, 1, 1).expand_as(image)

    return Inpainter(forward, CPU)


def mean_of_known(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Goes on from what it sees: the mean colour of it."""
    known = 1 - mask
    return ((image * known).sum((2, 3), keepdim=True) / known.sum().clamp(min=1)).expand_as(image)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 10007 + width).integers(0, 256, (height, width, 3), np.uint8)


def marked(height: int, width: int, *boxes: tuple[int, int, int, int], value: float = 1.0) -> NDArray[np.float32]:
    """boxes: top, left, height, width."""
    mask = np.zeros((height, width), np.float32)
    for top, left, tall, wide in boxes:
        mask[top : top + tall, left : left + wide] = value
    return mask


def specks(height: int, width: int, count: int) -> NDArray[np.float32]:
    random = np.random.default_rng(count)
    tops, lefts = random.integers(0, height - 3, count), random.integers(0, width - 3, count)
    return marked(height, width, *((int(top), int(left), 3, 3) for top, left in zip(tops, lefts, strict=True)))


SHAPES = {
    "one pixel": marked(1, 1, (0, 0, 1, 1)),
    "under 16 px": marked(9, 13, (2, 3, 4, 5)),
    "a line": marked(1, 900, (0, 400, 1, 60)),
    "thin and tall": marked(1500, 5, (10, 1, 1400, 3)),
    "in a corner": marked(333, 401, (300, 380, 33, 21)),
    "two, apart": marked(700, 900, (20, 30, 12, 40), (600, 800, 30, 9)),
    "all of it": marked(600, 700, (0, 0, 600, 700)),
    "larger than a window": marked(800, 900, (100, 100, 600, 700)),
    "a long bar": marked(300, 1500, (140, 20, 10, 1450)),
    "100 specks": specks(900, 1200, 100),
    "a ring": marked(700, 700, (50, 50, 600, 600)) - marked(700, 700, (90, 90, 520, 520)),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("window", [256, 1024])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_every_marked_pixel_is_filled_and_no_other_touched(name: str, window: int, kind: type) -> None:
    mask, seen = SHAPES[name], Seen()
    rgb = noise(*mask.shape) if kind is np.uint8 else noise(*mask.shape).astype(np.float32) / np.float32(255.3)
    before, before_mask = rgb.copy(), mask.copy()
    result = inpaint(rgb, mask, flat(seen), window)
    hole = mask > 0
    assert result.rgb.dtype == kind and np.array_equal(result.rgb[~hole], rgb[~hole])
    wanted = np.array(FILL) * (255 if kind is np.uint8 else 1)
    assert np.abs(result.rgb[hole] - wanted).max() < 1e-5
    assert np.array_equal(rgb, before) and np.array_equal(mask, before_mask), "an input was changed"
    assert max(max(size) for size in seen.sizes) <= window
    assert result.figures.runs == len(seen.sizes) and result.figures.window == window


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "all of it"])
def test_each_window_sees_something_to_go_on_from(name: str) -> None:
    seen = Seen()
    inpaint(noise(*SHAPES[name].shape), SHAPES[name], flat(seen), 256)
    assert name == "one pixel" or min(seen.known) > 0.05


def test_all_marked_goes_on_from_the_first_window_and_says_so() -> None:
    mask, seen = SHAPES["all of it"], Seen()
    result = inpaint(noise(*mask.shape), mask, flat(seen), 256)
    assert seen.known[0] == 0 and min(seen.known[1:]) > 0.05
    assert "nothing to go by" in result.figures.note and result.figures.marked == 100


def test_a_plate_in_twelve_megapixels_costs_a_small_window() -> None:
    seen = Seen()
    result = inpaint(np.zeros((3000, 4000, 3), np.uint8), marked(3000, 4000, (1700, 2100, 90, 420)), flat(seen))
    ((height, width),) = seen.sizes
    assert height <= 640 and width <= 1024 and result.figures.computed < 0.7
    assert height >= 90 + 2 * 90 and width >= 420 + 2 * 250  # its surroundings


def test_a_hole_has_its_own_size_around_it() -> None:
    (((window,)),) = plan(marked(2000, 2000, (900, 800, 200, 200)) > 0, 1024, 8)
    assert (window.row.start, window.row.stop) == (700, 1300) and (window.column.start, window.column.stop) == (
        600,
        1200,
    )
    (((small,)),) = plan(marked(2000, 2000, (900, 800, 4, 4)) > 0, 1024, 8)
    assert small.row.start <= 900 - CONTEXT and small.row.stop >= 904 + CONTEXT and small.side <= 144


def test_holes_that_are_near_each_other_are_filled_together() -> None:
    near = marked(900, 900, (400, 300, 40, 40), (400, 380, 40, 40))
    far = marked(900, 900, (50, 50, 40, 40), (800, 800, 40, 40))
    assert [len(plan(mask > 0, 1024, 8)) for mask in (near, far)] == [1, 2]
    sparse = plan(specks(3000, 4000, 100) > 0, 1024, 8)
    assert sum(window.pixels for group in sparse for window in group) < 4e6
    crowd = plan(specks(1000, 1000, 100) > 0, 1024, 8)
    assert sum(len(group) for group in crowd) <= 4


def test_a_soft_mask_is_a_hole_that_is_mixed_in() -> None:
    seen, rgb = Seen(), np.full((100, 100, 3), 200, np.uint8)
    result = inpaint(rgb, marked(100, 100, (40, 40, 20, 20), value=0.25), flat(seen, (0.0, 0.0, 0.0)))
    assert seen.known[0] == pytest.approx(1 - 400 / (104 * 104))
    assert (result.rgb[40:60, 40:60] == 150).all()


def test_what_one_window_filled_the_next_one_sees() -> None:
    """Left half dark, right half light: far inside a hole the fill is like the nearer border, not like the mean."""
    rgb = np.full((400, 2000, 3), 0.1, np.float32)
    rgb[:, 1000:] = 0.9
    result = inpaint(rgb, marked(400, 2000, (0, 300, 400, 1400)), Inpainter(mean_of_known, CPU), 256).rgb
    assert result[:, 300:600].max() < 0.4 and result[:, 1400:1700].min() > 0.6


def test_seams_fade() -> None:
    """A network that says something else every time: between two windows no step is as high as the difference."""
    count = iter(range(1000))
    network = Inpainter(lambda image, mask: torch.full_like(image, (next(count) % 2) * 0.8), CPU)
    result = inpaint(noise(600, 900), marked(600, 900, (0, 0, 600, 900)), network, 256).rgb.astype(int)
    steps = np.maximum(np.abs(np.diff(result, axis=1)).max(), np.abs(np.diff(result, axis=0)).max())
    assert result.max() - result.min() > 150 and steps <= 0.8 * 255 / 10


def test_the_network_sees_the_picture_where_it_is() -> None:
    """One that only hands through what it was shown, with a mark in the hole: nothing is shifted by the padding."""
    rgb = noise(37, 53)
    network = Inpainter(lambda image, mask: torch.where(mask > 0, torch.roll(image, 1, dims=3), image), CPU)
    result = inpaint(rgb, marked(37, 53, *((row, 52, 1, 1) for row in range(37))), network).rgb
    assert np.array_equal(result[:, 52], rgb[:, 51])


def test_nothing_marked_needs_no_network() -> None:
    rgb = noise(20, 30)
    for mask in (None, np.zeros((20, 30), np.float32)):
        result = inpaint(rgb, mask, None)
        assert np.array_equal(result.rgb, rgb) and result.rgb is not rgb
        assert result.figures.runs == 0 and "original" in result.figures.note


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(BadInput, match="got 30 x 20, allowed 31 x 20"):
        inpaint(noise(20, 31), marked(20, 30, (1, 1, 2, 2)), flat(Seen()))


def tight(pixels: int, seen: Seen) -> Inpainter:
    def forward(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen.sizes.append((image.shape[2], image.shape[3]))
        if image.shape[2] * image.shape[3] > pixels:
            raise torch.OutOfMemoryError("simulated")
        return torch.full_like(image, 0.5)

    return Inpainter(forward, CPU)


def test_out_of_memory_halves_the_window() -> None:
    mask, seen = marked(700, 700, (100, 100, 500, 500)), Seen()
    result = inpaint(noise(700, 700), mask, tight(256 * 256, seen), 4096)
    assert max(seen.sizes[0]) == 704 and max(seen.sizes[1]) <= 352  # not 4096 by halves
    assert result.figures.window <= 256 and "halved from 4096" in result.figures.note
    assert np.abs(result.rgb[mask > 0].astype(int) - 128).max() <= 1


def test_it_gives_up_at_the_smallest_window() -> None:
    with pytest.raises(EngineFailure, match="Out of memory on cpu even with windows"):
        inpaint(noise(700, 700), marked(700, 700, (100, 100, 500, 500)), tight(SMALLEST_WINDOW**2 // 4, Seen()))


@pytest.mark.parametrize(
    ("forward", "told"),
    [
        (lambda image, mask: image[..., :8], "was expected"),
        (lambda image, mask: image * float("nan"), "not numbers"),
    ],
)
def test_a_broken_answer_is_an_error(forward: Callable[..., torch.Tensor], told: str) -> None:
    with pytest.raises(EngineFailure, match=told):
        inpaint(noise(40, 40), marked(40, 40, (9, 9, 9, 9)), Inpainter(forward, CPU))


def test_progress_only_rises_and_a_cancel_passes_through() -> None:
    heard: list[float] = []
    mask = SHAPES["larger than a window"]
    inpaint(noise(*mask.shape), mask, flat(Seen()), 256, heard.append)
    assert heard[0] == 0 and heard[-1] == 1 and heard == sorted(heard) and len(heard) > 10

    class Cancelled(Exception):
        pass

    def cancel(share: float) -> None:
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        inpaint(noise(*mask.shape), mask, flat(Seen()), 256, cancel)


@pytest.fixture(scope="module")
def lama() -> Inpainter:
    module = random_lama()
    return Inpainter(module, CPU, module=module)


def test_lama_itself_fills_a_hole_and_nothing_else(lama: Inpainter) -> None:
    rgb, mask = noise(61, 75), marked(61, 75, (20, 30, 20, 11))
    first, second = (inpaint(rgb, mask, lama).rgb for _ in range(2))
    assert np.array_equal(first[mask == 0], rgb[mask == 0]) and np.array_equal(first, second)
    assert np.abs(first[mask > 0].astype(int) - 127).max() < 40  # what untrained weights say
    with torch.no_grad():
        image = torch.from_numpy(np.pad(rgb, ((0, 3), (0, 5), (0, 0)), "reflect").astype(np.float32) / 255)
        hole = torch.from_numpy(np.pad(mask, ((0, 3), (0, 5)), "reflect"))
        direct = lama.forward(image.permute(2, 0, 1)[None], hole[None, None])[0].permute(1, 2, 0).numpy()
    assert np.abs(direct[:61, :75][mask > 0] * 255 - first[mask > 0]).max() <= 0.51


def test_lama_is_cancelled_between_its_layers(lama: Inpainter, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cancelled(Exception):
        pass

    clock, calls = itertools.count(), []  # by which every layer takes a second
    monkeypatch.setattr("vectrahub.engine.networks.cancel.time", SimpleNamespace(monotonic=lambda: next(clock)))

    def cancel(share: float) -> None:
        calls.append(share)
        if len(calls) > 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        inpaint(noise(256, 256), marked(256, 256, (50, 50, 100, 100)), lama, progress=cancel)
    assert lama.module is not None and not any(layer._forward_pre_hooks for layer in lama.module.modules())
    assert len(calls) == 3 and max(calls) < 1 and next(clock) < 10  # of some hundred layers


@pytest.mark.parametrize(
    ("wanted", "files", "file"),
    [
        ("auto", [], None),
        ("auto", ["MAT_Places512_G_fp16.safetensors", "fooocus_inpaint_head.pth", "llama.pt"], None),
        ("auto", ["anime-manga-big-lama.pt", "sub/big-lama.safetensors"], "sub/big-lama.safetensors"),
        ("auto", ["LaMa_places.ckpt"], "LaMa_places.ckpt"),
        ("auto", ["big-lama.pt", "big-lama.safetensors"], "big-lama.safetensors"),  # a program, and what is fetched
        ("mine.pth", ["mine.pth", "big-lama.safetensors"], "mine.pth"),
    ],
)
def test_the_choice(wanted: str, files: list[str], file: str | None) -> None:
    choice = choose_inpainter(wanted, files)
    assert choice.file == file and choice.reason
