"""Cancelling in the middle of each long node: it stops before its work is done, and the host is free again.

ESRGAN12MP with a network: tests/nodes/test_upscale.py.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.tests.host.events import cancel
from vectrahub.tests.host.runs import Graph, run, workflow
from vectrahub.tests.host_fixture import RunningHost

SIDE = 3464  # 12 MP
_salt = itertools.count(1)  # the host caches what it has computed


def picture(patch: int = 24, side: int = SIDE) -> dict[str, Any]:
    """Random patches in 24 colours."""
    inputs = {"width": side, "height": side, "patch": patch, "salt": next(_salt)}
    return {"class_type": "VectraHubTest_Busy", "inputs": inputs}


def vectrahub(kind: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": f"VectraHub_{kind}", "inputs": inputs}


def defaults(host: RunningHost, kind: str) -> dict[str, Any]:
    """The default of every required input that has one."""
    schema = httpx.get(f"{host.url}/object_info/VectraHub_{kind}", timeout=60, trust_env=False).json()
    required = schema[f"VectraHub_{kind}"]["input"]["required"]
    return {key: spec[1]["default"] for key, spec in required.items() if len(spec) > 1 and "default" in spec[1]}


def save(svg: list[Any]) -> dict[str, Any]:
    return vectrahub("SVGSave", svg=svg, filename_prefix="cancelled/x", include_workflow=False)


def snap(host: RunningHost) -> Graph:
    node = vectrahub("PaletteSnap", **defaults(host, "PaletteSnap"), image=["1", 0])
    return {"1": picture(), "2": node, "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}}


def trace(mode: str) -> Any:
    def graph(host: RunningHost) -> Graph:
        node = vectrahub("VTracerTrace", **{**defaults(host, "VTracerTrace"), "mode": mode}, image=["1", 0])
        return {"1": picture(), "2": node, "3": save(["2", 0])}

    return graph


def render(host: RunningHost) -> Graph:
    bars = "".join(f'<circle cx="{x * 7 % 640}" cy="{x * 13 % 480}" r="{9 + x % 40}"/>' for x in range(4000))
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480" viewBox="0 0 640 480">'
    (host.input / "many circles.svg").write_text(f"{head}<g fill='#{next(_salt):06X}'>{bars}</g></svg>")
    return {
        "1": vectrahub("SVGLoad", file="many circles.svg"),
        "2": vectrahub("SVGRender", svg=["1", 0], width=4000, renderer="resvg"),
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    }


def gate(host: RunningHost) -> Graph:
    """A drawing for each of many pictures."""
    batch = {"count": 16, "width": 1000 + next(_salt), "height": 1000}
    return {
        "1": {"class_type": "VectraHubTest_Batch", "inputs": batch},
        "4": vectrahub("VTracerTrace", **{**defaults(host, "VTracerTrace"), "mode": "spline"}, image=["1", 0]),
        "2": vectrahub("SVGQualityGate", reference=["1", 0], fallback=["4", 0]),
        "3": save(["2", 0]),
    }


def scratch() -> set[Path]:
    """The tracer's folders; those of hosts and services have another dash in their names."""
    return {path for path in Path(tempfile.gettempdir()).glob("vectrahub-*") if path.name.count("-") == 1}


@pytest.mark.parametrize("share", [0.0, 0.4])
@pytest.mark.parametrize("make", [snap, trace("refit"), trace("spline")], ids=["snap", "refit", "spline"])
def test_cancel_in_the_middle(host: RunningHost, make: Any, share: float) -> None:
    before = scratch()
    cancel(host, make(host), "2", share)
    left = scratch() - before
    deadline = time.monotonic() + 60  # other programs trace on this machine, too
    while (left := {path for path in left if path.exists()}) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert not list(host.output.rglob("cancelled/*"))


@pytest.mark.parametrize("make", [gate, render])
def test_short_nodes_end_soon(host: RunningHost, make: Any) -> None:
    """The renderer stops between two bands, the gate between two drawings; nothing after them begins."""
    cancel(host, make(host), "2")


def test_the_host_works_on_after_a_cancel(host: RunningHost) -> None:
    cancel(host, snap(host), "2")
    graph = workflow()
    graph["1"] = {"class_type": "VectraHubTest_Batch", "inputs": {"count": 1, "width": 64, "height": 48}}
    assert len(run(host, graph).svgs) == 1
