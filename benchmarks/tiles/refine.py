"""Tiles per second of TileRefine against the same work as a list-mapped graph of core nodes, on a real host.

Both refine the same picture with the same model, prompts and steps. The networks are core's own SDXL in full size with
random weights (or tiny ones, to try this code without a GPU); they are test nodes, so the host is one of its own.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vectrahub_client import Client, PrivateHost, load_config

ROOT = Path(__file__).resolve().parents[2]
TARGET = 1.5  # times the tiles per second of core's graph, at the best batch
TILES = 16
_CORE = 0

Graph = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Work:
    """What is refined: a square picture of 4 x 4 tiles; `node` supplies the model."""

    name: str
    node: str
    tile: int
    overlap: int
    steps: int

    @property
    def side(self) -> int:
        """Of the picture, px."""
        return 4 * self.tile - 3 * self.overlap


FULL = Work("SDXL, 2.6 billion random weights", "VectraHubTest_FullSDXL", tile=1024, overlap=128, steps=10)
TINY = Work("SDXL of tiny size, random weights", "VectraHubTest_TinySDXL", tile=64, overlap=8, steps=2)


def measure(work: Work, batches: list[int], rounds: int) -> dict[str, Any]:
    """Tiles per second of core's graph and of TileRefine at each batch: the median of `rounds`, in turn.

    A round before them is not counted: it loads the models.
    """
    ways = [_CORE, *batches]
    seconds: dict[int, list[float]] = {way: [] for way in ways}
    with _client(rounds + 1, work.side) as client:
        for number in range(rounds + 1):
            for way in ways:
                graph = core_graph(work, number) if way == _CORE else refine_graph(work, number, way)
                taken = client.run(graph).seconds
                seconds[way] += [round(taken, 3)] if number else []
        device = client.get("system_stats")["devices"][0]["name"]
    rates = {way: TILES / statistics.median(taken) for way, taken in seconds.items()}
    return {
        "model": work.name,
        "device": device,
        "tiles": TILES,
        "tile": work.tile,
        "steps": work.steps,
        "core": {"seconds": seconds[_CORE], "tiles_per_second": round(rates[_CORE], 3)},
        "refine": {
            str(batch): {"seconds": seconds[batch], "tiles_per_second": round(rates[batch], 3)} for batch in batches
        },
        "times_core": round(max(rates[batch] for batch in batches) / rates[_CORE], 2),
    }


def reached(case: dict[str, Any]) -> bool:
    """Whether TileRefine at its best batch is TARGET times as fast as core's graph."""
    return case["times_core"] >= TARGET


def lines(part: dict[str, Any] | None) -> list[str]:
    """The section of RESULTS.md; `part` is None where it was never measured."""
    title = ["## Refining on a GPU", ""]
    if part is None:
        return [
            *title,
            "Unmeasured: no GPU was at hand. `make bench-tiles ARGS=--gpu` measures it.",
            "",
        ]
    case = part["case"]
    rows = {"core's graph": case["core"], **{f"TileRefine, batch {name}": row for name, row in case["refine"].items()}}
    verdict = "met" if reached(case) else "missed"
    return [
        *title,
        f"`{part['command']}`; {case['device']}, {part['machine']}; commit {part['commit']}.",
        "",
        f"{case['tiles']} tiles of {case['tile']} px, {case['steps']} steps, with guidance (cfg); {case['model']}.",
        "Core's graph: SplitImageToTileList, then VAEEncode, KSampler and VAEDecode mapped over the list, then",
        "ImageMergeTileList, one prompt for all; TileRefine: a prompt for each tile. Median of the rounds, in turn,",
        "after one that is not counted.",
        "",
        "| | tiles per second | seconds |",
        "|---|---|---|",
        *(
            f"| {name} | {row['tiles_per_second']} | {', '.join(map(str, row['seconds']))} |"
            for name, row in rows.items()
        ),
        "",
        f"**Target, {TARGET:g} x the tiles per second of core's graph: {verdict}**, {case['times_core']} x.",
        "",
    ]


def core_graph(work: Work, number: int) -> Graph:
    """Split, then encode, sample and decode mapped over the list by the host, then merge: core nodes only."""
    sampler = {"positive": ["4", 0], "negative": ["5", 0], "latent_image": ["6", 0]}
    overlap = {"overlap": work.overlap}
    return {
        "1": _node("LoadImage", image=f"picture{number}.png"),
        "2": _node("SplitImageToTileList", image=["1", 0], tile_width=work.tile, tile_height=work.tile, **overlap),
        "3": _node(work.node, seed=0),
        "4": _node("CLIPTextEncode", clip=["3", 1], text="a town by the sea"),
        "5": _node("CLIPTextEncode", clip=["3", 1], text="blurry"),
        "6": _node("VAEEncode", pixels=["2", 0], vae=["3", 2]),
        "7": _node("KSampler", model=["3", 0], **sampler, **_sampling(work, number)),
        "8": _node("VAEDecode", samples=["7", 0], vae=["3", 2]),
        "9": _node("ImageMergeTileList", image_list=["8", 0], final_width=work.side, final_height=work.side, **overlap),
        "10": _node("VectraHubTest_Report", image=["9", 0], report="{}"),
    }


def refine_graph(work: Work, number: int, batch: int) -> Graph:
    """The same by TileRefine, each tile with words of its own; nothing is kept for a later run."""
    size = {"upscale": "none", "long_side": 4096, "method": "lanczos", "tile": work.tile, "overlap": work.overlap}
    model = {"model": ["3", 0], "clip": ["3", 1], "vae": ["3", 2]}
    choices = {**_sampling(work, number), "batch": batch, "resume": False}
    tiles = [{"row": tile // 4, "column": tile % 4, "prompt": f"house number {tile}"} for tile in range(TILES)]
    words = {"prompt": "a town by the sea", "negative": "blurry", "edits": json.dumps({"tiles": tiles})}
    return {
        "1": _node("LoadImage", image=f"picture{number}.png"),
        "2": _node("VectraHub_TileSplit", image=["1", 0], **size),
        "3": _node(work.node, seed=0),
        "4": _node("VectraHub_TilePlan", grid=["2", 1], **words),
        "5": _node("VectraHub_TileRefine", image=["2", 2], plan=["4", 0], **model, **choices),
        "6": _node("VectraHubTest_Report", image=["5", 0], report="{}"),
    }


def _sampling(work: Work, seed: int) -> dict[str, Any]:
    kind = {"sampler_name": "dpmpp_2m", "scheduler": "karras"}
    return {"seed": seed, "steps": work.steps, "cfg": 6.0, "denoise": 0.35, **kind}


def _node(kind: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


@contextmanager
def _client(pictures: int, side: int) -> Iterator[Client]:
    """A client of a host of its own with the pack, the test nodes and `pictures` pictures to refine."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for sub in ("custom_nodes", "input", "models", "user"):
            (base / sub).mkdir()
        packs = {name: ROOT / "tests/host/packs" / name for name in ("tiny_diffusion", "slow_node")}
        for name, source in {"vectrahub": ROOT, **packs}.items():
            (base / "custom_nodes" / name).symlink_to(source, target_is_directory=True)
        random = np.random.default_rng(0)
        for number in range(pictures):
            small = random.integers(0, 256, (32, 32, 3), np.uint8)
            picture = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
            picture.save(base / "input" / f"picture{number}.png")
        with PrivateHost(load_config(), base=base) as host, Client(host.url, host_ended=host.why_ended) as client:
            yield client
