"""Cancelling in the middle of each long node: the host is free again within a second.

ESRGAN12MP with a network: tests/nodes/test_upscale.py.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.tests.host.runs import Graph, busy, history, run, submit, workflow
from vectrahub.tests.host_fixture import RunningHost

SIDE = 3464  # 12 MP
_salt = itertools.count(1)  # the host caches what it has computed


def limit() -> float:
    """1 s, and as much more as the machine is overloaded."""
    return 1.0 + max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1) - 0.75)


def picture(patch: int = 24, side: int = SIDE) -> dict[str, Any]:
    """Random patches in 24 colours."""
    inputs = {"width": side, "height": side, "patch": patch, "salt": next(_salt)}
    return {"class_type": "VectraHubTest_Busy", "inputs": inputs}


def vectrahub(kind: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": f"VectraHub_{kind}", "inputs": inputs}


def defaults(host: RunningHost, kind: str) -> dict[str, Any]:
    """The default of every required input that has one."""
    schema = httpx.get(f"{host.url}/object_info/VectraHub_{kind}", timeout=20, trust_env=False).json()
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


def wait_for_node(host: RunningHost, job: str, node: str, seconds: float) -> None:
    """Until the job is at `node`, by the host's own progress messages in its log of events."""
    deadline = time.monotonic() + seconds
    marker = f"running {node} of {job}"
    while time.monotonic() < deadline:
        if history(host, job) is not None:
            pytest.skip(f"it was over before it could be cancelled ({marker})")
        time.sleep(0.05)


def cancel_after(host: RunningHost, graph: Graph, seconds: float) -> float:
    """Seconds from the interrupt until nothing runs; the job must still have been at work."""
    job = submit(host, graph)
    wait_for_node(host, job, "2", seconds)
    asked = time.monotonic()
    httpx.post(f"{host.url}/interrupt", timeout=30, trust_env=False).raise_for_status()
    while busy(host) and time.monotonic() - asked < 30:
        time.sleep(0.01)
    took = time.monotonic() - asked
    entry = history(host, job)
    assert entry is not None and any(kind == "execution_interrupted" for kind, _ in entry["status"]["messages"])
    return took


@pytest.mark.parametrize("after", [1.5, 3.0])
@pytest.mark.parametrize("make", [snap, trace("refit"), trace("spline")], ids=["snap", "refit", "spline"])
def test_cancel_in_the_middle(host: RunningHost, make: Any, after: float) -> None:
    before = set(Path(tempfile.gettempdir()).glob("vectrahub-*"))
    took = cancel_after(host, make(host), after)
    assert took < limit()
    left = set(Path(tempfile.gettempdir()).glob("vectrahub-*")) - before
    deadline = time.monotonic() + 5
    while (left := {path for path in left if path.exists() and "-host-" not in path.name}) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert not list(host.output.rglob("cancelled/*"))


def test_the_host_works_on_after_a_cancel(host: RunningHost) -> None:
    cancel_after(host, snap(host), 1.5)
    graph = workflow()
    graph["1"] = {"class_type": "VectraHubTest_Batch", "inputs": {"count": 1, "width": 64, "height": 48}}
    assert len(run(host, graph).svgs) == 1
