"""ClipRouter in the real host."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from vectrahub.engine.networks import router_clip
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.router_drawings import line_drawing, mark
from vectrahub.tests.tiny_clip import write_tiny_clip

pytestmark = pytest.mark.host

NODE = "VectraHub_ClipRouter"
WEIGHTS = Path("clip_vision") / "ViT-B-32-openai.safetensors"


def save(host: RunningHost, name: str, rgb: np.ndarray, alpha: np.ndarray | None = None) -> str:
    picture = Image.fromarray(rgb)
    if alpha is not None:
        picture.putalpha(Image.fromarray(alpha))
    picture.save(host.input / name)
    return name


def run(host: RunningHost, file: str, mask: bool = False, **inputs: Any) -> dict[str, Any]:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": file}},
        "2": {"class_type": NODE, "inputs": {"image": ["1", 0], "method": "auto", "force": "none", **inputs}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["2", 1]}},
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}},
    }
    if mask:
        graph["2"]["inputs"]["mask"] = ["1", 1]
    job = httpx.post(f"{host.url}/prompt", json={"prompt": graph}, timeout=60).raise_for_status().json()["prompt_id"]
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        entry = httpx.get(f"{host.url}/history/{job}", timeout=60).json().get(job)
        if entry:
            return entry
        time.sleep(0.05)
    raise TimeoutError(job)


def outputs(entry: dict[str, Any]) -> tuple[str, float, dict[str, float], dict[str, Any]]:
    assert entry["status"]["status_str"] == "success", entry["status"]
    route, confidence, scores = (entry["outputs"][node]["text"][0] for node in "345")
    report = json.loads(entry["outputs"]["2"]["vectrahub_report"][0])
    return route, float(confidence), json.loads(scores), report["images"][0]


def error(entry: dict[str, Any]) -> str:
    return next(data["exception_message"] for kind, data in entry["status"]["messages"] if kind == "execution_error")


def test_without_weights_auto_measures_and_says_why(host):
    route, confidence, scores, image = outputs(run(host, save(host, "lines.png", line_drawing())))
    assert route == "line_art"
    assert confidence == pytest.approx(max(scores.values()), abs=1e-3)
    assert image["engine"] == "features"
    assert "not installed here" in image["reason"]


def test_a_transparent_logo_goes_by_its_mask(host):
    cover = 255 - mark(ink=(0, 0, 0))[..., 0]
    file = save(host, "mark.png", np.full((256, 256, 3), 255, np.uint8), cover)
    assert outputs(run(host, file, mask=True))[0] == "logo"


def test_force_overrides(host):
    route, confidence, scores, _ = outputs(run(host, save(host, "forced.png", line_drawing()), force="illustration"))
    assert (route, confidence, scores["illustration"]) == ("illustration", 1.0, 1.0)


def test_clip_without_weights_names_what_to_do(host):
    text = error(run(host, save(host, "clip.png", mark()), method="clip"))
    assert "pip install open_clip_torch" in text or "models get clip-vit-b-32" in text


@pytest.mark.skipif(
    router_clip.find_spec("open_clip") is None, reason="the optional package open_clip_torch is not installed"
)
def test_with_weights_auto_takes_clip_and_damaged_weights_are_no_reason_to_fall_back(host):
    path = host.models / WEIGHTS
    file = save(host, "seen.png", mark())
    try:
        write_tiny_clip(path)
        route, _, scores, image = outputs(run(host, file))
        assert image["engine"] == "clip"
        assert route == max(scores, key=scores.__getitem__)
        assert sum(scores.values()) == pytest.approx(1, abs=1e-3)
        path.write_bytes(path.read_bytes()[:1000])
        text = error(run(host, save(host, "again.png", line_drawing())))
        assert "models get clip-vit-b-32" in text
    finally:
        path.unlink(missing_ok=True)
