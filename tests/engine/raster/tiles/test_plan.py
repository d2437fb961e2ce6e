from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster.tiles.grid import tile_grid
from vectrahub.engine.raster.tiles.plan import MAX_SEED, TilePlan, TileWork, make_plan, plan_json

GRID = tile_grid(150, 200, 64, 8)  # 3 x 4
LETTERS = ["a", "Z", " ", ",", '"', "\\", "\n", "\u00e4", "\u4e2d", "\U0001f600", "\ud800", "\x00", "null", "{}"]


def refusal(edits: Any = "", captions: tuple[str, ...] = ()) -> str:
    with pytest.raises(BadInput) as caught:
        make_plan(GRID, captions=captions, edits=edits if isinstance(edits, str) else json.dumps(edits))
    return str(caught.value)


def tile(**fields: Any) -> dict[str, Any]:
    return {"tiles": [{"row": 2, "column": 3, **fields}]}


def some_text(chance: random.Random) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randrange(6)))


def some_plan(chance: random.Random) -> TilePlan:
    grid = tile_grid(chance.randint(1, 400), chance.randint(1, 400), 64, chance.randrange(0, 60, 7))
    works = tuple(
        TileWork(
            some_text(chance),
            chance.choice([None, some_text(chance)]),
            chance.choice([None, 0.0, 1.0, chance.random()]),
            chance.choice([None, 0, MAX_SEED, chance.randint(0, MAX_SEED)]),
            chance.random() < 0.3,
        )
        for _ in range(grid.count)
    )
    return TilePlan(grid, some_text(chance), some_text(chance), works)


def test_a_plan_comes_back_from_its_json() -> None:
    chance = random.Random(4)
    for _ in range(60):
        plan = some_plan(chance)
        assert make_plan(plan.grid, edits=plan_json(plan)) == plan


def test_nothing_but_a_grid_is_a_plan() -> None:
    plan = make_plan(GRID)
    assert plan == TilePlan(GRID, "", "", (TileWork(),) * 12)
    assert [plan.text(index) for index in range(12)] == [""] * 12


def test_sparse_edits_change_their_tiles_only() -> None:
    edits = {
        "tiles": [{"row": 1, "column": 2, "prompt": "a red door", "denoise": 1}, {"row": 0, "column": 0, "skip": True}]
    }
    captions = [f"caption {index}" for index in range(12)]
    plan = make_plan(GRID, "sharp photo", "blur", captions, json.dumps(edits))
    assert (plan.prompt, plan.negative) == ("sharp photo", "blur")
    assert plan.tiles[6] == TileWork("caption 6", "a red door", 1.0)
    assert plan.tiles[0] == TileWork("caption 0", skip=True)
    rest = [index for index in range(12) if index not in (0, 6)]
    assert [plan.tiles[index] for index in rest] == [TileWork(captions[index]) for index in rest]
    assert [index for index, work in enumerate(plan.tiles) if work.edited] == [6]


def test_the_widgets_and_the_connected_captions_win() -> None:
    kept = make_plan(GRID, "old", "old negative", ["old caption"] * 12)
    kept = replace(kept, tiles=(replace(kept.tiles[0], prompt="own"), *kept.tiles[1:]))
    assert make_plan(GRID, "new", "", edits=plan_json(kept)).prompt == "new"
    assert make_plan(GRID, "new", "", edits=plan_json(kept)).negative == "old negative"
    again = make_plan(GRID, "", "", ["new caption"] * 12, plan_json(kept))
    assert again.tiles[0] == TileWork("new caption", "own") and again.tiles[1].caption == "new caption"


@pytest.mark.parametrize(
    ("prompt", "caption", "own", "text"),
    [
        ("a city", "a tree", None, "a city, a tree"),
        ("a city", "a tree", "a red tree", "a city, a red tree"),
        ("a city", "a tree", "", "a city"),
        ("", "a tree", None, "a tree"),
        ("a city", "", None, "a city"),
        (" a city, \n", " a tree,", None, "a city, a tree"),
        ("", "", None, ""),
    ],
)
def test_the_text_of_a_tile_joins_once(prompt: str, caption: str, own: str | None, text: str) -> None:
    assert TilePlan(GRID, prompt, "", (TileWork(caption, own),)).text(0) == text


def test_edits_of_another_grid_say_both_and_the_remedy() -> None:
    told = refusal({"rows": 4, "columns": 5, "tiles": [{"row": 3, "column": 4}]})
    assert "4 x 5" in told and "3 x 4" in told and "'Clear edits'" in told and "empty the text" in told
    assert "3 x 9" in refusal({"columns": 9})


@pytest.mark.parametrize("edits", ["", " \n", "{}", '{"tiles": null}', '{"rows": null, "prompt": null, "tiles": []}'])
def test_empty_edits_are_none(edits: str) -> None:
    assert make_plan(GRID, edits=edits) == make_plan(GRID)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ("{", ["no JSON", "line 1 column 2", "Clear edits"]),
        ("[" * 100_000, ["nested", "Clear edits"]),
        ("[]", ["a list", "an object"]),
        ('{"tiles": {}}', ["an object", "a list"]),
        ('{"tiles": [3]}', ["Entry 0", "a number"]),
        ({"version": 2}, ["2", "1", "Update"]),
        ({"prompts": "x"}, ["'prompts'", "negative"]),
        ({"prompt": 3}, ["'prompt'", "3"]),
        ({"rows": "3"}, ["'rows'", "'3'"]),
        ({"rows": True}, ["'rows'", "True"]),
        (tile(denoise=1.01), ["row 2, column 3", "1.01", "0 to 1", "Reset tile"]),
        (tile(denoise=-0.1), ["-0.1"]),
        (tile(denoise=True), ["True"]),
        (tile(denoise="0.5"), ["'0.5'"]),
        ('{"tiles": [{"row": 0, "column": 0, "denoise": NaN}]}', ["NaN"]),
        ('{"tiles": [{"row": 0, "column": 0, "denoise": 1e999}]}', ["inf"]),
        (tile(seed=2**64), ["18446744073709551616", "18446744073709551615"]),
        (tile(seed=-1), ["-1"]),
        (tile(seed=1.0), ["1.0"]),
        (tile(skip=1), ["'skip'", "row 2, column 3"]),
        (tile(prompt=["x"]), ["'prompt'", "row 2, column 3"]),
        (tile(strength=1), ["'strength'", "denoise"]),
        ({"tiles": [{"row": 3, "column": 0}]}, ["row 3, column 0", "rows 0 to 2, columns 0 to 3"]),
        ({"tiles": [{"row": 0, "column": -1}]}, ["column -1"]),
        ({"tiles": [{"row": 0}]}, ["row 0, column None", "whole numbers"]),
        ({"tiles": [{"row": 1.0, "column": 0}]}, ["row 1.0"]),
        ({"tiles": [{"row": 1, "column": 0}, {"row": 1, "column": 0}]}, ["twice", "row 1, column 0", "entry 1"]),
    ],
)
def test_a_wrong_edit_is_named(edits: Any, words: list[str]) -> None:
    told = refusal(edits)
    assert not [word for word in words if word not in told], told


@pytest.mark.parametrize("count", [1, 11, 13])
def test_captions_that_do_not_fit_are_named(count: int) -> None:
    told = refusal(captions=("x",) * count)
    assert f"{count} captions" in told and "12" in told and "3 x 4" in told


def test_the_json_names_every_field() -> None:
    data = json.loads(plan_json(make_plan(GRID, "p", "n", ["c"] * 12)))
    assert {key: data[key] for key in ("version", "rows", "columns", "prompt", "negative")} == {
        "version": 1,
        "rows": 3,
        "columns": 4,
        "prompt": "p",
        "negative": "n",
    }
    assert data["tiles"][7] == {
        "row": 1,
        "column": 3,
        "caption": "c",
        "prompt": None,
        "denoise": None,
        "seed": None,
        "skip": False,
    }
