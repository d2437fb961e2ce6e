"""Try-on in the real host: what its models are given, and what comes back.

A tiny Qwen-Image of core's classes is connected, in which words, person and garment matter.
"""

from __future__ import annotations

import time

import httpx
import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import free, history, refusal, run, submit, wait
from vectrahub.tests.host.tryon_graphs import (
    BLUE,
    COMPARISON,
    RED,
    SAVE,
    TRYON,
    Watching,
    dressed,
    new_picture,
    parts,
    picture_of,
    red_and_blue,
    report,
    with_mask,
)
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host

LABELS = "Picture 1: <|vision_start|><|image_pad|><|vision_end|>Picture 2: <|vision_start|><|image_pad|><|vision_end|>"


@pytest.fixture(scope="module")
def pictures(host: RunningHost) -> tuple[str, str]:
    return red_and_blue(host)


@pytest.fixture(scope="module")
def plain(host: RunningHost, pictures: tuple[str, str]) -> np.ndarray:
    """What comes back for them."""
    return picture_of(run(host, dressed(*pictures)))


# What the models are given


def test_pictures_and_words_land_where_they_belong(host: RunningHost, pictures: tuple[str, str]) -> None:
    with Watching(host) as watching:
        graph = dressed(*pictures, mode="base", steps=1, prompt="a prompt of its own")
        picture_of(run(host, graph))
        seen = watching.seen()
    assert sorted(text for text, _ in seen.encoded) == [LABELS, f"{LABELS}a prompt of its own"]
    for _, (person, garment) in seen.encoded:
        assert np.abs(np.median(person, axis=(0, 1)) - RED).max() <= 2
        assert np.abs(np.median(garment, axis=(0, 1)) - BLUE).max() <= 2
    assert sorted(text for call in seen.calls for text in call["texts"]) == [LABELS, f"{LABELS}a prompt of its own"]
    frame = {(call["height"], call["width"]) for call in seen.calls}
    assert frame == {(80, 60)}, "640 x 480"
    assert all(call["method"] == "index_timestep_zero" for call in seen.calls)
    assert all(call["references"] == [[148, 111]] * 2 for call in seen.calls), "both in the frame's aspect"


def test_forty_steps_at_cfg_4(host: RunningHost, pictures: tuple[str, str]) -> None:
    """Only begun: it would take a minute."""
    with Watching(host, slow=0.2) as watching:
        job = submit(host, dressed(*pictures, mode="base", steps=0))
        deadline = time.monotonic() + 240
        while len(watching.seen().calls) < 6 and time.monotonic() < deadline:
            time.sleep(0.1)
        stop(host, job)
        calls = watching.seen().calls
    sigmas = sorted({call["sigma"] for call in calls}, reverse=True)
    share = [(1 - index / 40) for index in range(len(sigmas))]
    assert sigmas == pytest.approx([3.1 * one / (1 + 2.1 * one) for one in share], abs=2e-3)
    assert {text for call in calls for text in call["texts"]} == {f"{LABELS}wear it", LABELS}


@pytest.mark.parametrize("what", ["prompt", "person", "garment", "seed"])
def test_all_that_should_matter_does(
    host: RunningHost, pictures: tuple[str, str], plain: np.ndarray, what: str
) -> None:
    person, garment = pictures
    if what == "person":
        person = new_picture(host, 300, 400, (90, 160, 90))
    elif what == "garment":
        garment = new_picture(host, 500, 250, (240, 240, 20))
    own = {"prompt": {"prompt": "something else"}, "seed": {"seed": 5}}.get(what, {})
    after = picture_of(run(host, dressed(person, garment, **own)))
    assert np.abs(after.astype(int) - plain).mean() > 0.2


def test_a_mark_is_painted_green_and_explained(host: RunningHost, pictures: tuple[str, str]) -> None:
    mask = new_mask(host, 300, 400)
    with Watching(host) as watching:
        graph = with_mask(dressed(*pictures, mask_prompt="Green is where."), mask)
        outcome = run(host, graph)
        seen = watching.seen()
    ((text, (person, garment)),) = seen.encoded
    assert text == f"{LABELS}Green is where. wear it"
    high, wide = person.shape[:2]
    marked = person[int(high * 0.56) : int(high * 0.94), int(wide * 0.06) : int(wide * 0.44)]
    assert np.abs(marked.astype(int) - (0, 255, 0)).max() <= 1
    assert (person[: high // 2 - 2] != (0, 255, 0)).any(axis=-1).all()
    assert np.abs(np.median(garment, axis=(0, 1)) - BLUE).max() <= 2
    assert picture_of(outcome).shape == (400, 300, 3)
    assert report(outcome)["prompt"] == "Green is where. wear it"


def test_an_empty_mask_marks_nothing(host: RunningHost, pictures: tuple[str, str], plain: np.ndarray) -> None:
    name = new_picture(host, 300, 400, (0, 0, 0))
    pixels = np.zeros((400, 300, 3), np.uint8)
    Image.fromarray(pixels).save(host.input / name)
    outcome = run(host, with_mask(dressed(*pictures), name))
    assert report(outcome)["prompt"] == "wear it"
    assert np.array_equal(picture_of(outcome), plain)


def test_a_garment_cut_out_lies_on_white(host: RunningHost, pictures: tuple[str, str]) -> None:
    name = new_picture(host, 300, 300, (*BLUE, 255))
    pixels = np.asarray(Image.open(host.input / name)).copy()
    pixels[:, 200:] = (0, 0, 0, 0)
    Image.fromarray(pixels).save(host.input / name)
    with Watching(host) as watching:
        picture_of(run(host, dressed(pictures[0], name)))
        ((_, (_, garment)),) = watching.seen().encoded
    high, wide = garment.shape[:2]
    right = garment[high // 3 : high * 2 // 3, int(wide * 0.75) :]
    assert right.min() >= 253


# What comes back


@pytest.mark.parametrize(
    ("person", "garment"), [((333, 517), (640, 260)), ((517, 333), (200, 600)), ((100, 290), (64, 64))]
)
def test_the_result_has_the_persons_size(host: RunningHost, person: tuple[int, int], garment: tuple[int, int]) -> None:
    outcome = run(host, dressed(new_picture(host, *person), new_picture(host, *garment, BLUE)))
    assert picture_of(outcome).shape == (person[1], person[0], 3)
    painted = report(outcome)["painted"]
    assert min(painted) == 480 and all(side % 16 == 0 for side in painted)


def test_without_the_original_it_has_the_frames_size(host: RunningHost, pictures: tuple[str, str]) -> None:
    graph = dressed(*pictures)
    del graph[TRYON]["inputs"]["original"]
    assert picture_of(run(host, graph)).shape == (640, 480, 3)


def test_a_photograph_that_lies_on_its_side_comes_back_upright(host: RunningHost, pictures: tuple[str, str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter clockwise
    name = "on_its_side.jpg"
    Image.new("RGB", (400, 300), RED).save(host.input / name, exif=exif)
    assert picture_of(run(host, dressed(name, pictures[1]))).shape == (400, 300, 3)


def test_the_comparison_is_made_only_when_asked(host: RunningHost, pictures: tuple[str, str]) -> None:
    off = listen(host, dressed(*pictures))
    assert off.outcome.problem is None and COMPARISON not in off.outcome.entry["outputs"]
    assert off.outcome.entry["status"]["status_str"] == "success"
    on = listen(host, dressed(*pictures, comparison=True))
    row = picture_of(on.outcome, COMPARISON)
    assert parts(on.ids) in (["finish"], [TRYON, "finish"])
    assert row.shape == (400, 900, 3), "the garment is shown in the frame's aspect"
    assert np.array_equal(row[:, 600:], picture_of(on.outcome))
    assert np.abs(np.median(row[200:, :300], axis=(0, 1)) - RED).max() <= 2
    assert np.abs(np.median(row[:, 300:600], axis=(0, 1)) - BLUE).max() <= 2


def test_a_new_seed_runs_the_sampler_and_what_follows(host: RunningHost, pictures: tuple[str, str]) -> None:
    run(host, dressed(*pictures))
    heard = listen(host, dressed(*pictures, seed=4321))
    assert parts(heard.ids) == ["sample", "decode", "finish"]
    assert not {"Tiny", "Prepare", "Person", "Garment"} & set(heard.ran)


def test_same_seed_same_bytes(host: RunningHost, pictures: tuple[str, str], plain: np.ndarray) -> None:
    free(host, unload_models=True, free_memory=True)
    again = listen(host, dressed(*pictures))
    assert "sample" in parts(again.ids), "computed anew"
    assert np.array_equal(plain, picture_of(again.outcome))


# Trouble


@pytest.mark.parametrize("size", [(1, 1), (63, 400)])
def test_too_small_a_picture_is_refused(host: RunningHost, pictures: tuple[str, str], size: tuple[int, int]) -> None:
    tiny = new_picture(host, *size)
    for graph, name in ((dressed(tiny, pictures[1]), "person"), (dressed(pictures[0], tiny), "garment")):
        error = run(host, graph).error
        assert "VTONPrepare" in error and name in error and f"{size[0]} x {size[1]}" in error and "64" in error


def test_an_unknown_mode_never_starts(host: RunningHost, pictures: tuple[str, str]) -> None:
    said = refusal(host, dressed(*pictures, mode="turbo"))
    assert "turbo" in said and "fp8" in said


def test_a_person_that_was_not_prepared_is_refused(host: RunningHost, pictures: tuple[str, str]) -> None:
    graph = dressed(new_picture(host, 333, 517), pictures[1], person=["1", 0])
    error = run(host, graph).error
    assert "333 x 517" in error and "VTON Prepare" in error


@pytest.mark.parametrize("slot", ["garment", "prompt", "original"])
def test_what_is_wrong_is_told_before_anything_is_painted(
    host: RunningHost, pictures: tuple[str, str], slot: str
) -> None:
    """Two garments as a list, two prompts as a list, an original of another aspect."""
    graph = dressed(*pictures)
    graph["9"] = node("Other", "LoadImage", image=new_picture(host, 400, 300))
    graph["10"] = node("Pair", "VectraHubTest_Pair", first=["3", 1], second=["9", 0])
    graph[TRYON]["inputs"][slot] = {"garment": ["10", 0], "prompt": ["10", 1], "original": ["9", 0]}[slot]
    heard = listen(host, graph)
    assert heard.outcome.problem is not None
    assert f"'{slot}'" in heard.outcome.error
    assert "sample" not in parts(heard.ids)


def test_several_seeds_give_an_error_rather_than_a_result_in_the_wrong_place(
    host: RunningHost, pictures: tuple[str, str]
) -> None:
    graph = dressed(*pictures)
    graph["10"] = node("Pair", "VectraHubTest_Pair", first=["3", 1], second=["3", 1])
    graph[TRYON]["inputs"]["seed"] = ["10", 2]
    outcome = run(host, graph)
    assert outcome.problem is not None and "Queue one run for each" in outcome.error


@pytest.mark.parametrize("value", [{"steps": ["10", 3]}, {"cfg": ["10", 4]}])
def test_linked_numbers_are_checked_too(
    host: RunningHost, pictures: tuple[str, str], value: dict[str, list[str | int]]
) -> None:
    graph = dressed(*pictures, **value)
    graph["10"] = node("Pair", "VectraHubTest_Pair", first=["3", 1], second=["3", 1])
    outcome = run(host, graph)
    assert outcome.problem is not None and "got -3" in outcome.error


def test_two_persons_are_refused(host: RunningHost, pictures: tuple[str, str]) -> None:
    graph = dressed(*pictures)
    graph["9"] = node("Two", "VectraHubTest_Batch", count=2, width=480, height=640)
    graph["3"]["inputs"]["person"] = ["9", 0]
    del graph["3"]["inputs"]["person_mask"]
    assert "person" in run(host, graph).error


def test_cancel_in_the_middle_of_sampling(host: RunningHost, pictures: tuple[str, str]) -> None:
    run(host, dressed(*pictures))
    with Watching(host, slow=0.2) as watching:
        job = submit(host, dressed(*pictures, seed=77, steps=100))
        deadline = time.monotonic() + 240
        while not watching.seen().calls and time.monotonic() < deadline:
            time.sleep(0.05)
        stop(host, job)
        assert 0 < len(watching.seen().calls) < 100
    assert picture_of(run(host, dressed(*pictures, seed=78)), SAVE).shape == (400, 300, 3)


def stop(host: RunningHost, job: str) -> None:
    """Cancel the running job, and wait for its end."""
    assert history(host, job) is None, "still running"
    httpx.post(f"{host.url}/interrupt", timeout=60, trust_env=False).raise_for_status()
    assert wait(host, job).entry["status"]["messages"][-1][0] == "execution_interrupted"


def new_mask(host: RunningHost, width: int, height: int) -> str:
    """White in the lower left quarter."""
    name = new_picture(host, width, height, (0, 0, 0))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[height // 2 :, : width // 2] = 255
    Image.fromarray(pixels).save(host.input / name)
    return name
