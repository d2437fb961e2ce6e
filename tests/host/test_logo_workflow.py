"""workflows/api/logo_flux.json in the real host, a tiny Flux of core's classes in place of the checkpoint."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vectrahub.engine.svg.render import render
from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.events import Heard, listen
from vectrahub.tests.host.runs import Graph
from vectrahub.tests.host.tryon_graphs import Watching
from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.host

_seeds = itertools.count(1000)  # of graphs that must not be found in the host's cache
WISH = "A paper plane over a rising sun"
SHIPPED: Graph = json.loads((ROOT / "workflows" / "api" / "logo_flux.json").read_text(encoding="utf-8"))
ID = {one["_meta"]["title"]: number for number, one in SHIPPED.items()}


def logo(**settings: object) -> Graph:
    """The shipped graph with the tiny Flux, two steps, and stages that are quick; settings are Title__input=value.

    What a random network paints is noise: four colours of it are enough to trace.
    """
    graph: Graph = json.loads(json.dumps(SHIPPED))
    graph[ID["Checkpoint"]] = node("Checkpoint", "VectraHubTest_TinyFlux", seed=0)
    quick = {"Sample__steps": 2, "Upscale__megapixels": 0.25, "Palette__colors": 4, "Sizes__sizes": "64, 128"}
    for name, value in {**quick, **settings}.items():
        title, key = name.split("__")
        graph[ID[title]]["inputs"][key] = value
    return graph


def pictures(heard: Heard) -> list[np.ndarray]:
    """The saved logos, (H, W, 4) bytes."""
    assert heard.outcome.problem is None, heard.outcome.error
    files = heard.outcome.entry["outputs"][ID["Save"]]["images"]
    opened = [Image.open(heard.outcome.host.output / file["subfolder"] / file["filename"]) for file in files]
    assert {one.mode for one in opened} == {"RGBA"}
    return [np.asarray(one) for one in opened]


def drawing(heard: Heard) -> bytes:
    (file,) = heard.outcome.entry["outputs"][ID["Save SVG"]]["images"]
    return (heard.outcome.host.output / file["subfolder"] / file["filename"]).read_bytes()


def test_one_prompt_and_one_seed_give_every_size_with_alpha_and_a_drawing(host: RunningHost) -> None:
    with Watching(host) as watching:
        heard = listen(host, logo(), seconds=240)
        calls = watching.seen().calls
    sizes = [one.shape for one in pictures(heard)]
    assert sizes == [(64, 64, 4), (128, 128, 4)]
    svg = drawing(heard)
    assert svg.startswith((b"<svg", b"<?xml")) and render(svg, 64, 64)[..., 3].any()
    assert len(calls) == 2, "two steps, no second pass for a negative prompt at cfg 1"
    assert {(call["height"], call["width"]) for call in calls} == {(128, 128)}, "1024 x 1024 px"
    (said,) = {text for call in calls for text in call["texts"]}
    assert said.startswith(WISH) and len(said) > 2 * len(WISH)
    assert said == composed(heard)


def composed(heard: Heard) -> str:
    """What LogoPrompt reports to have written."""
    report = heard.outcome.entry["outputs"][ID["Prompt"]]["vectrahub_report"][0]
    return json.loads(report)["images"][0]["prompt"]


def test_other_sizes_are_of_the_same_logo_and_another_seed_of_another(host: RunningHost) -> None:
    """Painted anew in both cases, because the host's cache goes by inputs."""
    first = pictures(listen(host, raster(), seconds=240))
    later = pictures(listen(host, raster(Sizes__sizes="128, 96"), seconds=240))
    assert [one.shape[0] for one in later] == [128, 96]
    assert np.array_equal(first[1], later[0])
    other = pictures(listen(host, raster(Sizes__sizes="128", Sample__seed=1), seconds=240))
    assert np.abs(first[1][..., :3].astype(int) - other[0][..., :3]).mean() > 1


def test_lettering_and_colours_reach_the_sampler(host: RunningHost) -> None:
    graph = raster(Prompt__business_name="Acme", Prompt__colors="#0A84FF, warm orange")
    with Watching(host) as watching:
        heard = listen(host, graph, seconds=240)
        assert heard.outcome.problem is None, heard.outcome.error
        (said,) = {text for call in watching.seen().calls for text in call["texts"]}
    assert WISH in said and "Acme" in said and "#0A84FF" in said and "warm orange" in said


def raster(**settings: object) -> Graph:
    """Without the drawing."""
    graph = logo(**settings)
    del graph[ID["Save SVG"]]
    return graph


BAD: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"Sizes__sizes": "[]"}, ("LogoCanvas", "size", "256, 512, 1024")),
    ({"Sizes__sizes": "[0]"}, ("LogoCanvas", "0", "8 to 4096")),
    ({"Sizes__sizes": "[99999]"}, ("LogoCanvas", "99999", "8 to 4096")),
    ({"Sizes__sizes": "64, big"}, ("LogoCanvas", "big")),
    ({"Prompt__prompt": "ab"}, ("LogoPrompt", "2", "3")),
    ({"Prompt__prompt": "x" * 5000}, ("LogoPrompt", "5000", "500")),
]


@pytest.mark.parametrize(("settings", "parts"), BAD, ids=[str(*one.values())[:8] for one, _ in BAD])
def test_bad_input_fails_before_anything_is_painted(
    host: RunningHost, settings: dict[str, Any], parts: tuple[str, ...]
) -> None:
    heard = listen(host, logo(Sample__seed=next(_seeds), **settings))
    assert not {"Sample", "Decode", "Save", "Save SVG"} & set(heard.ran)
    for part in parts:
        assert part in heard.outcome.error, heard.outcome.error
