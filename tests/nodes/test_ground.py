"""BackgroundToAlpha on the real host."""

import json
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.drawn_art import drawing_with_alpha
from vectrahub.tests.host.runs import Outcome, run
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host

RING = '<circle cx="64" cy="64" r="40" fill="none" stroke="#0A7D5A" stroke-width="16"/>'


def core(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def graph(source: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    settings = {"background": "outside", "tolerance": -1.0, "image": ["1", 0], **inputs}
    return {
        "1": source,
        "2": core("VectraHub_BackgroundToAlpha", **settings),
        "3": core("PreviewImage", images=["2", 0]),
        "4": core("MaskToImage", mask=["2", 1]),
        "5": core("PreviewImage", images=["4", 0]),
        "6": core("JoinImageWithAlpha", image=["2", 0], alpha=["2", 1]),
        "7": core("PreviewImage", images=["6", 0]),
    }


def ring(host: RunningHost, ground: tuple[int, int, int] = (244, 241, 234)) -> tuple[dict[str, Any], np.ndarray]:
    """LoadImage of a ring on a ground, and the ring's true alpha."""
    colors, alpha = drawing_with_alpha(RING, 128)
    picture = np.rint(colors * alpha[..., None] + np.array(ground) * (1 - alpha[..., None])).astype(np.uint8)
    name = "ring on {:02x}{:02x}{:02x}.png".format(*ground)
    Image.fromarray(picture).save(host.input / name)
    return core("LoadImage", image=name), alpha


def batch(count: int) -> dict[str, Any]:
    return core("VectraHubTest_Batch", count=count, width=64, height=48)


def reports(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.problem is None, outcome.problem
    return json.loads(outcome.entry["outputs"]["2"]["vectrahub_report"][0])["images"]


def pictures(outcome: Outcome, node: str, mode: str = "RGB") -> list[np.ndarray]:
    assert outcome.problem is None, outcome.problem
    url = f"{outcome.host.url}/view"
    answers = [
        httpx.get(url, params=file, trust_env=False, timeout=60) for file in outcome.entry["outputs"][node]["images"]
    ]
    return [np.asarray(Image.open(BytesIO(answer.content)).convert(mode)) for answer in answers]


def test_a_logo_on_off_white_becomes_a_png_with_real_alpha(host: RunningHost) -> None:
    source, alpha = ring(host)
    outcome = run(host, graph(source, background="everywhere"))
    (figures,) = reports(outcome)
    assert figures["ground"] == "#F4F1EA" and figures["reason"] == "removed: #F4F1EA, everywhere"
    assert figures["share"] == pytest.approx((alpha < 0.5).mean(), abs=0.01)
    (saved,) = pictures(outcome, "7", "RGBA")
    assert np.abs(saved[..., 3] / 255 - alpha).mean() < 0.005
    assert np.abs(saved[..., :3][alpha > 0.1].astype(int) - (10, 125, 90)).max() <= 25


def test_the_hole_stays_outside_and_keep_changes_nothing(host: RunningHost) -> None:
    source, _ = ring(host)
    (mask,) = pictures(run(host, graph(source)), "5")
    assert mask[0, 0].tolist() == [255] * 3 and mask[64, 64].tolist() == [0] * 3
    outcome = run(host, graph(source, background="keep"))
    (mask,), (image,) = pictures(outcome, "5"), pictures(outcome, "3")
    assert not mask.any() and (image[0, 0] == (244, 241, 234)).all()
    assert reports(outcome) == [{"ground": "", "reason": "kept: as asked", "share": 0.0}]


def test_a_batch_and_a_mask_that_was_there(host: RunningHost) -> None:
    outcome = run(host, graph(batch(3), mask=["8", 0]) | {"8": core("SolidMask", value=0.5, width=64, height=48)})
    assert [entry["reason"] for entry in reports(outcome)] == ["kept: the border is transparent already"] * 3
    masks = pictures(run(host, graph(batch(3))), "5")
    assert len(masks) == 3 and all(mask[0, 0, 0] == 255 and mask[24, 32, 0] == 0 for mask in masks)


def test_a_picture_without_a_ground_passes_untouched(host: RunningHost) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(host.input / "no ground.png")
    outcome = run(host, graph(core("LoadImage", image="no ground.png")))
    (image,), (figures,) = pictures(outcome, "3"), reports(outcome)
    assert (image == pixels).all() and figures["ground"] == "" and figures["reason"].startswith("kept: no plain colour")


@pytest.mark.parametrize(
    ("count", "inputs", "parts"),
    [(3, {"mask": ["8", 1]}, ["mask batch", "got 2 masks", "allowed 1 or 3"]), (0, {}, ["image batch is empty"])],
)
def test_errors_name_the_node_and_the_limit(
    host: RunningHost, count: int, inputs: dict[str, Any], parts: list[str]
) -> None:
    error = run(host, graph(batch(count), **inputs) | {"8": batch(2)}).error
    assert error.startswith("2 VectraHub_BackgroundToAlpha: ")
    assert all(part in error for part in parts), error
