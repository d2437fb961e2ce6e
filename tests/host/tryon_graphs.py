"""Graphs that dress small pictures with the tiny Qwen-Image, and what came of them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.runs import Graph, Outcome
from vectrahub.tests.host_fixture import RunningHost

TRYON, SAVE, COMPARISON, EXPANSION = "4", "5", "6", "7"
TINY = {"model": ["8", 0], "clip": ["8", 1], "vae": ["8", 2]}
QUICK = {"mode": "fp8", "prompt": "wear it", "seed": 1, "steps": 1, "cfg": 0.0, "comparison": False}
RED, BLUE = (200, 30, 30), (30, 30, 200)


def new_picture(host: RunningHost, width: int, height: int, color: tuple[int, ...] = RED) -> str:
    """A picture of about one colour (RGB or RGBA) and of its own name, new to the host. Its left edge is darker."""
    name = f"{uuid.uuid4().hex}.png"
    pixels = np.full((height, width, len(color)), color, np.uint8)
    pixels[: height // 3, : width // 3, :3] //= 2
    pixels[0, 0, :3] = np.random.default_rng().integers(0, 256, 3)
    Image.fromarray(pixels).save(host.input / name)
    return name


def red_and_blue(host: RunningHost) -> tuple[str, str]:
    """A red person of 300 x 400 and a blue garment of 500 x 250."""
    return new_picture(host, 300, 400, RED), new_picture(host, 500, 250, BLUE)


def dressed(person: str, garment: str, models: dict[str, Any] | None = None, /, **inputs: Any) -> Graph:
    """The shipped workflow for small pictures; `inputs` are VTONTryOn's, `models` what is connected (TINY if None)."""
    graph: Graph = {
        "1": node("Person", "LoadImage", image=person),
        "2": node("Garment", "LoadImage", image=garment),
        "3": node(
            *("Prepare", "VectraHub_VTONPrepare"),
            **{"person": ["1", 0], "garment": ["2", 0], "resolution": "480p"},
            **{"person_mask": ["1", 1], "garment_mask": ["2", 1]},
        ),
        TRYON: node(
            *("Try on", "VectraHub_VTONTryOn"),
            **{"person": ["3", 0], "garment": ["3", 1], "original": ["1", 0]},
            **QUICK,
        ),
        SAVE: node("Save", "SaveImage", images=[TRYON, 0], filename_prefix="tryon"),
        COMPARISON: node("Save comparison", "SaveImage", images=[TRYON, 1], filename_prefix="tryon_comparison"),
        EXPANSION: node("Expansion", "VectraHubTest_Expansion", after=[TRYON, 0]),
        "8": node("Tiny", "VectraHubTest_TinyQwenImage", seed=0),
    }
    graph[TRYON]["inputs"].update({**(TINY if models is None else models), **inputs})
    return graph


def with_mask(graph: Graph, mask: str) -> Graph:
    """The graph with a marked region: where the red channel of a picture is bright."""
    graph["9"] = node("Mask", "LoadImageMask", image=mask, channel="red")
    graph[TRYON]["inputs"]["mask"] = ["9", 0]
    return graph


def picture_of(outcome: Outcome, number: str = SAVE) -> np.ndarray:
    """The saved picture, (H, W, 3) bytes."""
    assert outcome.problem is None, outcome.error
    (file,) = outcome.entry["outputs"][number]["images"]
    path = outcome.host.output / file["subfolder"] / file["filename"]
    return np.asarray(Image.open(path).convert("RGB"))


def report(outcome: Outcome) -> dict[str, Any]:
    """What VTONTryOn says of its one picture."""
    assert outcome.problem is None, outcome.error
    reports = [
        output["vectrahub_report"][0] for output in outcome.entry["outputs"].values() if "vectrahub_report" in output
    ]
    return next(one for one in map(json.loads, reports) if one["stage"] == "VTONTryOn")["images"][0]


def expansion(outcome: Outcome) -> dict[str, tuple[str, dict[str, Any]]]:
    """What VTONTryOn became: {its name: (class, inputs)}, links inside it by name, without what only Python reads."""
    assert outcome.problem is None, outcome.error
    made = json.loads(outcome.entry["outputs"][EXPANSION]["expansion"][0])
    assert {one["parent"] for one in made.values()} == {TRYON}
    named: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, one in made.items():
        inputs = {key: _short(value) for key, value in one["inputs"].items()}
        named[_last(name)] = (one["class_type"], inputs)
    return named


def parts(ids: list[str]) -> list[str]:
    """The names of the executed nodes that VTONTryOn became."""
    return [_last(one) for one in ids if one.startswith(f"{TRYON}.")]


@dataclass(frozen=True)
class Seen:
    """calls: of the diffusion model. encoded: texts that came with pictures, and those pictures (H, W, 3)."""

    calls: list[dict[str, Any]]
    encoded: list[tuple[str, list[np.ndarray]]]


class Watching:
    """While it is entered the tiny networks write down what they are given; `control` is what watch.py reads."""

    def __init__(self, host: RunningHost, **control: object) -> None:
        self._folder = host.base / "tiny_diffusion"
        self._control = control

    def __enter__(self) -> Watching:
        self._folder.mkdir()
        if self._control:
            (self._folder / "control.json").write_text(json.dumps(self._control))
        return self

    def __exit__(self, *_error: object) -> None:
        for file in self._folder.iterdir():
            file.unlink()
        self._folder.rmdir()

    def seen(self) -> Seen:
        texts = [(line["text"], [self._picture(name) for name in line["pictures"]]) for line in self._lines("encoded")]
        return Seen(self._lines("calls"), texts)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        file = self._folder / f"{name}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def _picture(self, name: str) -> np.ndarray:
        return np.asarray(Image.open(self._folder / name))


def _last(name: str) -> str:
    return name.split(".")[-1]


def _short(value: Any) -> Any:
    if isinstance(value, list) and value[0].startswith(f"{TRYON}."):
        return [_last(value[0]), value[1]]
    return value
