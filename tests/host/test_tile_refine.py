"""TileRefine on the real host: what runs, what is found again, and what each choice changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import Graph, run
from vectrahub.tests.host.tile_graphs import (
    HEIGHT,
    REFINE,
    WIDTH,
    kept_tiles,
    new_picture,
    passes,
    picture_of,
    sampled,
    tiled,
    with_control,
)
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host

ALL = [f"tile{number}" for number in range(1, 7)]
# Pixels of each tile that no other one covers.
ALONE = {
    index: (slice(*((0, 48) if row == 0 else (64, 112))), slice(*((0, 48), (64, 96), (112, 160))[column]))
    for index, (row, column) in enumerate((row, column) for row in range(2) for column in range(3))
}


def source(host: RunningHost, name: str) -> np.ndarray:
    return np.asarray(Image.open(host.input / name).convert("RGB"), np.int16)


def changed(one: np.ndarray, other: np.ndarray, more_than: int = 1) -> list[int]:
    """The tiles in whose own pixels the pictures differ by more than so many of 255."""
    return [index for index, place in ALONE.items() if np.abs(one[place] - other[place]).max() > more_than]


def test_every_tile_is_refined_and_joined(host: RunningHost) -> None:
    name = new_picture(host)
    heard = listen(host, tiled(name))
    result = picture_of(heard.outcome)
    assert result.shape == (HEIGHT, WIDTH, 3)
    assert sampled(heard.ids) == ALL
    assert changed(result, source(host, name)) == list(range(6))
    assert passes(heard.outcome) == [{"rows": 2, "columns": 3, "refined": 6, "kept": 0, "left_out": 0, "not_kept": ""}]


def test_the_node_says_which_tile_it_is_at(host: RunningHost) -> None:
    heard = listen(host, tiled(new_picture(host)))
    said = [text for node, text in heard.texts if node == REFINE]
    assert said == [f"Tile {number} of 6" for number in range(7)]


def test_editing_one_tile_runs_one_tile(host: RunningHost) -> None:
    name = new_picture(host)
    before = picture_of(run(host, tiled(name)))
    heard = listen(host, tiled(name, [{"row": 1, "column": 0, "prompt": "a harbour at night"}]))
    assert sampled(heard.ids) == ["tile4"]
    assert changed(picture_of(heard.outcome), before) == [3]
    assert passes(heard.outcome)[0]["kept"] == 5
    back = listen(host, tiled(name, [{"row": 1, "column": 0, "prompt": "a harbour at night", "skip": False}]))
    assert sampled(back.ids) == []


@pytest.mark.parametrize("edit", [{"denoise": 0.9}, {"seed": 77}, {"skip": True}, {"denoise": 0}])
def test_each_choice_changes_its_tile_only(host: RunningHost, edit: dict[str, Any]) -> None:
    name = new_picture(host)
    before = picture_of(run(host, tiled(name)))
    heard = listen(host, tiled(name, [{"row": 0, "column": 2, **edit}]))
    after = picture_of(heard.outcome)
    assert changed(after, before) == [2]
    if edit.get("skip") or edit.get("denoise") == 0:
        assert sampled(heard.ids) == []
        assert 2 not in changed(after, source(host, name))
        assert passes(heard.outcome)[0]["left_out"] == 1
    else:
        assert sampled(heard.ids) == ["tile3"]


def test_tiles_have_seeds_of_their_own(host: RunningHost) -> None:
    """Base + number: with the seed of its neighbour a tile comes out as if it had been in that place."""
    name = new_picture(host)
    before = picture_of(run(host, tiled(name)))
    moved = picture_of(run(host, tiled(name, seed=2)))
    assert changed(moved, before) == list(range(6))
    edits = [{"row": 0, "column": column, "seed": 1 + column} for column in range(3)]
    edits += [{"row": 1, "column": column, "seed": 4 + column} for column in range(3)]
    assert changed(picture_of(run(host, tiled(name, edits, seed=50))), before) == []


def test_nothing_is_loaded_when_nothing_is_to_be_done(host: RunningHost) -> None:
    skipped = [{"row": row, "column": column, "skip": True} for row in range(2) for column in range(3)]
    name = new_picture(host)
    heard = listen(host, tiled(name, skipped, model={"seed": 1234}))
    assert "Model" not in heard.ran
    assert np.abs(picture_of(heard.outcome) - source(host, name)).max() <= 1


def test_the_control_net_matters_and_can_be_switched_off(host: RunningHost) -> None:
    name = new_picture(host)
    plain = picture_of(run(host, tiled(name)))
    held = picture_of(run(host, with_control(tiled(name), control_strength=1.0)))
    assert changed(held, plain) == list(range(6))
    for off in ({"use_control_net": False}, {"control_strength": 0.0}):
        other = with_control(tiled(new_picture(host)), **off)
        other["9"]["inputs"]["seed"] = 4321
        assert "Control" not in listen(host, other).ran


def test_each_tile_sees_its_own_part_of_the_control_image(host: RunningHost) -> None:
    name, control = new_picture(host), new_picture(host)
    pixels = np.asarray(Image.open(host.input / control)).copy()
    pixels[ALONE[5]] = 0
    other = new_picture(host)
    Image.fromarray(pixels).save(host.input / other)
    results = []
    for shown in (control, other):
        graph = with_control(tiled(name, steps=4), control_strength=2.0, control_image=["10", 0])
        graph["10"] = {"class_type": "LoadImage", "inputs": {"image": shown}, "_meta": {"title": "Shown"}}
        results.append(listen(host, graph))
    assert sampled(results[1].ids) == ["tile6"]
    assert changed(*(picture_of(result.outcome) for result in results), more_than=0) == [5]


@pytest.mark.parametrize("family", ["sdxl", "flux"])
def test_flux_and_sdxl_by_wiring(host: RunningHost, family: str) -> None:
    name = new_picture(host)
    guided = {"cfg": 1.0, "guidance": 3.5} if family == "flux" else {}
    graph = with_control(tiled(name, family=family, **guided), family=family)
    result = picture_of(run(host, graph))
    assert changed(result, source(host, name)) == list(range(6))
    if family == "flux":
        other = with_control(tiled(name, family=family, cfg=1.0, guidance=30.0), family=family)
        assert changed(picture_of(run(host, other)), result) == list(range(6))


def test_a_second_pass_changes_the_seams_only(host: RunningHost) -> None:
    name = new_picture(host)
    first = picture_of(run(host, tiled(name)))
    heard = listen(host, tiled(name, seam_fix=True, seam_feather=8, seam_denoise=0.6))
    second = picture_of(heard.outcome)
    assert [one["refined"] for one in passes(heard.outcome)] == [0, 12]
    assert [one["kept"] for one in passes(heard.outcome)] == [6, 0]
    far = np.abs(second - first).max(axis=-1)
    assert far[48:64, 48:64].max() > 5  # where four tiles meet
    assert far[:40, :40].max() <= 1
    assert far[:40, 72:88].max() <= 1
    said = [text for node, text in heard.texts if node == REFINE]
    assert said[-1] == "Tile 18 of 18"
    again = listen(host, tiled(name, seam_fix=True, seam_feather=9, seam_denoise=0.6))
    assert sampled(again.ids) == []


@pytest.mark.parametrize("alone", [{"skip": True}, {"denoise": 0}])
def test_a_second_pass_leaves_alone_what_the_first_did(host: RunningHost, alone: dict[str, Any]) -> None:
    name = new_picture(host)
    edits = [{"row": 0, "column": 0, **alone}, {"row": 0, "column": 1, **alone}]
    result = picture_of(run(host, tiled(name, edits, seam_fix=True, seam_denoise=0.9)))
    assert changed(result, source(host, name)) == [2, 3, 4, 5]
    nothing = listen(host, tiled(name, seam_fix=True, denoise=0.0))
    assert sampled(nothing.ids) == []
    assert np.abs(picture_of(nothing.outcome) - source(host, name)).max() <= 1


def test_all_words_are_encoded_before_the_first_tile_is_sampled(host: RunningHost) -> None:
    """On a small GPU the text encoder and the model would else push each other out for every tile."""
    edits = [{"row": row, "column": column, "prompt": f"{row} {column}"} for row in range(2) for column in range(3)]
    for family in ("sdxl", "flux"):
        ids = [one.split(".")[-1] for one in listen(host, tiled(new_picture(host), edits, family, guidance=2.0)).ids]
        words = [at for at, name in enumerate(ids) if name.startswith(("words_", "guided_"))]
        assert len(words) == 14
        assert max(words) < ids.index("tile1_sample")


# What decides a tile's result, each once.
MATTERS: dict[str, Any] = {
    "negative": ("3", {"negative": "ugly"}),
    "prompt": ("3", {"prompt": "a village"}),
    "model": (REFINE, {"model": ["30", 0]}),
    "clip": (REFINE, {"clip": ["30", 1]}),
    "vae": (REFINE, {"vae": ["30", 2]}),
    "control_net": (REFINE, {"control_net": ["31", 0]}),
    "control_strength": (REFINE, {"control_strength": 0.3}),
    "control_start": (REFINE, {"control_start": 0.2}),
    "control_end": (REFINE, {"control_end": 0.8}),
    "no control": (REFINE, {"use_control_net": False}),
    "steps": (REFINE, {"steps": 3}),
    "cfg": (REFINE, {"cfg": 4.0}),
    "sampler": (REFINE, {"sampler_name": "heun"}),
    "scheduler": (REFINE, {"scheduler": "karras"}),
    "denoise": (REFINE, {"denoise": 0.4}),
    "guidance": (REFINE, {"guidance": 2.0}),
    "seed": (REFINE, {"seed": 5}),
}
DOES_NOT: dict[str, Any] = {
    "match": (REFINE, {"match": "lab"}),
    "batch": (REFINE, {"batch": 4}),
    "seams": (REFINE, {"seam_feather": 3}),
}


@pytest.mark.parametrize("what", [*MATTERS, *DOES_NOT])
def test_a_tile_is_found_by_all_that_decides_it_and_nothing_else(
    host: RunningHost, what: str, refined_once: str
) -> None:
    number, inputs = {**MATTERS, **DOES_NOT}[what]
    graph = with_control(tiled(refined_once))
    graph["30"] = node("Other model", "VectraHubTest_TinySDXL", seed=9)
    graph["31"] = node("Other control", "VectraHubTest_TinyControlNet", family="sdxl", seed=9)
    graph[number]["inputs"].update(inputs)
    heard = listen(host, graph)
    assert heard.outcome.problem is None
    assert len(sampled(heard.ids)) == (2 if what in MATTERS else 0)


@pytest.fixture(scope="module")
def refined_once(host: RunningHost) -> str:
    """A picture of two tiles that was refined with a ControlNet."""
    name = new_picture(host, 112, 64)
    assert len(sampled(listen(host, with_control(tiled(name))).ids)) == 2
    return name


def test_a_textual_inversion_counts_by_its_file(host: RunningHost) -> None:
    file = host.models / "embeddings" / "tiled_style.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    name = new_picture(host)

    def graph(seed: int) -> Graph:
        return tiled(name, [{"row": 0, "column": 0, "prompt": "embedding:tiled_style", "seed": seed}])

    run(host, graph(1))
    assert sampled(listen(host, graph(1) | {}).ids) == []
    save_file({"emb_params": torch.zeros(1, 8)}, file)
    assert sampled(listen(host, graph(2)).ids) == ["tile1"]
    back = tiled(name, [{"row": 0, "column": 0, "prompt": "embedding:tiled_style", "seed": 1, "skip": False}])
    assert sampled(listen(host, back).ids) == ["tile1"]
    file.unlink()


def test_two_models_on_one_input(host: RunningHost) -> None:
    graph = tiled(new_picture(host))
    graph["12"] = node("Two", "VectraHubTest_TwoModels", model=["4", 0])
    graph[REFINE]["inputs"]["model"] = ["12", 0]
    outcome = run(host, graph)
    assert "came back twice" in outcome.error and "Tile Refine of its own" in outcome.error


def test_a_disk_that_takes_nothing_costs_no_picture(host: RunningHost) -> None:
    tiles = host.base / "user" / "__vectrahub" / "tiles"
    aside = tiles.with_name("aside")
    tiles.rename(aside)
    tiles.write_text("no folder")
    try:
        outcome = run(host, tiled(new_picture(host)))
    finally:
        tiles.unlink()
        aside.rename(tiles)
    assert picture_of(outcome).shape == (HEIGHT, WIDTH, 3)
    assert "could not be written" in passes(outcome)[0]["not_kept"]


def test_a_replaced_model_file_is_another_model(host: RunningHost) -> None:
    """Same name, same graph, other bytes: its tiles are made anew."""
    file = host.models / "loras" / "tiled_lora.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"nothing": torch.zeros(1)}, file)
    name = new_picture(host)

    def graph(seed: int):
        one = tiled(name, [{"row": 0, "column": 0, "seed": seed}])
        one["11"] = {
            "class_type": "LoraLoaderModelOnly",
            "inputs": {"model": ["4", 0], "lora_name": file.name, "strength_model": 1.0},
            "_meta": {"title": "LoRA"},
        }
        one[REFINE]["inputs"]["model"] = ["11", 0]
        return one

    assert len(sampled(listen(host, graph(10)).ids)) == 6
    assert sampled(listen(host, graph(11)).ids) == ["tile1"]
    save_file({"nothing": torch.zeros(2)}, file)
    assert len(sampled(listen(host, graph(12)).ids)) == 6


def test_without_resume_nothing_is_written(host: RunningHost) -> None:
    before = kept_tiles(host)
    outcome = run(host, tiled(new_picture(host), resume=False))
    assert passes(outcome)[0]["not_kept"] == "resume is off"
    assert kept_tiles(host) == before


def test_nothing_is_kept_of_what_never_gives_the_same_twice(host: RunningHost) -> None:
    before = kept_tiles(host)
    graph = tiled(new_picture(host))
    graph["11"] = {
        "class_type": "VectraHubTest_NeverTheSame",
        "inputs": {"model": ["4", 0]},
        "_meta": {"title": "Never the same"},
    }
    graph[REFINE]["inputs"]["model"] = ["11", 0]
    for _ in range(2):
        heard = listen(host, graph)
        assert len(sampled(heard.ids)) == 6
        assert "VectraHubTest_NeverTheSame" in passes(heard.outcome)[0]["not_kept"]
    assert kept_tiles(host) == before
