"""Small graphs of core nodes and of the test pack."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

Graph = dict[str, dict[str, Any]]

# The host caches by value: a job that must take its time gets inputs that no earlier job had.
_salt = itertools.count(1)


def node(title: str, kind: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


def empty_to_png(width: int = 16, height: int = 8, prefix: str = "empty") -> Graph:
    return {
        "1": node("Blank", "EmptyImage", width=width, height=height, batch_size=1, color=0xFF0000),
        "2": node("Keep", "SaveImage", images=["1", 0], filename_prefix=prefix),
    }


def scale_image(width: int = 32, height: int = 16) -> Graph:
    return {
        "1": node("Picture", "LoadImage", image="none.png"),
        "2": node(
            *("Scale", "ImageScale"),
            image=["1", 0],
            upscale_method="nearest-exact",
            width=width,
            height=height,
            crop="disabled",
        ),
        "3": node("Keep", "SaveImage", images=["2", 0], filename_prefix="scaled"),
    }


def slow(seconds: float) -> Graph:
    graph = empty_to_png(prefix="slow")
    graph["3"] = node("Nap", "VectraHubTest_Sleep", image=["1", 0], seconds=seconds, salt=next(_salt))
    graph["2"]["inputs"]["images"] = ["3", 0]
    return graph


def through(kind: str, title: str, **inputs: object) -> Graph:
    graph = empty_to_png()
    graph["3"] = node(title, kind, image=["1", 0], **inputs)
    graph["2"]["inputs"]["images"] = ["3", 0]
    return graph


def save(graph: object, path: Path) -> Path:
    path.write_text(json.dumps(graph), encoding="utf-8")
    return path
