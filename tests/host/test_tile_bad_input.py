"""What tiled refinement cannot do is said before a model is loaded: node, value, limit, remedy."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.runs import Graph, post, run
from vectrahub.tests.host.tile_graphs import REFINE, new_picture, picture_of, tiled, with_control
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host


def error(host: RunningHost, graph: Graph) -> str:
    outcome = run(host, graph)
    assert outcome.problem is not None
    return outcome.error


def other_size(host: RunningHost) -> Graph:
    return {"20": node("Other", "LoadImage", image=new_picture(host, 96, 64))}


def test_a_plan_of_another_picture(host: RunningHost) -> None:
    graph = tiled(new_picture(host)) | other_size(host)
    graph[REFINE]["inputs"]["image"] = ["20", 0]
    said = error(host, graph)
    assert "VectraHub_TileRefine" in said and "(1, 64, 96, 3)" in said and "160 x 112" in said


def test_a_control_image_of_another_size(host: RunningHost) -> None:
    graph = with_control(tiled(new_picture(host)), control_image=["20", 0]) | other_size(host)
    said = error(host, graph)
    assert "control_image" in said and "(1, 64, 96, 3)" in said and "Tile Split" in said


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"tile": 100}, ("100 px", "multiples of 8")),
        ({"overlap": 64}, ("64 px", "0 to 63")),
        ({"upscale": "long side", "long_side": 4096, "method": "model"}, ("upscale", "model")),
    ],
)
def test_tiles_that_cannot_be(host: RunningHost, inputs: dict[str, object], words: tuple[str, ...]) -> None:
    graph = tiled(new_picture(host))
    graph["2"]["inputs"].update(inputs)
    said = error(host, graph)
    assert "VectraHub_TileSplit" in said
    assert all(word in said for word in words), said


def test_two_pictures_at_once(host: RunningHost) -> None:
    graph = tiled(new_picture(host)) | other_size(host)
    graph["21"] = node("Two", "RepeatImageBatch", image=["20", 0], amount=2)
    graph["2"]["inputs"]["image"] = ["21", 0]
    said = error(host, graph)
    assert "VectraHub_TileSplit" in said and "one" in said.lower()


def test_edits_of_another_grid(host: RunningHost) -> None:
    said = error(host, tiled(new_picture(host), [{"row": 2, "column": 0, "skip": True}]))
    assert "VectraHub_TilePlan" in said and "row 2, column 0" in said and "rows 0 to 1" in said


def test_no_model_is_said_at_once(host: RunningHost) -> None:
    """Tile Plan is an output and runs all the same: that is how one captions first and refines later."""
    graph = tiled(new_picture(host))
    del graph[REFINE]["inputs"]["model"]
    (problem,) = post(host, graph).json()["node_errors"][REFINE]["errors"]
    assert (problem["type"], problem["details"]) == ("required_input_missing", "model")


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (70, 1)])
def test_tiny_pictures_come_out_in_their_size(host: RunningHost, size: tuple[int, int]) -> None:
    name = new_picture(host, 8, 8)
    Image.fromarray(np.full((size[1], size[0], 3), 128, np.uint8)).save(host.input / name)
    assert picture_of(run(host, tiled(name))).shape == (size[1], size[0], 3)
