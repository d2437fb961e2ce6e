"""Silhouette Gate in the real host: attempts are the workflow's own nodes again, with real ControlNets."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import Graph, Outcome, run
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host

GATE, SAVE, REPORT = "20", "21", "22"
NOTES = 0.005  # two pixels of each drawing are notes of its strengths


@pytest.fixture(scope="module", autouse=True)
def pictures(host: RunningHost) -> None:
    pixels = np.full((64, 128, 3), 255, np.uint8)
    pixels[16:48, 32:96] = (200, 20, 20)
    Image.fromarray(pixels).save(host.input / "silhouette.png")
    Image.fromarray(pixels[::2, ::2]).save(host.input / "silhouette_small.png")
    Image.new("RGB", (128, 64), "white").save(host.input / "silhouette_none.png")


def attempts(enough: float, image: str = "silhouette.png", **gate: Any) -> Graph:
    """Drawings that are wide enough from a depth strength of `enough` on."""
    strengths = {
        name: gate.pop(name) for name in ("depth", "canny", "step", "depth_limit", "canny_limit") if name in gate
    }
    return {
        "1": node("Photo", "LoadImage", image=image),
        "2": node("Cutter", "VectraHubTest_Foreground"),
        "3": node("Original", "RemoveBackground", bg_removal_model=["2", 0], image=["1", 0]),
        "4": node("Tiny", "VectraHubTest_TinySDXL", seed=0),
        "5": node("Words", "CLIPTextEncode", clip=["4", 1], text="a car"),
        "6": node(
            *("Strengths", "VectraHub_SilhouetteStrengths"),
            **{"depth": 0.6, "canny": 0.4, "step": 0.1, "depth_limit": 0.9, "canny_limit": 0.7, **strengths},
        ),
        "7": node("Net", "VectraHubTest_TinyControlNet", family="sdxl", seed=0),
        "8": applied("Depth", ["5", 0], ["5", 0], ["6", 0]),
        "9": applied("Canny", ["8", 0], ["8", 1], ["6", 1]),
        "10": node("Canvas", "EmptyLatentImage", width=128, height=64, batch_size=1),
        "11": node("Sample", "VectraHubTest_Sampler", positive=["9", 0], latent_image=["10", 0], enough=enough),
        "12": node("Decode", "VectraHubTest_Decoder", samples=["11", 0]),
        "13": node("Result", "RemoveBackground", bg_removal_model=["2", 0], image=["12", 0]),
        GATE: node(
            *("Gate", "VectraHub_SilhouetteGate"),
            **{"original": ["3", 0], "image": ["12", 0], "mask": ["13", 0]},
            **{"threshold": 0.85, "retries": 2, "allow_skip_on_failure": True, **gate},
        ),
        SAVE: node("Save", "SaveImage", images=[GATE, 0], filename_prefix="silhouette"),
        REPORT: node("Text", "PreviewAny", source=[GATE, 3]),
    }


def applied(title: str, positive: list[Any], negative: list[Any], strength: list[Any]) -> dict[str, Any]:
    return node(
        *(title, "ControlNetApplyAdvanced"),
        **{"positive": positive, "negative": negative, "control_net": ["7", 0], "image": ["1", 0]},
        **{"strength": strength, "start_percent": 0.0, "end_percent": 1.0},
    )


def told(outcome: Outcome) -> dict[str, Any]:
    assert outcome.problem is None, outcome.error
    return json.loads(outcome.entry["outputs"][REPORT]["text"][0])["images"][0]


def strengths_in(outcome: Outcome) -> list[int]:
    """Depth and canny in hundredths, as the saved attempt was drawn with."""
    (file,) = outcome.entry["outputs"][SAVE]["images"]
    pixels = np.asarray(Image.open(outcome.host.output / file["filename"]).convert("RGB"))
    return [round(float(value) / 2.55) for value in pixels[-1, -1:-3:-1, 0]]


def test_what_fails_twice_and_then_passes(host: RunningHost) -> None:
    heard = listen(host, attempts(0.8))
    report = told(heard.outcome)
    assert [attempt["iou"][0] for attempt in report["attempts"]] == pytest.approx([0.406, 0.703, 1.0], abs=NOTES)
    assert [attempt["strengths"] for attempt in report["attempts"]] == [[[0.6, 0.4]], [[0.7, 0.5]], [[0.8, 0.6]]]
    assert (report["passed"], report["chosen"], report["reason"]) == (True, 3, "passed")
    assert strengths_in(heard.outcome) == [80, 60], "the picture is that of the attempt that passed"
    # Each attempt is the user's own nodes; what does not follow from the strengths runs once.
    assert [heard.ran.count(title) for title in ("Sample", "Decode", "Result", "Depth", "Canny")] == [3] * 5
    assert [heard.ran.count(title) for title in ("Photo", "Original", "Words", "Net", "Tiny", "Canvas")] == [1] * 6
    by_node = heard.outcome.entry["outputs"]
    (answer,) = [key for key, output in by_node.items() if "vectrahub_report" in output]
    assert heard.outcome.entry["meta"][answer]["display_node"] == GATE


def test_what_passes_is_not_tried_again(host: RunningHost) -> None:
    heard = listen(host, attempts(0.55))
    assert heard.ran.count("Sample") == 1
    (attempt,) = told(heard.outcome)["attempts"]
    assert [attempt["foreground"][0], attempt["iou"][0]] == pytest.approx([0.25, 1.0], abs=NOTES)


def test_the_best_attempt_comes_when_none_passes(host: RunningHost) -> None:
    outcome = run(host, attempts(0.85))
    report = told(outcome)
    assert (report["passed"], report["chosen"], report["reason"]) == (False, 3, "no retries left")
    assert strengths_in(outcome) == [80, 60]


def test_an_error_when_the_best_is_not_wanted(host: RunningHost) -> None:
    error = run(host, attempts(0.99, allow_skip_on_failure=False, retries=1)).error
    assert "VectraHub_Silhouette" in error
    assert "got IoU 0.1" in error and "the best of 2 attempts" in error and "at least 0.85" in error
    assert "allow_skip_on_failure" in error


def test_a_limit_ends_it(host: RunningHost) -> None:
    """Depth may go to 0.65, canny not beyond its 0.4: after one step there is nothing to raise."""
    report = told(run(host, attempts(0.9, retries=9, depth_limit=0.65, canny_limit=0.3)))
    assert [attempt["strengths"] for attempt in report["attempts"]] == [[[0.6, 0.4]], [[0.65, 0.4]]]
    assert report["reason"] == "the strengths cannot rise any more"


def test_without_strengths_there_is_nothing_to_raise(host: RunningHost) -> None:
    graph = attempts(0.8)
    graph["8"]["inputs"]["strength"], graph["9"]["inputs"]["strength"] = 0.6, 0.4
    del graph["6"]
    report = told(run(host, graph))
    assert report["reason"] == "no Silhouette Strengths before the picture, or another gate between: nothing to raise"


def test_sizes_need_not_be_equal(host: RunningHost) -> None:
    report = told(run(host, attempts(0.55, image="silhouette_small.png")))
    assert report["attempts"][0]["iou"][0] == pytest.approx(1.0, abs=NOTES)


def test_a_photo_without_a_vehicle_is_not_tried_again(host: RunningHost) -> None:
    heard = listen(host, attempts(0.8, image="silhouette_none.png"))
    report = told(heard.outcome)
    assert heard.ran.count("Sample") == 1 and not report["passed"]
    assert report["reason"] == "the photo has no foreground: no silhouette to keep"
    error = run(host, attempts(0.8, image="silhouette_none.png", allow_skip_on_failure=False)).error
    assert "VectraHub_SilhouetteGate" in error and "no foreground" in error and "leave this phase out" in error


def test_another_threshold_finds_the_attempts_again(host: RunningHost) -> None:
    run(host, attempts(0.8, threshold=0.91))
    heard = listen(host, attempts(0.8, threshold=0.92))
    assert told(heard.outcome)["chosen"] == 3 and "Sample" not in heard.ran


def test_a_batch_is_judged_by_its_worst(host: RunningHost) -> None:
    graph = attempts(0.8)
    graph["10"]["inputs"]["batch_size"] = 2
    report = told(run(host, graph))
    assert [len(attempt["iou"]) for attempt in report["attempts"]] == [2, 2, 2] and report["passed"]
    graph["13"]["inputs"]["image"] = ["1", 0]
    error = run(host, graph).error
    assert "'mask' does not fit the pictures: got 1 masks, allowed 2" in error


def test_a_gate_ends_the_search_of_the_one_behind_it(host: RunningHost) -> None:
    graph = attempts(0.8, threshold=0.93)
    graph["30"] = {**graph[GATE], "_meta": {"title": "Second gate"}}
    graph["30"]["inputs"] = {**graph[GATE]["inputs"], "image": [GATE, 0], "mask": [GATE, 1], "threshold": 1.0}
    graph["31"] = node("Save second", "SaveImage", images=["30", 0], filename_prefix="second")
    graph["32"] = node("Second text", "PreviewAny", source=["30", 3])
    heard = listen(host, graph)
    second = json.loads(heard.outcome.entry["outputs"]["32"]["text"][0])["images"][0]
    assert heard.ran.count("Sample") == 3 and len(second["attempts"]) == 1
    assert "another gate between" in second["reason"]


def test_the_same_again_is_cached(host: RunningHost) -> None:
    graph = attempts(0.8, threshold=0.86)
    run(host, graph)
    heard = listen(host, graph)
    assert "Sample" not in heard.ran
