"""Filling the marked parts of a picture by a network, whatever their size, in no more than the window that fits."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput, EngineFailure
from ...progress import Progress, silent
from ..cancel import between_layers
from .network import Inpainter, run
from .windows import Mask, Window, plan

WINDOW = 1024  # px, the longest side that is run at once
SMALLEST_WINDOW = 128

Colors = TypeVar("Colors", NDArray[np.uint8], NDArray[np.float32])


@dataclass(frozen=True)
class Figures:
    """What was done. marked: share of the picture, percent. holes: groups that were filled together.

    runs: of the network, at most `window` px a side; computed: megapixels in all of them. note: what to know, or "".
    """

    marked: float
    holes: int
    runs: int
    window: int
    computed: float
    note: str


@dataclass(frozen=True)
class Inpainted(Generic[Colors]):
    """rgb: as the input, in size and type."""

    rgb: Colors
    figures: Figures


def unmarked() -> Figures:
    """The figures of a picture in which nothing is marked."""
    return Figures(0.0, 0, 0, 0, 0.0, "Nothing is marked: this is the original.")


def inpaint(
    rgb: Colors,
    mask: NDArray[np.float32] | None,
    network: Inpainter | None,
    window: int = WINDOW,
    progress: Progress = silent,
) -> Inpainted[Colors]:
    """Repaint (H, W, 3), uint8 or float32 0..1, where `mask` (H, W), 0..1, is above 0; None marks nothing.

    Where the mask is 0 the pixels come back bit for bit; a soft mask is a hole for the network, whose answer is mixed
    in by it. Only windows around the holes are computed. A hole that does not fit into one is filled from its border
    inward, each window going on from what the one before it filled. A window that does not fit into memory is halved,
    down to `SMALLEST_WINDOW` (EngineFailure below that). Raises BadInput for a mask of another size, and for a
    picture in which something is marked without a network.
    """
    hole = np.zeros(rgb.shape[:2], np.bool_) if mask is None else _hole(rgb, mask)
    progress(0.0)
    if mask is None or not hole.any():
        progress(1.0)
        return Inpainted(rgb.copy(), unmarked())
    if network is None:
        raise BadInput("There is no network to repaint with", value="None", limit="an Inpainter", remedy="Load one.")
    known = _unit(rgb)
    limit = max(window, SMALLEST_WINDOW) // network.multiple * network.multiple
    asked = limit
    while True:
        groups = plan(hole, limit, network.multiple)
        runs = [one for group in groups for one in group]
        progress(0.0)
        try:
            filled = _fill(known, hole, runs, network, progress)
            break
        except Exception as error:  # the host's accelerators have no common class for this
            if not network.out_of_memory(error):
                raise
            limit = _smaller(limit, max(one.side for one in runs), network, error)
    figures = Figures(
        marked=round(100 * float(hole.mean()), 4),
        holes=len(groups),
        runs=len(runs),
        window=limit,
        computed=round(sum(one.pixels for one in runs) / 1e6, 3),
        note=_note(hole, asked, limit),
    )
    progress(1.0)
    return Inpainted(_mixed(rgb, known, filled, mask, hole), figures)


def _hole(rgb: NDArray[Any], mask: NDArray[np.float32]) -> Mask:
    if mask.shape != rgb.shape[:2]:
        raise BadInput(
            "The mask does not fit the picture",
            value=f"{mask.shape[1]} x {mask.shape[0]}",
            limit=f"{rgb.shape[1]} x {rgb.shape[0]}",
            remedy="Bring it to the picture's size.",
        )
    return mask > 0


def _unit(rgb: NDArray[Any]) -> NDArray[np.float32]:
    """0..1; of uint8 a new array."""
    return np.divide(rgb, np.float32(255)) if rgb.dtype == np.uint8 else rgb.astype(np.float32, copy=False)


def _smaller(limit: int, side: int, network: Inpainter, error: Exception) -> int:
    """Half of what was run: a window that was larger than the picture is not tried by halves."""
    half = min(limit, side) // 2 // network.multiple * network.multiple
    if half < SMALLEST_WINDOW:
        raise EngineFailure(
            f"Out of memory on {network.device} even with windows of {min(limit, side)} px. "
            "Close other programs that use it, or give a smaller picture."
        ) from error
    return half


def _note(hole: Mask, asked: int, limit: int) -> str:
    notes = []
    if hole.all():
        notes.append("All of the picture is marked: there was nothing to go by.")
    if limit < asked:
        notes.append(f"The window was halved from {asked} to {limit} px: the memory did not suffice.")
    return " ".join(notes)


def _fill(
    known: NDArray[np.float32], hole: Mask, windows: list[Window], network: Inpainter, progress: Progress
) -> NDArray[np.float32]:
    """(H, W, 3): the picture with its holes filled."""
    colors = np.where(hole[..., None], np.float32(0), known)
    left = hole.astype(np.float32)  # share of each pixel that no window has answered for yet
    total = sum(window.pixels for window in windows)
    done = 0
    for window in windows:
        progress(done / total)
        with between_layers(network.module, lambda at=done / total: progress(at)):
            _fill_window(colors, left, window, network)
        done += window.pixels
    return colors


def _fill_window(colors: NDArray[np.float32], left: NDArray[np.float32], window: Window, network: Inpainter) -> None:
    """Adds the network's answer to `colors`, and takes the share it answers for from `left`."""
    seen = window.seen
    answer = run(network, colors[seen], left[seen] > 0)
    taken = np.minimum(left[seen], window.shares())
    colors[seen] += taken[..., None] * answer
    left[seen] -= taken


def _mixed(
    rgb: Colors, known: NDArray[np.float32], filled: NDArray[np.float32], mask: NDArray[np.float32], hole: Mask
) -> Colors:
    share = np.clip(mask[hole], 0, 1)[:, None].astype(np.float32)
    mixed = known[hole] + (filled[hole] - known[hole]) * share
    result = rgb.copy()
    result[hole] = np.rint(mixed * 255).clip(0, 255) if rgb.dtype == np.uint8 else mixed.clip(0, 1)
    return result
