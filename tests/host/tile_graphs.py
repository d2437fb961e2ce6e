"""Graphs that refine a small picture tile by tile with the test pack's tiny networks, and what came of them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.runs import Graph, Outcome
from vectrahub.tests.host_fixture import RunningHost

TILE, OVERLAP = 64, 16
WIDTH, HEIGHT = 160, 112  # 3 columns (0, 48, 96), 2 rows (0, 48)
REFINE = "7"
QUICK = {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 0.5}


def new_picture(host: RunningHost, width: int = WIDTH, height: int = HEIGHT) -> str:
    """A picture of its own pixels and name, so that nothing of it can be known to the host yet."""
    name = f"{uuid.uuid4().hex}.png"
    pixels = np.random.default_rng().integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).save(host.input / name)
    return name


def tiled(image: str, edits: object = None, family: str = "sdxl", model: dict[str, Any] | None = None, **refine: Any):
    """Picture -> tiles -> plan -> refined picture; `edits` as TilePlan reads them, `refine` are TileRefine's inputs."""
    name = {"sdxl": "VectraHubTest_TinySDXL", "flux": "VectraHubTest_TinyFlux"}[family]
    text = "" if edits is None else json.dumps({"tiles": edits})
    graph: Graph = {
        "1": node("Image", "LoadImage", image=image),
        "2": node(
            *("Split", "VectraHub_TileSplit"),
            image=["1", 0],
            **{"upscale": "none", "long_side": 4096, "method": "lanczos", "tile": TILE, "overlap": OVERLAP},
        ),
        "3": node(*("Plan", "VectraHub_TilePlan"), grid=["2", 1], prompt="a town", negative="blurry", edits=text),
        "4": node("Model", name, **{"seed": 0, **(model or {})}),
        REFINE: node(
            *("Refine", "VectraHub_TileRefine"),
            image=["2", 2],
            plan=["3", 0],
            model=["4", 0],
            clip=["4", 1],
            vae=["4", 2],
            **{**QUICK, **refine},
        ),
        "8": node("Save", "SaveImage", images=[REFINE, 0], filename_prefix="tiled"),
    }
    return graph


def with_control(graph: Graph, family: str = "sdxl", **inputs: Any) -> Graph:
    """The graph with a ControlNet."""
    graph["9"] = node("Control", "VectraHubTest_TinyControlNet", family=family, seed=0)
    graph[REFINE]["inputs"].update(control_net=["9", 0], **inputs)
    return graph


def picture_of(outcome: Outcome) -> np.ndarray:
    """The saved picture (H, W, 3), int16."""
    assert outcome.problem is None, outcome.error
    file = outcome.entry["outputs"]["8"]["images"][0]
    path = outcome.host.output / file["subfolder"] / file["filename"]
    return np.asarray(Image.open(path).convert("RGB"), np.int16)


def passes(outcome: Outcome) -> list[dict[str, Any]]:
    """What TileRefine reports of each pass."""
    assert outcome.problem is None, outcome.error
    shown = {made: about["display_node"] for made, about in outcome.entry["meta"].items()}
    reports = [
        output["vectrahub_report"][0] for made, output in outcome.entry["outputs"].items() if shown[made] == REFINE
    ]
    return json.loads(reports[-1])["images"]


def sampled(ids: list[str]) -> list[str]:
    """The sampler nodes among executed ones, as 'tile3'."""
    return [one.split(".")[-1].removesuffix("_sample") for one in ids if one.endswith("_sample")]


def kept_tiles(host: RunningHost) -> list[Path]:
    return sorted((host.base / "user" / "__vectrahub" / "tiles").glob("*"))
