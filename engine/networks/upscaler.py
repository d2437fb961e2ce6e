"""Enlarging by a super-resolution network: the passes to 12 megapixels, tile by tile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import BadInput, EngineFailure
from ..progress import Progress, part, silent
from ..raster.alpha import bleed_colors, resize_alpha
from ..raster.resize import MAX_SIDE, resize_lanczos, size_for_megapixels
from ..raster.tiling import Span, cut_axis
from .cancel import between_layers

TILE = 512  # pixels per side given to the network at once, surroundings included
SMALLEST_TILE = 64
OVERLAP = 32
GRID = 8  # covers the pixel-unshuffle of RRDBNets (2 or 4) and the windows of common transformers

_SAME_SIZE = 0.005


def _torch_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError)


@dataclass(frozen=True)
class Network:
    """A loaded upscaler: `forward` maps (1, 3, h, w) in 0..1 on `device` to (1, 3, h * scale, w * scale).

    `module`, where given, is the module that `forward` runs: cancelling then also works between its layers.
    """

    forward: Callable[[torch.Tensor], torch.Tensor]
    scale: int
    device: torch.device
    module: torch.nn.Module | None = None
    out_of_memory: Callable[[Exception], bool] = _torch_out_of_memory


@dataclass(frozen=True)
class Pass:
    """One step to the final size; width and height are those after it."""

    kind: Literal["network", "resize"]
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.kind} {self.width}x{self.height}"


@dataclass(frozen=True)
class Plan:
    """The passes from the input to the final size; `note` says which limit of size was met, if one was."""

    passes: tuple[Pass, ...]
    width: int
    height: int
    note: str


@dataclass(frozen=True)
class Enlarged:
    """`rgb` float32 (H, W, 3) 0..1; `alpha` float32 (H, W) or None; `tile` is 0 when no network ran."""

    rgb: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    plan: Plan
    tile: int


def plan_passes(width: int, height: int, scale: int | None, megapixels: float = 12.0) -> Plan:
    """The passes that bring width x height to `megapixels`; `scale` is the network's, None for Lanczos alone.

    For x2, with 12 MP: below 0.5 MP x2, x2, to 12; from 0.5 to 3 MP x2, to 3, x2; above 3 MP to 3, x2.
    The bounds are megapixels / 24 and megapixels / 4, so a draft takes the same road.
    Stronger networks pass once, from at most megapixels / 4 and to at most 4 * megapixels (x4: from 3 MP,
    result brought to 12): a second pass would draw from what the first invented, and first shrinking to
    3/4 MP would throw away what the picture has.
    """
    final_width, final_height, note = size_for_megapixels(width, height, megapixels)
    if scale is None:
        direct = Pass("resize", final_width, final_height)
        there = (width, height) == (final_width, final_height)
        return Plan(() if there else (direct,), final_width, final_height, note)
    start = min(megapixels / 4, 4 * megapixels / scale**2)
    start_width, start_height, _ = size_for_megapixels(width, height, start)
    area = width * height / 1e6
    passes: list[Pass] = []

    def run_network(from_width: int, from_height: int) -> None:
        passes.append(Pass("network", from_width * scale, from_height * scale))

    if area > start:
        passes.append(Pass("resize", start_width, start_height))
        run_network(start_width, start_height)
    elif scale > 2:
        run_network(width, height)
    elif area < megapixels / 24:
        run_network(width, height)
        run_network(2 * width, 2 * height)
    else:
        run_network(width, height)
        passes.append(Pass("resize", start_width, start_height))
        run_network(start_width, start_height)
    last = passes[-1]
    excess = last.width * last.height / (final_width * final_height) - 1
    if abs(excess) > _SAME_SIZE or max(last.width, last.height) > MAX_SIDE:
        passes.append(Pass("resize", final_width, final_height))
    return Plan(tuple(passes), passes[-1].width, passes[-1].height, note)


def enlarge(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None,
    megapixels: float,
    network: Network | None,
    progress: Progress = silent,
    tile: int = TILE,
) -> Enlarged:
    """Bring a picture (H, W, 3), alpha (H, W) or None, to `megapixels` by `network`, or by Lanczos when None.

    Colours and alpha are enlarged apart, colours bled under the transparent parts first. Nothing is rounded
    to 8 bits between passes. Raises BadInput for a scale below 2, EngineFailure when memory does not even
    suffice for the smallest tile.
    """
    height, width = rgb.shape[:2]
    scale = None if network is None else network.scale
    if scale is not None and scale < 2:
        raise BadInput(
            "This network does not enlarge",
            value=f"x{scale}",
            limit="x2 or more",
            remedy="Choose an upscaler such as RealESRGAN_x2plus, or lanczos.",
        )
    plan = plan_passes(width, height, scale, megapixels)
    progress(0.0)
    colors = bleed_colors(rgb, alpha)
    if network is None:
        pixels = np.divide(resize_lanczos(colors, plan.width, plan.height), np.float32(255))
        used = 0
    else:
        pixels, used = _run(plan, np.divide(colors, np.float32(255)), network, progress, tile)
    opacity = resize_alpha(alpha, plan.width, plan.height)
    progress(1.0)
    return Enlarged(pixels, opacity, plan, used)


def _run(
    plan: Plan, pixels: NDArray[np.float32], network: Network, progress: Progress, tile: int
) -> tuple[NDArray[np.float32], int]:
    costs = [step.width * step.height if step.kind == "network" else 0 for step in plan.passes]
    done = 0
    for step, cost in zip(plan.passes, costs, strict=True):
        share = part(progress, done / sum(costs), (done + cost) / sum(costs))
        if step.kind == "network":
            pixels, tile = upscale_tiled(pixels, network, share, tile)
        else:
            pixels = resize_lanczos(pixels, step.width, step.height)
        done += cost
    return pixels, tile


def upscale_tiled(
    pixels: NDArray[np.float32],
    network: Network,
    progress: Progress = silent,
    tile: int = TILE,
    overlap: int = OVERLAP,
) -> tuple[NDArray[np.float32], int]:
    """One pass: float32 (H, W, 3) 0..1 -> (H * scale, W * scale, 3) 0..1, and the tile size that fitted.

    A tile that does not fit into memory is halved, down to `SMALLEST_TILE` (EngineFailure below that).
    Tiles overlap by `overlap` input pixels on each side of a cut (at most a quarter of the tile), a quarter
    of it fades: the result equals the untiled one within rounding when the network sees no further than
    3/4 `overlap`. A full RRDBNet could see hundreds of pixels but hardly does; what is left fades in.
    """
    while True:
        context = min(overlap, tile // 4)
        try:
            return _pass(pixels, network, progress, tile, context), tile
        except Exception as error:  # the host's accelerators have no common class for this
            if not network.out_of_memory(error):
                raise
            if tile // 2 < SMALLEST_TILE:
                raise EngineFailure(
                    f"Out of memory on {network.device} even with tiles of {tile} px. "
                    "Close other programs that use it, choose fewer megapixels, or the upscaler lanczos."
                ) from error
        tile //= 2


def _pass(
    pixels: NDArray[np.float32], network: Network, progress: Progress, tile: int, overlap: int
) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    feather = overlap // 4
    rows = cut_axis(height, tile, overlap, feather, GRID)
    columns = cut_axis(width, tile, overlap, feather, GRID)
    count = len(rows) * len(columns)
    joined = np.zeros((height * network.scale, width * network.scale, 3), np.float32)
    for index, (row, column) in enumerate((row, column) for row in rows for column in columns):
        progress(index / count)
        with between_layers(network.module, lambda at=index / count: progress(at)):
            _add_tile(joined, pixels, network, row, column)
    progress(1.0)
    return joined


def _add_tile(
    joined: NDArray[np.float32], pixels: NDArray[np.float32], network: Network, row: Span, column: Span
) -> None:
    scale = network.scale
    cut = torch.from_numpy(np.ascontiguousarray(pixels[row.start : row.stop, column.start : column.stop]))
    with torch.no_grad():
        result = network.forward(cut.to(network.device).permute(2, 0, 1)[None].contiguous())[0].float()
        _check_shape(result, (3, cut.shape[0] * scale, cut.shape[1] * scale))
        down = torch.from_numpy(row.weights(scale)).to(network.device)
        across = torch.from_numpy(column.weights(scale)).to(network.device)
        weighted = result.clamp(0, 1) * down[:, None] * across
        area = np.s_[row.start * scale : row.stop * scale, column.start * scale : column.stop * scale]
        joined[area] += weighted.permute(1, 2, 0).cpu().numpy()


def _check_shape(result: torch.Tensor, expected: tuple[int, int, int]) -> None:
    if tuple(result.shape) != expected:
        raise EngineFailure(f"The upscaler returned {tuple(result.shape)} where {expected} was expected.")
