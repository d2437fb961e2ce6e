"""ESRGAN12MP in the real host."""

import json
import time
import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.host.events import cancel
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.rrdbnet import write_rrdbnet

pytestmark = pytest.mark.host

NODE = "VectraHub_ESRGAN12MP"


def run(host: RunningHost, graph: dict[str, Any], seconds: float = 240) -> dict[str, Any]:
    """The job's history entry, when it has ended."""
    job = httpx.post(f"{host.url}/prompt", json={"prompt": graph}, timeout=60).raise_for_status().json()["prompt_id"]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        entry = httpx.get(f"{host.url}/history/{job}", timeout=60).json().get(job)
        if entry:
            return entry
        time.sleep(0.05)
    raise TimeoutError(f"job {job} not done after {seconds} s")


def graph(source: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return {
        "1": source,
        "2": {"class_type": NODE, "inputs": {"image": ["1", 0], "upscaler": "auto", "megapixels": 12.0, **inputs}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        "4": {"class_type": "MaskToImage", "inputs": {"mask": ["2", 1]}},
        "5": {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}},
    }


def empty(width: int, height: int, batch: int = 1) -> dict[str, Any]:
    inputs = {"width": width, "height": height, "batch_size": batch, "color": 0x336699}
    return {"class_type": "EmptyImage", "inputs": inputs}


def report(entry: dict[str, Any]) -> dict[str, Any]:
    assert entry["status"]["status_str"] == "success", entry["status"]
    return json.loads(entry["outputs"]["2"]["vectrahub_report"][0])


def pictures(host: RunningHost, entry: dict[str, Any], node: str) -> list[np.ndarray]:
    files = [
        httpx.get(f"{host.url}/view", params=file, timeout=60).content for file in entry["outputs"][node]["images"]
    ]
    return [np.asarray(Image.open(BytesIO(file)).convert("RGB")) for file in files]


def error(entry: dict[str, Any]) -> str:
    (message,) = [body for kind, body in entry["status"]["messages"] if kind == "execution_error"]
    assert message["node_id"] == "2"
    return message["exception_message"]


@pytest.fixture
def weights(host: RunningHost) -> str:
    """A tiny x2 RRDBNet in the host's upscale models, under a fresh name: the host caches its listing."""
    folder = host.models / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    return write_rrdbnet(folder / f"Tiny_x2_{uuid.uuid4().hex[:8]}.safetensors", 2).name


def test_lanczos_to_12_megapixels(host: RunningHost) -> None:
    entry = run(host, graph(empty(512, 512)))
    (figures,) = report(entry)["images"]
    assert figures["engine"] == "lanczos" and figures["reason"].startswith("auto: ")
    assert (figures["size_in"], figures["size_out"]) == ([512, 512], [3464, 3464])
    assert figures["passes"] == ["resize 3464x3464"]
    (picture,) = pictures(host, entry, "3")
    assert picture.shape == (3464, 3464, 3) and (picture == (0x33, 0x66, 0x99)).all()


def test_anime_says_why_it_is_lanczos(host: RunningHost) -> None:
    (figures,) = report(run(host, graph(empty(64, 48), upscaler="anime", megapixels=0.25)))["images"]
    assert figures["engine"] == "lanczos" and figures["reason"].startswith("anime: no RealESRGAN_x4plus_anime_6B")


def test_batch_of_three_with_one_mask(host: RunningHost) -> None:
    mask = {"class_type": "SolidMask", "inputs": {"value": 0.25, "width": 30, "height": 20}}
    body = graph(empty(60, 40, batch=3), megapixels=0.5, mask=["6", 0]) | {"6": mask}
    entry = run(host, body)
    assert len(report(entry)["images"]) == 3
    masks = pictures(host, entry, "5")
    assert len(masks) == 3 and all(abs(int(plane.mean()) - 64) <= 1 for plane in masks)


def test_network_by_name_on_the_cpu(host: RunningHost, weights: str) -> None:
    entry = run(host, graph(empty(96, 64), upscaler=weights, megapixels=0.25))
    (figures,) = report(entry)["images"]
    assert figures["engine"] == weights and figures["reason"] == "chosen by name"
    assert [step.split()[0] for step in figures["passes"]] == ["network", "network", "resize"]
    assert figures["tile"] == 512
    (picture,) = pictures(host, entry, "3")
    assert picture.shape == (figures["size_out"][1], figures["size_out"][0], 3)


def test_auto_leaves_the_network_alone_on_a_cpu(host: RunningHost, weights: str) -> None:
    devices = httpx.get(f"{host.url}/system_stats", timeout=60).json()["devices"]
    if any(device["type"] != "cpu" for device in devices):
        pytest.skip("the host has a GPU")
    (figures,) = report(run(host, graph(empty(64, 64), megapixels=0.5)))["images"]
    assert figures["engine"] == "lanczos" and "no GPU" in figures["reason"]


def test_a_file_that_is_no_upscaler(host: RunningHost, weights: str) -> None:
    broken = Path(host.models / "upscale_models" / f"broken_{uuid.uuid4().hex[:8]}.pth")
    broken.write_bytes(b"not weights at all")
    assert "is no upscaler" in error(run(host, graph(empty(8, 8), upscaler=broken.name)))


@pytest.mark.parametrize("inputs", [{"upscaler": "missing_x2.pth"}, {"megapixels": 0.0}, {"megapixels": 1000.0}])
def test_values_outside_the_schema_are_refused(host: RunningHost, inputs: dict[str, Any]) -> None:
    reply = httpx.post(f"{host.url}/prompt", json={"prompt": graph(empty(8, 8), **inputs)}, timeout=60)
    assert reply.status_code == 400
    assert next(iter(inputs)) in json.dumps(reply.json()["node_errors"]["2"])


def test_cancel_in_the_middle(host: RunningHost) -> None:
    folder = host.models / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    slow = write_rrdbnet(folder / f"Slow_x2_{uuid.uuid4().hex[:8]}.safetensors", 2, blocks=12).name
    cancel(host, graph(empty(1400, 1400), upscaler=slow), "2")
