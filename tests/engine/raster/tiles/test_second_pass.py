"""The plan of the second pass."""

import json

import pytest

from vectrahub.engine.raster.tiles.grid import tile_grid
from vectrahub.engine.raster.tiles.plan import make_plan
from vectrahub.engine.raster.tiles.second_pass import second_pass


def plan_of(height: int, width: int, **edits: object):
    grid = tile_grid(height, width, 128, 32)
    captions = [f"tile {index}" for index in range(grid.count)]
    return make_plan(grid, "a town", "blurry", captions, json.dumps(edits) if edits else "")


def test_a_moved_tile_speaks_of_what_it_shows() -> None:
    plan = plan_of(300, 400)
    second = second_pass(plan, 0.5, 0.2)
    assert second.grid == plan.grid.shifted()
    assert len(second.tiles) == second.grid.count > plan.grid.count
    assert (second.prompt, second.negative) == ("a town", "blurry")
    assert {tile.denoise for tile in second.tiles} == {0.2}
    assert second.tiles[0].caption == "tile 0"
    assert second.tiles[-1].caption == plan.tiles[-1].caption
    for index, tile in enumerate(second.tiles):
        top, left, bottom, right = second.grid.box(index)
        upper, lefter, lower, righter = plan.grid.box(int(tile.caption.removeprefix("tile ")))
        shared = (min(bottom, lower) - max(top, upper)) * (min(right, righter) - max(left, lefter))
        assert shared >= (128 // 2) ** 2


def test_the_users_own_words_go_along() -> None:
    plan = plan_of(128, 224, tiles=[{"row": 0, "column": 1, "prompt": "a tower", "seed": 5, "denoise": 0.9}])
    assert plan.grid.columns == 2
    second = second_pass(plan, 0.5, 0.3)
    assert [second.text(index) for index in range(3)] == ["a town, tile 0", "a town, tile 0", "a town, a tower"]
    assert all(tile.seed is None and tile.denoise == 0.3 for tile in second.tiles)


@pytest.mark.parametrize("how", [{"skip": True}, {"denoise": 0}])
@pytest.mark.parametrize(("alone", "left_out"), [([], [0, 0, 0, 0]), ([0], [0, 0, 0, 0]), ([0, 1], [1, 1, 0, 0])])
def test_what_the_first_pass_left_alone_stays_alone(how: dict, alone: list[int], left_out: list[int]) -> None:
    plan = plan_of(128, 320, tiles=[{"row": 0, "column": column, **how} for column in alone])
    assert plan.grid.columns == 3
    assert [int(tile.skip) for tile in second_pass(plan, 0.5, 0.3).tiles] == left_out


def test_a_first_pass_that_refined_nothing_has_no_second() -> None:
    assert all(tile.skip for tile in second_pass(plan_of(128, 320), 0.0, 0.3).tiles)


def test_one_tile_stays_one_tile() -> None:
    assert second_pass(plan_of(100, 100), 0.5, 0.3).grid.count == 1
