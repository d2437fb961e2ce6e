"""Jobs through the API of a running host, as any HTTP client orders them, and small graphs to order."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import httpx
from PIL import Image, ImageDraw

from vectrahub.tests.host.runs import Graph
from vectrahub.tests.host_fixture import RunningHost

API = "vectrahub/v1"


def call(host: RunningHost, method: str, path: str, **more: Any) -> httpx.Response:
    return httpx.request(method, f"{host.url}/{path}", timeout=120, trust_env=False, **more)


def order(host: RunningHost, graph: Graph, wait: float = 0, **more: Any) -> dict[str, Any]:
    answer = call(host, "POST", f"{API}/workflows?wait={wait:g}", json={"params": {"workflow": graph}, **more})
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


def look(host: RunningHost, job_id: str) -> dict[str, Any]:
    return call(host, "GET", f"{API}/jobs/{job_id}").json()


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it does not come to be"
        time.sleep(0.05)


def picture(color: int, prefix: str = "somewhere/else/tiny") -> Graph:
    sides = {"width": 8, "height": 8, "batch_size": 2, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": sides, "_meta": {"title": "Picture"}},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": prefix},
            "_meta": {"title": "Keep"},
        },
    }


def nap(seconds: float, salt: int) -> Graph:
    graph = picture(salt)
    graph["3"] = {
        "class_type": "VectraHubTest_Sleep",
        "inputs": {"image": ["1", 0], "seconds": seconds, "salt": salt},
        "_meta": {"title": "Nap"},
    }
    graph["2"]["inputs"]["images"] = ["3", 0]
    return graph


def drawing() -> bytes:
    image = Image.new("RGB", (96, 96), "white")
    ImageDraw.Draw(image).ellipse((16, 16, 80, 80), fill="#C03020")
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
