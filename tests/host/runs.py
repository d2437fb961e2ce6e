"""Runs graphs on the session's host as any HTTP client would, and says how they ended."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from vectrahub.engine.svg.render import render
from vectrahub.tests.host_fixture import ROOT, RunningHost

Graph = dict[str, dict[str, Any]]

# Titles of workflows/api/vectorize.json to the ids in it.
_SHIPPED: Graph = json.loads((ROOT / "workflows" / "api" / "vectorize.json").read_text(encoding="utf-8"))
ID = {node["_meta"]["title"]: number for number, node in _SHIPPED.items()}


@dataclass(frozen=True)
class Outcome:
    """entry: the job's history. problem: the host's execution_error message, None when it went well."""

    entry: dict[str, Any]
    problem: dict[str, Any] | None
    host: RunningHost

    @property
    def error(self) -> str:
        """The error with the node that it is about."""
        assert self.problem is not None, self.entry["status"]
        return f"{self.problem['node_id']} {self.problem['node_type']}: {self.problem['exception_message']}"

    def report(self, title: str, image: int = 0) -> dict[str, Any]:
        assert self.problem is None, self.problem
        return json.loads(self.entry["outputs"][ID[title]]["vectrahub_report"][0])["images"][image]

    @property
    def svgs(self) -> list[bytes]:
        assert self.problem is None, self.problem
        files = self.entry["outputs"][ID["Save"]]["images"]
        return [(self.host.output / file["subfolder"] / file["filename"]).read_bytes() for file in files]

    def rendered(self, width: int, height: int, image: int = 0) -> np.ndarray:
        """(height, width, 4) bytes, straight alpha."""
        return render(self.svgs[image], width, height)


def workflow(image: str = "example.png", **settings: object) -> Graph:
    """The shipped graph as a small draft; settings are Title__input=value."""
    graph: Graph = json.loads(json.dumps(_SHIPPED))
    graph[ID["Image"]]["inputs"]["image"] = image
    graph[ID["Upscale"]]["inputs"]["megapixels"] = 0.5
    for name, value in settings.items():
        title, key = name.split("__")
        graph[ID[title]]["inputs"][key] = value
    return graph


def post(host: RunningHost, graph: object, **body: object) -> httpx.Response:
    return httpx.post(f"{host.url}/prompt", json={"prompt": graph, **body}, timeout=60, trust_env=False)


def submit(host: RunningHost, graph: Graph) -> str:
    answer = post(host, graph)
    assert answer.status_code == 200, answer.text
    return answer.json()["prompt_id"]


def history(host: RunningHost, job: str) -> dict[str, Any] | None:
    return httpx.get(f"{host.url}/history/{job}", timeout=60, trust_env=False).json().get(job)


def wait(host: RunningHost, job: str, seconds: float = 240) -> Outcome:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        entry = history(host, job)
        if entry is not None:
            failures = [body for kind, body in entry["status"]["messages"] if kind == "execution_error"]
            return Outcome(entry, failures[0] if failures else None, host)
        time.sleep(0.05)
    raise TimeoutError(f"job {job} not done after {seconds} s:\n{host.tail()}")


def run(host: RunningHost, graph: Graph, seconds: float = 240) -> Outcome:
    return wait(host, submit(host, graph), seconds)


def refusal(host: RunningHost, graph: object) -> str:
    """What /prompt answers to a graph that it must not take."""
    answer = post(host, graph)
    assert answer.status_code == 400, answer.text
    return answer.text


def free(host: RunningHost, **what: bool) -> None:
    """POST /free. The host does it between two jobs; once this one of nothing is done, the next comes after it."""
    httpx.post(f"{host.url}/free", json=what, timeout=60, trust_env=False).raise_for_status()
    blank = {"width": 8, "height": 8, "batch_size": 1, "color": 0}
    run(
        host,
        {
            "1": {"class_type": "EmptyImage", "inputs": blank},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        },
    )


def busy(host: RunningHost) -> int:
    """Jobs that run or wait."""
    queue = httpx.get(f"{host.url}/queue", timeout=60, trust_env=False).json()
    return len(queue["queue_running"]) + len(queue["queue_pending"])
