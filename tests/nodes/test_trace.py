"""VTracerTrace on the real host."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from vectrahub.engine.svg.measure import complexity
from vectrahub.engine.svg.render import render
from vectrahub.tests.host.runs import Outcome, run
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.nodes.test_color import art, batch, core

pytestmark = pytest.mark.host

NODE = "VectraHub_VTracerTrace"


@pytest.fixture(scope="module")
def defaults(host: RunningHost) -> dict[str, Any]:
    """The default of every required input that has one, as the host lists them."""
    schema = httpx.get(f"{host.url}/object_info/{NODE}", timeout=60, trust_env=False).json()[NODE]["input"]
    return {key: spec[1]["default"] for key, spec in schema["required"].items() if "default" in spec[1]}


def graph(source: dict[str, Any], defaults: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return {
        "1": source,
        "2": core(NODE, **{**defaults, "image": ["1", 0], **inputs}),
        "3": core("VectraHub_SVGSave", svg=["2", 0], filename_prefix="traced/t", include_workflow=False),
    }


def drawings(outcome: Outcome) -> list[bytes]:
    assert outcome.problem is None, outcome.problem
    files = outcome.entry["outputs"]["3"]["images"]
    return [(outcome.host.output / file["subfolder"] / file["filename"]).read_bytes() for file in files]


def reports(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.problem is None, outcome.problem
    return json.loads(outcome.entry["outputs"]["2"]["vectrahub_report"][0])["images"]


def test_three_pictures_give_three_drawings_with_their_holes(host: RunningHost, defaults: dict[str, Any]) -> None:
    outcome = run(host, graph(batch(3), defaults, mask=["1", 1]))
    texts = drawings(outcome)
    assert len(texts) == len(set(texts)) == 3
    for text, color, figures in zip(texts, [(230, 0, 26), (26, 76, 153), (51, 140, 51)], reports(outcome), strict=True):
        drawn = render(text, 64, 48)
        assert not drawn[:, :15, 3].any() and (drawn[:, 17:, 3] == 255).all()
        assert (np.abs(drawn[24, 32, :3].astype(int) - color) <= 1).all()
        cost = complexity(text)
        assert (figures["shapes"], figures["hierarchical"], figures["reason"]) == (cost.shapes, "layers", "")
        assert figures["segments"] == cost.segments


@pytest.mark.parametrize("hierarchical", ["layers", "stacked", "cutout"])
@pytest.mark.parametrize("mode", ["refit", "spline", "polygon", "none"])
def test_every_hierarchy_and_mode(host: RunningHost, defaults: dict[str, Any], hierarchical: str, mode: str) -> None:
    outcome = run(host, graph(batch(1, 120, 100), defaults, hierarchical=hierarchical, mode=mode))
    drawn = render(drawings(outcome)[0], 120, 100)
    assert (np.abs(drawn[50, 60].astype(int) - (230, 0, 26, 255)) <= 8).all()
    assert (np.abs(drawn[5, 5].astype(int) - 255) <= 8).all()


def test_more_colours_than_layers_says_why(host: RunningHost, defaults: dict[str, Any]) -> None:
    noise = core("EmptyImage", width=64, height=64, batch_size=1, color=0)
    blurred = graph(noise, defaults, image=["9", 0]) | {
        "8": batch(1),
        "9": core("ImageBlur", image=["8", 0], blur_radius=20, sigma=8.0),
    }
    (figures,) = reports(run(host, blurred))
    assert figures["hierarchical"] == "stacked" and "more than 64 colours" in figures["reason"]


def test_the_palette_carries_the_size(host: RunningHost, defaults: dict[str, Any]) -> None:
    body = graph(art(host), defaults, image=["5", 0], palette=["5", 1]) | {
        "4": core("ImageScale", image=["1", 0], upscale_method="lanczos", width=640, height=640, crop="disabled"),
        "5": core("VectraHub_PaletteSnap", image=["4", 0], reference=["1", 0], colors=0, palette="", cleanup=-1.0),
    }
    (text,) = drawings(run(host, body))
    assert b'viewBox="0 0 128 128"' in text and b'fill="#E30613"' in text


def test_a_mask_batch_that_does_not_fit(host: RunningHost, defaults: dict[str, Any]) -> None:
    body = graph(batch(3), defaults, mask=["8", 1]) | {"8": batch(2)}
    error = run(host, body).error
    assert error.startswith(f"2 {NODE}: ") and "got 2 masks, allowed 1 or 3" in error


def test_an_empty_batch(host: RunningHost, defaults: dict[str, Any]) -> None:
    error = run(host, graph(batch(0), defaults)).error
    assert error.startswith(f"2 {NODE}: ") and "image batch is empty" in error
