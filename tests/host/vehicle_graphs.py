"""The vehicle workflow for small drawings, with the test pack's stand-ins for its networks, and what came of it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from PIL import Image

from vectrahub.engine.svg.render import render
from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.runs import Graph, Outcome
from vectrahub.tests.host_fixture import ROOT, RunningHost
from vectrahub.vectrahub_client._workflow import find_node

SHIPPED: Graph = json.loads((ROOT / "workflows" / "api" / "vehicle_to_vector.json").read_text(encoding="utf-8"))
PHASES = ("Sanitize", "Stylize", "Quantize", "Vectorize")
RED, MAGENTA, GROUND = (225, 30, 30), (255, 0, 255), (240, 240, 240)

_STAND_INS = {
    "SAM3": ("VectraHubTest_Detector", {"confidence": 0.9}),
    "BiRefNet": ("VectraHubTest_Foreground", {}),
    "Depth model": ("VectraHubTest_DepthModel", {}),
    "Checkpoint": ("VectraHubTest_TinySDXL", {"seed": 0}),
    "Depth control": ("VectraHubTest_TinyControlNet", {"family": "sdxl", "seed": 0}),
    "Edge control": ("VectraHubTest_TinyControlNet", {"family": "sdxl", "seed": 1}),
}


def photo(host: RunningHost, name: str, size: tuple[int, int] = (320, 192), plate: bool = True) -> str:
    """A red vehicle in the middle half of a light picture, with a magenta plate on it."""
    wide, high = size
    pixels = np.full((high, wide, 3), GROUND, np.uint8)
    pixels[high // 4 : high * 3 // 4, wide // 4 : wide * 3 // 4] = RED
    if plate:
        pixels[high * 5 // 8 : high * 11 // 16, wide // 2 : wide // 2 + wide // 10] = MAGENTA
    Image.fromarray(pixels).save(host.input / name)
    return name


def vehicle(image: str, *, enough: float = 0.5, off: tuple[str, ...] = (), **settings: Any) -> Graph:
    """The shipped body; settings are Title__input=value. `enough`: the depth strength that keeps the silhouette."""
    graph: Graph = json.loads(json.dumps(SHIPPED))
    for title, (kind, inputs) in _STAND_INS.items():
        graph[find_node(graph, title)] = node(title, kind, **inputs)
    graph["clip"] = node("Words of SAM3", "VectraHubTest_TinySDXL", seed=1)
    graph[find_node(graph, "Parts")]["inputs"]["clip"] = ["clip", 1]
    sample = graph[find_node(graph, "Sample")]["inputs"]
    taken = {name: sample[name] for name in ("positive", "latent_image")}
    graph[find_node(graph, "Sample")] = node("Sample", "VectraHubTest_Sampler", enough=enough, **taken)
    samples = graph[find_node(graph, "Decode")]["inputs"]["samples"]
    graph[find_node(graph, "Decode")] = node("Decode", "VectraHubTest_Decoder", samples=samples)
    small = {"Photo__image": image, "Fit__megapixels": 0.06, "Upscale__megapixels": 0.5, "Depth__resolution": 140}
    for name, value in {**small, **settings}.items():
        title, key = name.split("__")
        graph[find_node(graph, title.replace("_", " "))]["inputs"][key] = value
    for title in off:
        graph[find_node(graph, title)]["inputs"]["enabled"] = False
    return graph


def said(outcome: Outcome, graph: Graph, title: str) -> dict[str, Any]:
    """What the node of this title says of its one picture, also where another node answered for it."""
    assert outcome.problem is None, outcome.error
    number = find_node(graph, title)
    reports = [
        output["vectrahub_report"][0]
        for key, output in outcome.entry["outputs"].items()
        if "vectrahub_report" in output and outcome.entry["meta"].get(key, {}).get("display_node", key) == number
    ]
    (report,) = reports
    return json.loads(report)["images"][0]


def phases(outcome: Outcome, graph: Graph) -> dict[str, dict[str, Any]]:
    """Phase Report's rows by name."""
    return {row["phase"]: row for row in said(outcome, graph, "Report")["phases"]}


def drawing(outcome: Outcome, graph: Graph, title: str = "Save SVG") -> bytes:
    assert outcome.problem is None, outcome.error
    (file,) = outcome.entry["outputs"][find_node(graph, title)]["images"]
    return (outcome.host.output / file["subfolder"] / file["filename"]).read_bytes()


def fills(svg: bytes) -> set[str]:
    """The fill colours of a drawing."""
    return set(re.findall(r'fill="(#[0-9A-Fa-f]{6})"', svg.decode()))


def rendered(svg: bytes, width: int, height: int) -> np.ndarray:
    return render(svg, width, height)
