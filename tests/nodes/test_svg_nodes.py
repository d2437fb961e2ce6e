"""SVGQualityGate, SVGFinish, SVGLoad, SVGRender and SVGSave on the real host."""

import json
import time
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
GOOD = '<rect width="100" height="100" fill="#fff"/><circle onclick="evil()" cx="50" cy="50" r="30" fill="#E30613"/>'
BAD = '<rect width="100" height="100" fill="#00f"/><circle cx="50" cy="50" r="9"/>'


def node(name: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": f"VectraHub_{name}", "inputs": inputs}


@pytest.fixture(scope="module")
def files(host: Any) -> Any:
    (host.input / "good.svg").write_text(f"{HEAD}{GOOD}<script>evil()</script></svg>")
    (host.input / "bad.svg").write_text(f"{HEAD}{BAD}</svg>")
    picture = np.full((300, 300, 3), 255, np.uint8)
    cv2.circle(picture, (150, 150), 90, (0x13, 6, 0xE3), -1, cv2.LINE_AA)
    cv2.imwrite(str(host.input / "dot.png"), picture)
    return host


def run(host: Any, graph: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a graph; {'error': text} when it fails."""
    answer = httpx.post(f"{host.url}/prompt", json={"prompt": graph}, timeout=60)
    if answer.status_code != 200:
        return {"error": answer.text}
    identity = answer.json()["prompt_id"]
    for _ in range(2400):
        history = httpx.get(f"{host.url}/history/{identity}", timeout=60).json().get(identity)
        if history is not None:
            failures = [m[1]["exception_message"] for m in history["status"]["messages"] if m[0] == "execution_error"]
            return {"error": failures[0]} if failures else history["outputs"]
        time.sleep(0.1)
    raise TimeoutError(host.tail())


def gate_graph(candidate: str, fallback: str, **inputs: Any) -> dict[str, Any]:
    wires = {name: [name, 0] for name, file in (("candidate", candidate), ("fallback", fallback)) if file}
    loads = {
        name: node("SVGLoad", file=file) for name, file in (("candidate", candidate), ("fallback", fallback)) if file
    }
    return {
        **loads,
        "image": {"class_type": "LoadImage", "inputs": {"image": "dot.png"}},
        "gate": node("SVGQualityGate", reference=["image", 0], **wires, **inputs),
        "finish": node("SVGFinish", svg=["gate", 0], background="remove", precision=-1, reference=["image", 0]),
        "save": node("SVGSave", svg=["finish", 0], filename_prefix="gate/d\u00e4\U0001f600", include_workflow=False),
    }


@pytest.mark.parametrize(
    ("candidate", "fallback", "inputs", "which", "passed", "asked"),
    [
        ("good.svg", "bad.svg", {}, "candidate", True, {"candidate"}),
        ("bad.svg", "good.svg", {}, "fallback", True, {"candidate", "fallback"}),
        ("good.svg", "bad.svg", {"route": "line_art"}, "fallback", False, {"fallback"}),
        (
            "bad.svg",
            "good.svg",
            {"route": "line_art", "use_candidate": "always"},
            "fallback",
            True,
            {"candidate", "fallback"},
        ),
        ("good.svg", "bad.svg", {"use_candidate": "never"}, "fallback", False, {"fallback"}),
        ("bad.svg", "", {}, "candidate", False, {"candidate"}),
        ("", "good.svg", {}, "fallback", True, {"fallback"}),
    ],
)
def test_gate(
    files: Any, candidate: str, fallback: str, inputs: dict[str, str], which: str, passed: bool, asked: set[str]
) -> None:
    outputs = run(files, gate_graph(candidate, fallback, **inputs))
    figures = json.loads(outputs["gate"]["vectrahub_report"][0])["images"][0]
    assert (figures["which"], figures["passed"]) == (which, passed)
    assert asked == {"candidate", "fallback"} & set(figures)  # what was not asked for was not paid for
    saved = outputs["save"]["images"][0]
    text = (files.output / saved["subfolder"] / saved["filename"]).read_text()
    assert saved["type"] == "output" and 'viewBox="0 0 300 300"' in text and "evil" not in text


def test_gate_without_drawings(files: Any) -> None:
    assert "no drawing to choose from" in run(files, gate_graph("", ""))["error"]


@pytest.mark.parametrize("count", [0, 1])
def test_a_candidate_that_was_not_made_is_named(files: Any, count: int) -> None:
    graph = gate_graph("good.svg", "good.svg", min_ssim=0.79 - count / 100)
    graph["candidate"] = {"class_type": "VectraHubTest_NoDrawing", "inputs": {"count": count}}
    figures = json.loads(run(files, graph)["gate"]["vectrahub_report"][0])["images"][0]
    assert (figures["which"], figures["passed"], figures["candidate"]["failed_test"]) == ("fallback", True, "none")
    assert "No candidate was made" in figures["candidate"]["reason"]
    graph["gate"]["inputs"].pop("fallback")
    assert "no drawing to choose from" in run(files, graph)["error"]


def save_graph(prefix: str, **inputs: Any) -> dict[str, Any]:
    save = node("SVGSave", svg=["load", 0], **{"filename_prefix": prefix, "include_workflow": False, **inputs})
    return {"load": node("SVGLoad", file="good.svg"), "save": save}


@pytest.mark.parametrize("prefix", ["../evil", "a/../../b", "/tmp/x", "C:\\x", "a\0b", "x" * 300, "", " . ", "a\x1bb"])
def test_names_that_are_refused(files: Any, prefix: str) -> None:
    assert "The file name cannot be used" in run(files, save_graph(prefix))["error"]


def test_names_are_made_safe_and_numbered(files: Any) -> None:
    names = [
        run(files, save_graph(prefix, include_workflow=again))["save"]["images"][0]["filename"]
        for prefix, again in [("CON", False), ("CON", True), ('a<b>:"c', False)]
    ]
    assert names == ["_CON_00001_.svg", "_CON_00002_.svg", "a_b___c_00001_.svg"]
    assert b"class_type" not in (files.output / names[0]).read_bytes()
    assert b"<metadata>" in (files.output / names[1]).read_bytes()
    assert not list(files.output.rglob("*.part"))


@pytest.mark.parametrize("file", ["../good.svg", "none.svg", "dot.png", "a\0.svg"])
def test_files_that_cannot_be_loaded(files: Any, file: str) -> None:
    graph = save_graph("x")
    graph["load"]["inputs"]["file"] = file
    assert "SVG file" in run(files, graph)["error"]


def test_render(files: Any) -> None:
    graph = save_graph("x")
    graph["render"] = node("SVGRender", svg=["load", 0], width=50, renderer="resvg")
    graph["show"] = {"class_type": "SaveImage", "inputs": {"images": ["render", 0], "filename_prefix": "render"}}
    name = run(files, graph)["show"]["images"][0]["filename"]
    picture = cv2.imread(str(files.output / name))
    assert picture is not None and picture.shape == (50, 50, 3) and picture[25, 25].tolist() == [0x13, 6, 0xE3]
    graph["render"]["inputs"]["width"] = 16000
    assert "out of range" in run(files, graph)["error"]


def test_one_drawing_per_image(files: Any) -> None:
    graph = gate_graph("good.svg", "bad.svg")
    graph["two"] = {"class_type": "RepeatImageBatch", "inputs": {"image": ["image", 0], "amount": 2}}
    graph["gate"]["inputs"]["reference"] = ["two", 0]
    assert "1 drawings, allowed 2, one per image" in run(files, graph)["error"]
