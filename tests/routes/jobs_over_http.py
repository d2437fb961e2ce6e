"""Graphs and requests for the tests of the job API on the real host."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from vectrahub.tests.host_fixture import RunningHost

V1 = "/vectrahub/v1"


def graph(seconds: float = 0.0, color: int = 1, fail: str = "") -> dict[str, Any]:
    """A picture that takes its time, saved; salted, so that no cache answers."""
    made = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": color}},
        "2": {
            "class_type": "VectraHubTest_Sleep",
            "inputs": {"image": ["1", 0], "seconds": seconds, "salt": time.time_ns() % 1_000_000},
            "_meta": {"title": "Sleep"},
        },
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": "x"},
            "_meta": {"title": "Save"},
        },
    }
    if fail:
        made["4"] = {"class_type": "VectraHubTest_Fail", "inputs": {"image": ["1", 0], "reason": fail}}
        made["3"]["inputs"]["images"] = ["4", 0]
    return made


def order(**how: Any) -> dict[str, Any]:
    return {"params": {"workflow": graph(**how)}}


def ask(host: RunningHost, method: str, path: str, **how: Any) -> httpx.Response:
    return httpx.request(method, host.url + V1 + path, timeout=60, trust_env=False, **how)


def ended(host: RunningHost, job_id: str, seconds: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job = ask(host, "GET", f"/jobs/{job_id}").json()
        if job["finished_at"]:
            return job
        time.sleep(0.05)
    raise TimeoutError(f"{job} after {seconds} s:\n{host.tail()}")


def events(host: RunningHost, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The server-sent events to the end of the stream."""
    with httpx.stream("GET", f"{host.url}{V1}/jobs/{job_id}/events", timeout=60, trust_env=False) as answer:
        kind = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield kind, json.loads(line.removeprefix("data: "))
