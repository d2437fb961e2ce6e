"""Split and blend against core's SplitImageToTileList and ImageMergeTileList: seconds and peak memory on the CPU."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.raster.tiles.blend import blend
from engine.raster.tiles.crop import split
from engine.raster.tiles.grid import tile_grid
from vectrahub_client.host_config import load_config

OURS, CORE = "ours", "core"
FASTER = 2.0  # the target; with less peak memory

Way = Callable[[Tensor, int, int], Tensor]


def measure(side: int, tile: int, overlap: int, repeats: int, threads: int) -> dict[str, Any]:
    """Both ways on a random image of `side` x `side`, in turns, and the peak memory of each in a fresh process."""
    ways: dict[str, Way] = {OURS: _ours, CORE: _core()}
    image = _image(side)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    errors = dict.fromkeys(ways, 0.0)
    for turn in range(repeats + 1):
        for name, way in ways.items():
            spent, used, result = _timed(way, image, tile, overlap)
            if turn:
                seconds[name].append(spent)
                processor[name].append(used)
            else:  # the first is not counted
                errors[name] = float((result - image).abs_().max())
            del result
    del image
    return {
        "side": side,
        "tile": tile,
        "overlap": overlap,
        "repeats": repeats,
        "threads": threads,
        "load": [round(value, 2) for value in os.getloadavg()],
        "seconds": {name: _spread(values) for name, values in seconds.items()},
        "processor_seconds": {name: _spread(values) for name, values in processor.items()},
        "ours_is_times": _ratios(seconds),
        "ours_is_times_by_processor_time": _ratios(processor),
        "error": errors,
        "output_bytes": side * side * 3 * 4,
        "peak_bytes": {name: _peak_in_a_process(name, side, tile, overlap, threads) for name in ways},
    }


def reached(case: dict[str, Any]) -> bool:
    """Whether the target is met: twice as fast (median of the rounds) and less peak memory."""
    peak = case["peak_bytes"]
    return case["ours_is_times"]["median"] >= FASTER and peak[OURS] < peak[CORE]


def peak(name: str, side: int, tile: int, overlap: int) -> int:
    """Bytes by which the resident memory of this process grows at most while one way runs once. Linux only."""
    way = _ours if name == OURS else _core()
    _timed(way, _image(2 * tile), tile, overlap)  # what is allocated once for all
    image = _image(side)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak starts from here
    before = _memory("VmRSS")
    _timed(way, image, tile, overlap)
    return _memory("VmHWM") - before


def _ours(image: Tensor, tile: int, overlap: int) -> Tensor:
    grid = tile_grid(image.shape[1], image.shape[2], tile, overlap)
    return blend(split(image, grid), grid)


def _core() -> Way:
    sys.path.insert(0, str(load_config().comfyui))  # first: its `nodes` is not this checkout's
    from comfy.cli_args import args

    args.cpu = True  # else the import looks for a GPU
    from comfy_extras.nodes_images import ImageMergeTileList, SplitImageToTileList

    def way(image: Tensor, tile: int, overlap: int) -> Tensor:
        tiles = SplitImageToTileList.execute(image, tile, tile, overlap)[0]
        return ImageMergeTileList.execute(tiles, [image.shape[2]], [image.shape[1]], [overlap])[0]

    return way


def _timed(way: Way, image: Tensor, tile: int, overlap: int) -> tuple[float, float, Tensor]:
    """Seconds, seconds of the processor, and the result."""
    with torch.inference_mode():  # as the host runs nodes
        started, used = time.perf_counter(), time.process_time()
        result = way(image, tile, overlap)
        return time.perf_counter() - started, time.process_time() - used, result


def _image(side: int) -> Tensor:
    return torch.rand((1, side, side, 3), generator=torch.Generator().manual_seed(0))


def _ratios(seconds: dict[str, list[float]]) -> dict[str, float]:
    return _spread([core / ours for ours, core in zip(seconds[OURS], seconds[CORE], strict=True)])


def _spread(values: list[float]) -> dict[str, float]:
    figures = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, 3) for name, value in figures.items()}


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _peak_in_a_process(name: str, side: int, tile: int, overlap: int, threads: int) -> int:
    numbers = [f"--{key}={value}" for key, value in (("side", side), ("tile", tile), ("overlap", overlap))]
    command = [sys.executable, "-m", "benchmarks.tiles", f"--peak={name}", f"--threads={threads}", *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return int(json.loads(done.stdout.splitlines()[-1]))
