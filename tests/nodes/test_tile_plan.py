"""Tile Plan in the real host: the plan, its picture of the tiles, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PIL import Image

from vectrahub.tests.host.runs import Graph, Outcome, run
from vectrahub.tests.host_fixture import RunningHost

EDITS = {"rows": 3, "columns": 4, "tiles": [{"row": 1, "column": 2, "prompt": "a red door", "seed": 2**64 - 1}]}


@pytest.fixture(scope="session")
def picture(host: RunningHost) -> str:
    """200 x 150, every pixel of its column's red and its row's green: 3 x 4 tiles of 64 px, 8 px overlapping."""
    image = Image.new("RGB", (200, 150))
    image.putdata([(x, y, 128) for y in range(150) for x in range(200)])
    image.save(host.input / "tiles.png")
    return "tiles.png"


def graph(image: str, tile: int = 64, overlap: int = 8, **inputs: Any) -> Graph:
    split = {"image": ["1", 0], "upscale": "none", "long_side": 4096, "method": "lanczos", "tile": tile}
    plan = {"grid": ["2", 1], "prompt": "", "negative": "", "edits": "", **inputs}
    plan = {name: value for name, value in plan.items() if value is not None}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "VectraHub_TileSplit", "inputs": {**split, "overlap": overlap}},
        "3": {"class_type": "VectraHubTest_Captions", "inputs": {"grid": ["2", 1], "more": 0}},
        "4": {"class_type": "VectraHub_TilePlan", "inputs": plan},
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["4", 1]}},
    }


def made(outcome: Outcome) -> str:
    assert outcome.problem is None, outcome.problem
    return outcome.entry["outputs"]["5"]["text"][0]


def shown(outcome: Outcome) -> dict[str, Any]:
    assert outcome.problem is None, outcome.problem
    (tiles,) = outcome.entry["outputs"]["4"]["vectrahub_tiles"]
    return tiles


def sheet(outcome: Outcome) -> Image.Image:
    file = shown(outcome)["thumbnails"]
    assert file["type"] == "temp"
    (path,) = outcome.host.run_directory.rglob(file["filename"])
    assert path.parent.name == file["subfolder"]
    return Image.open(path)


def test_captions_prompts_and_edits_become_one_plan(host: RunningHost, picture: str) -> None:
    inputs = {"captions": ["3", 0], "tiles": ["2", 0], "edits": json.dumps(EDITS)}
    outcome = run(host, graph(picture, prompt="a house", negative="blur", **inputs))
    plan = json.loads(made(outcome))
    assert (plan["rows"], plan["columns"], plan["prompt"], plan["negative"]) == (3, 4, "a house", "blur")
    assert [tile["caption"] for tile in plan["tiles"]] == [f"caption {number}" for number in range(1, 13)]
    assert [(tile["prompt"], tile["seed"]) for tile in plan["tiles"] if tile["prompt"]] == [("a red door", 2**64 - 1)]
    tiles = shown(outcome)
    assert (tiles["rows"], tiles["columns"], tiles["prompt"]) == (3, 4, "a house")
    assert tiles["texts"] == [tile["caption"] for tile in plan["tiles"]]
    report = json.loads(outcome.entry["outputs"]["4"]["vectrahub_report"][0])
    assert report["images"] == [{"rows": 3, "columns": 4, "tiles": 12, "skipped": 0, "edited": 1}]


def test_the_sheet_shows_every_tile_in_its_place(host: RunningHost, picture: str) -> None:
    outcome = run(host, graph(picture, tiles=["2", 0]))
    tiles, image = shown(outcome), sheet(outcome)
    assert image.size == (4 * 64, 3 * 64)
    for row, y in enumerate(tiles["ys"]):
        for column, x in enumerate(tiles["xs"]):
            red, green, _ = image.getpixel((column * 64 + 32, row * 64 + 32))
            assert abs(red - (x + 32)) < 8 and abs(green - (y + 32)) < 8, (row, column)


def test_many_tiles_get_a_sheet_of_bounded_size(host: RunningHost) -> None:
    Image.new("RGB", (5120, 40), "#E30613").save(host.input / "strip.png")
    outcome = run(host, graph("strip.png", overlap=0, tiles=["2", 0]))
    assert sheet(outcome).size == (80 * 51, 51)


def test_without_tiles_there_is_no_sheet(host: RunningHost, picture: str) -> None:
    outcome = run(host, graph(picture, captions=["3", 0], prompt="no sheet"))
    assert shown(outcome)["thumbnails"] is None and shown(outcome)["texts"][11] == "caption 12"


def test_a_plan_is_fed_back(host: RunningHost, picture: str) -> None:
    text = made(run(host, graph(picture, prompt="p", captions=["3", 0], edits=json.dumps(EDITS))))
    assert made(run(host, graph(picture, edits=text))) == text


def test_edits_of_another_grid_are_refused_with_the_remedy(host: RunningHost, picture: str) -> None:
    told = run(host, graph(picture, tile=128, edits=json.dumps(EDITS))).error
    assert "VectraHub_TilePlan" in told and "3 x 4" in told and "2 x 2" in told and "Clear edits" in told


def test_captions_and_tiles_of_another_grid_are_refused(host: RunningHost, picture: str) -> None:
    odd = graph(picture, captions=["3", 0])
    odd["3"]["inputs"]["more"] = -1
    assert "11 captions" in run(host, odd).error
    whole = run(host, graph(picture, tiles=["1", 0]))
    assert "VectraHub_TilePlan" in whole.error and "1 tile," in whole.error and "12, for 3 x 4" in whole.error


def test_a_list_of_prompts_is_refused(host: RunningHost, picture: str) -> None:
    assert "'prompt'" in run(host, graph(picture, prompt=["3", 0])).error
