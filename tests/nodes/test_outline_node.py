"""SVGOutline on the real host, between SVG Finish and Render SVG."""

import json
import time
from typing import Any

import cv2
import httpx
import pytest

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100" viewBox="0 0 100 100">'
SQUARE = '<path d="M20 20h60v60H20z" fill="#E30613"/>'
ROD = '<path d="M10 92h80v4H10z" fill="#0055AA"/>'


def run(host: Any, **inputs: Any) -> tuple[dict[str, Any], str]:
    """The outputs of load -> finish -> outline -> save and render -> save, and the error of a run that failed."""
    steps = {
        "load": ("VectraHub_SVGLoad", {"file": "lines.svg"}),
        "finish": ("VectraHub_SVGFinish", {"svg": ["load", 0], "background": "keep", "precision": -1}),
        "outline": ("VectraHub_SVGOutline", {"svg": ["finish", 0], **DEFAULTS, **inputs}),
        "save": (
            "VectraHub_SVGSave",
            {"svg": ["outline", 0], "filename_prefix": "outline/lines", "include_workflow": False},
        ),
        "render": ("VectraHub_SVGRender", {"svg": ["outline", 0], "width": 400, "renderer": "resvg"}),
        "show": ("SaveImage", {"images": ["render", 0], "filename_prefix": "outline/lines"}),
    }
    graph = {name: {"class_type": kind, "inputs": values} for name, (kind, values) in steps.items()}
    answer = httpx.post(f"{host.url}/prompt", json={"prompt": graph}, timeout=60)
    if answer.status_code != 200:
        return {}, answer.text
    identity = answer.json()["prompt_id"]
    for _ in range(2400):
        history = httpx.get(f"{host.url}/history/{identity}", timeout=60).json().get(identity)
        if history is not None:
            failures = [m[1]["exception_message"] for m in history["status"]["messages"] if m[0] == "execution_error"]
            return history["outputs"], failures[0] if failures else ""
        time.sleep(0.1)
    raise TimeoutError(host.tail())


DEFAULTS = {"width": 2.0, "color": "#000000", "centrelines": False, "drop_hidden": True}


@pytest.fixture(scope="module")
def files(host: Any) -> Any:
    (host.input / "lines.svg").write_text(f"{HEAD}{SQUARE}{SQUARE}<path d='M30 30h9v9z' fill='#E30613'/>{ROD}</svg>")
    return host


def test_outlines_centrelines_and_figures(files: Any) -> None:
    outputs, _ = run(files, centrelines=True)
    report = json.loads(outputs["outline"]["vectrahub_report"][0])
    figures = report["images"][0]
    assert report["stage"] == "outline" and report["ms"] >= 0
    wanted = {"shapes": 2, "duplicates": 1, "contained": 1, "outlined": 2, "centrelines": 1, "structured": False}
    assert wanted.items() <= figures.items() and abs(figures["centreline_px"] - 80) <= 2
    saved = outputs["save"]["images"][0]
    text = (files.output / saved["subfolder"] / saved["filename"]).read_text()
    assert text.count("non-scaling-stroke") == 2 and '<g id="centrelines"' in text
    shown = outputs["show"]["images"][0]
    picture = cv2.imread(str(files.output / shown["subfolder"] / shown["filename"]))
    assert picture is not None and picture.shape[:2] == (400, 400)
    assert (picture[200].max(axis=1) < 60).sum() == 4  # 2 px on both sides, at four times the size


def test_nothing_asked_for_changes_nothing(files: Any) -> None:
    outputs, _ = run(files, width=0.0, drop_hidden=False)
    figures = json.loads(outputs["outline"]["vectrahub_report"][0])["images"][0]
    assert (figures["shapes"], figures["outlined"], figures["duplicates"]) == (4, 0, 0)
    saved = outputs["save"]["images"][0]
    assert "stroke" not in (files.output / saved["subfolder"] / saved["filename"]).read_text()


@pytest.mark.parametrize(("inputs", "message"), [({"color": "black-ish"}, "Not a colour"), ({"width": 101.0}, "max")])
def test_values_that_are_refused(files: Any, inputs: dict[str, Any], message: str) -> None:
    assert message in run(files, **inputs)[1]
