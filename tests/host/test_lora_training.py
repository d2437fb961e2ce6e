"""A LoRA trained in stages by core's own trainer, on the real host: what is carried from stage to stage, and kept."""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from safetensors.torch import save_file

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.events import Heard, listen
from vectrahub.tests.host.runs import history, run, submit, wait
from vectrahub.tests.host.training_graphs import (
    TRAIN,
    about,
    by_core,
    checkpoints,
    new_folder,
    picture,
    report,
    sampling,
    saved_picture,
    training,
    weights,
)
from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.host


@pytest.fixture(scope="module", autouse=True)
def own_files(host: RunningHost) -> Iterator[None]:
    """What is trained here is gone afterwards: other tests look at the list of LoRAs."""
    folders = host.output / "loras", host.models / "loras"
    before = {file for folder in folders for file in folder.rglob("*")}
    yield
    for file in {file for folder in folders for file in folder.rglob("*")} - before:
        if file.is_file():
            file.unlink()


@pytest.fixture
def name() -> str:
    return f"style{uuid.uuid4().hex}"


@pytest.fixture
def folder(host: RunningHost) -> Path:
    return new_folder(host)


@pytest.fixture
def alone(host: RunningHost) -> Path:
    """One picture: then the loss of a step depends on weights, noise and time alone, not on who was drawn."""
    return new_folder(host, 1)


@dataclass(frozen=True)
class Done:
    """One training of 6 steps, 3 per stage, that several tests look at."""

    folder: Path
    heard: Heard
    files: dict[int, Path]


@pytest.fixture(scope="module")
def done(host: RunningHost) -> Done:
    folder, name = new_folder(host), f"style{uuid.uuid4().hex}"
    heard = listen(host, training(folder, name))
    return Done(folder, heard, checkpoints(host, name))


def said(heard: Heard) -> list[str]:
    """What the node that people see said about itself."""
    return [text for shown, text in heard.texts if shown == TRAIN]


def test_it_trains_in_stages_and_says_so(host: RunningHost, done: Done) -> None:
    assert said(done.heard) == ["Training: steps 1 to 3", "Training: steps 4 to 6"]
    assert sorted(done.files) == [3, 6]
    assert not list((host.output / "loras").glob(".*"))
    first, last = (weights(done.files[steps]) for steps in (3, 6))
    assert {float(value) for key, value in last.items() if key.endswith(".alpha")} == {2.0}
    assert {value.shape[1] for key, value in last.items() if key.endswith(".lora_up.weight")} == {4}
    for ending in (".lora_up.weight", ".lora_down.weight", ".diff", ".diff_b"):
        keys = [key for key in last if key.endswith(ending)]
        assert keys and all((first[key] != last[key]).any() for key in keys if last[key].numel() > 1), ending
    figures = report(done.heard.outcome)
    assert figures["files"] == [f"loras/{done.files[steps].name}" for steps in (3, 6)]
    assert (figures["rank"], figures["alpha"], figures["steps"]) == (4, 2.0, 6)
    losses = about(done.files[6])["loss"]
    assert len(losses) == 6 and all(math.isfinite(loss) for loss in losses)
    assert about(done.files[3])["loss"] == losses[:3]


def test_pictures_of_several_sizes_are_learned_as_each_would_be_alone(host: RunningHost, name: str) -> None:
    """Core's own trainer, given the one picture, says what the loss of the first step must be.

    In its own buckets it is another.

    Which picture is drawn depends on the seed: the first of these draws one, the second the other.
    """
    both = new_folder(host, 2)
    picture(both / "car 1.png", 256, 64)
    drawn = []
    for seed in (1, 2):
        ours = training(both, f"{name}{seed}", {"minimum": 1}, steps=2, checkpoint_every=2, seed=seed)
        assert run(host, ours).problem is None
        loss = about(checkpoints(host, f"{name}{seed}")[2])["loss"][0]
        for number in range(2):
            other = both.with_name(f"{both.name}-{number}")
            other.mkdir(exist_ok=True)
            for file in both.glob(f"car {number}.*"):
                (other / file.name).write_bytes(file.read_bytes())
            expected = core_loss(host, other, f"{name}{seed}{number}", seed)
            if loss == pytest.approx(expected, rel=2e-5):
                drawn.append(number)
    assert sorted(drawn) == [0, 1]


def core_loss(host: RunningHost, folder: Path, name: str, seed: int) -> float:
    """Of the first step of core's trainer on the one picture of a folder."""
    ended = run(host, by_core(training(folder, name, {"minimum": 1}, seed=seed)))
    assert ended.problem is None, ended.error
    return about(checkpoints(host, name)[2])["loss"][0]


def test_a_stage_goes_on_where_the_one_before_it_ended(host: RunningHost, alone: Path, name: str) -> None:
    """The first loss of a stage is the one that a training without stages has there: nothing is forgotten.

    And the file does in core's LoRA loader what it did in the training.
    """
    whole = training(alone, f"{name}-whole", {"minimum": 1}, checkpoint_every=6, learning_rate=0.01)
    staged = training(alone, name, {"minimum": 1}, learning_rate=0.01)
    for graph in (whole, staged):
        assert run(host, graph).problem is None
    expected = about(checkpoints(host, f"{name}-whole")[6])["loss"]
    found = about(checkpoints(host, name)[6])["loss"]
    assert found[:4] == pytest.approx(expected[:4], rel=1e-3)
    assert expected[3] != pytest.approx(expected[0], rel=0.05)

    onto = training(alone, f"{name}-onto", {"minimum": 1}, steps=2, checkpoint_every=2, seed=1 + 3 * 1000)
    onto["9"] = node(
        *("Style", "LoraLoaderModelOnly"),
        model=["1", 0],
        lora_name=checkpoints(host, name)[3].name,
        strength_model=1.0,
    )
    onto[TRAIN]["inputs"]["model"] = ["9", 0]
    assert run(host, onto).problem is None
    assert about(checkpoints(host, f"{name}-onto")[2])["loss"][:1] == pytest.approx(expected[3:4], rel=1e-3)


def test_a_checkpoint_is_continued_as_if_nothing_had_happened(host: RunningHost, done: Done, name: str) -> None:
    heard = listen(host, training(done.folder, name, continue_from=done.files[3].name))
    assert said(heard) == ["Training: steps 4 to 6"]
    assert report(heard.outcome)["continued_from"] == done.files[3].name
    later = checkpoints(host, name)
    assert sorted(later) == [6]
    assert about(later[6])["loss"] == pytest.approx(about(done.files[6])["loss"], rel=1e-3)
    found, expected = weights(later[6]), weights(done.files[6])
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5, msg=key)


def test_more_steps_run_only_what_is_new(host: RunningHost, folder: Path, name: str) -> None:
    run(host, training(folder, name, steps=2, checkpoint_every=2))
    heard = listen(host, training(folder, name, steps=4, checkpoint_every=2))
    assert [one.split(".")[-1] for one in heard.ids if ".train" in one] == ["train4"]
    assert sorted(checkpoints(host, name)) == [2, 4]


def test_a_cancelled_training_leaves_whole_checkpoints(host: RunningHost, folder: Path, name: str) -> None:
    control = host.base / "tiny_diffusion"
    control.mkdir(exist_ok=True)
    (control / "control.json").write_text(json.dumps({"slow": 0.1}))
    graph = training(folder, name, steps=60)
    try:
        job = submit(host, graph)
        while 3 not in checkpoints(host, name):
            assert history(host, job) is None
            time.sleep(0.02)
        time.sleep(0.2)
        httpx.post(f"{host.url}/interrupt", trust_env=False, timeout=60).raise_for_status()
        assert wait(host, job).entry["status"]["messages"][-1][0] == "execution_interrupted"
    finally:
        for file in control.iterdir():
            file.unlink()
        control.rmdir()
    left = checkpoints(host, name)
    assert 3 in left and max(left) < 60
    assert not list((host.output / "loras").glob(".*"))
    last = max(left)
    assert all(value.isfinite().all() for value in weights(left[last]).values())
    graph[TRAIN]["inputs"].update(steps=last + 3)
    heard = listen(host, graph)  # the start of that stage comes from the cache, and its file is still there
    assert heard.outcome.problem is None, heard.outcome.error
    assert [one.split(".")[-1] for one in heard.ids if ".start" in one or ".train" in one] == [f"train{last + 3}"]
    graph[TRAIN]["inputs"].update(steps=last + 6, continue_from=left[last].name)
    assert run(host, graph).problem is None
    assert max(checkpoints(host, name)) == last + 6


def test_the_file_works_in_cores_loader(host: RunningHost, done: Done, name: str) -> None:
    file = done.files[6].name
    seen = len(host.log.read_text(encoding="utf-8", errors="replace"))
    plain, styled = (saved_picture(run(host, sampling(file, strength, name))) for strength in (0.0, 0.8))
    assert abs(styled - plain).max() > 3
    log = host.log.read_text(encoding="utf-8", errors="replace")[seen:]
    assert "not loaded" not in log.lower() and "error" not in log.lower(), log


def test_pairs_learn_the_target(host: RunningHost, name: str) -> None:
    folder = host.input / uuid.uuid4().hex
    folder.mkdir()
    for number in range(10):
        picture(folder / "input" / f"{number}.jpg", 96, 64)
        picture(folder / "target" / f"{number}.png", 64, 64)
    (folder / "target" / "3.txt").write_text("a red bus, <style>", encoding="utf-8")
    graph = training(folder, name, steps=2, checkpoint_every=2)
    graph["8"] = node("Photos", "PreviewImage", images=["2", 2])
    ended = run(host, graph)
    assert report(ended, "2") == {
        "pictures": 10,
        "pairs": 10,
        "captioned": 1,
        "below_half_a_megapixel": [f"{number}.png" for number in range(10)],
    }
    assert len(ended.entry["outputs"]["8"]["images"]) == 10
    (folder / "input" / "4.jpg").unlink()
    (folder / "target" / "5.png").unlink()
    assert "target/4.png" in (error := run(host, graph).error) and "input/5.jpg" in error


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"folder": "nowhere"}, ["'nowhere'", "Make it"]),
        ({"folder": ".."}, ["No such folder"]),
        ({"folder": "/tmp"}, ["No such folder"]),
        ({"folder": "."}, ["No such folder"]),
        ({"folder": "a" * 5000}, ["No such folder", "aaa'..."]),
        ({"folder": "a\0b"}, ["No such folder"]),
        ({"minimum": 11}, ["Too few pictures", "got 10", "at least 11"]),
    ],
)
def test_bad_folders(host: RunningHost, folder: Path, name: str, inputs: dict[str, Any], words: list[str]) -> None:
    graph = training(folder, name)
    graph["2"]["inputs"].update(inputs)
    error = run(host, graph).error
    assert "VectraHub_TrainingSet" in error and all(word in error for word in words), error


def test_a_link_out_of_the_input_folder_is_no_folder(
    host: RunningHost, folder: Path, name: str, tmp_path: Path
) -> None:
    graph = training(folder.rename(tmp_path / name), name)
    (host.input / name).symlink_to(tmp_path / name)
    error = run(host, graph | {"2": {**graph["2"], "inputs": {**graph["2"]["inputs"], "folder": name}}}).error
    assert "no link out of it" in error and name not in error.split("allowed")[1], error


def test_a_broken_picture_is_named(host: RunningHost, folder: Path, name: str) -> None:
    (folder / "car 3.png").write_bytes((folder / "car 3.png").read_bytes()[:60])
    assert "cannot be read: got car 3.png" in run(host, training(folder, name)).error


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rank": 8}, ["'rank'", "got 8", "allowed 4"]),
        ({"steps": 6}, ["got 6", "more than its 6"]),
        ({"name": "../style"}, ["no '..'"]),
        ({"name": "my_steps_style"}, ["no '_steps_'"]),
        ({"name": "my_500_steps"}, ["no '_steps'", "my_500_steps"]),
        ({"name": "x" * 173}, ["'181 bytes'", "at most 180"]),
        ({"steps": 100, "checkpoint_every": 1}, ["'checkpoint_every'", "got 94", "at most 50"]),
    ],
)
def test_bad_settings(host: RunningHost, done: Done, settings: dict[str, Any], words: list[str]) -> None:
    asked = {"name": "style", "continue_from": done.files[6].name, "steps": 9, **settings}
    error = run(host, training(done.folder, **asked)).error
    assert "VectraHub_Train" in error and all(word in error for word in words), error


@pytest.mark.parametrize(("letters", "trains"), [(171, True), (172, False)])
def test_a_name_is_too_long_before_anything_is_trained(
    host: RunningHost, done: Done, name: str, letters: int, trains: bool
) -> None:
    graph = training(done.folder, name.ljust(letters, "x"), steps=10, checkpoint_every=9, learning_rate=1e-5)
    heard = listen(host, graph)
    assert any(".train" in one for one in heard.ids) == trains == (heard.outcome.problem is None)


def test_a_place_that_cannot_be_written_to(host: RunningHost, done: Done, name: str) -> None:
    (host.output / "loras" / name).touch()
    heard = listen(host, training(done.folder, f"{name}/style"))
    assert all(word in heard.outcome.error for word in ("cannot be written", f"loras/{name}", "'name'"))
    assert not any(".train" in one for one in heard.ids)


def test_the_file_knows_its_steps_better_than_its_name(host: RunningHost, done: Done, name: str) -> None:
    file = host.output / "loras" / f"{name}_2_steps_copy.safetensors"
    file.write_bytes(done.files[3].read_bytes())
    heard = listen(host, training(done.folder, f"{name}x", steps=6, continue_from=file.name))
    assert said(heard) == ["Training: steps 4 to 6"]


def put_lora(host: RunningHost, file: Path, name: str, about: str | None) -> str:
    """A copy that says this about itself."""
    copied = host.models / "loras" / f"{name}_3_steps_.safetensors"
    copied.parent.mkdir(exist_ok=True)
    save_file(weights(file), copied, None if about is None else {"vectrahub_training": about})
    return copied.name


@pytest.mark.parametrize("fault", ["{bad", "[" * 100_000, "cut", "empty", "pickle"])
def test_a_broken_file_is_named_before_anything_is_trained(
    host: RunningHost, done: Done, name: str, fault: str
) -> None:
    file = host.models / "loras" / put_lora(host, done.files[3], name, fault)
    if fault == "cut":
        file.write_bytes(done.files[3].read_bytes()[:-1000])
    elif fault == "empty":
        file.write_bytes(b"")
    elif fault == "pickle":
        torch.save(weights(done.files[3]), file)
    heard = listen(host, training(done.folder, name, steps=9, continue_from=file.name))
    assert all(word in heard.outcome.error for word in ("cannot be read", file.name, "'continue_from' to new"))
    assert not any(".load" in one for one in heard.ids)


@pytest.mark.parametrize("about_it", ['{"loss": 5}', '{"loss": [1, "2"]}', '{"steps": -4}', "[]", None])
def test_a_loss_that_is_no_list_of_numbers_is_left_out(
    host: RunningHost, done: Done, name: str, about_it: str | None
) -> None:
    file = put_lora(host, done.files[3], name, about_it)
    assert run(host, training(done.folder, name, steps=5, continue_from=file)).problem is None
    assert len(about(checkpoints(host, name)[5])["loss"]) == 2


def test_other_inner_shapes_are_refused(host: RunningHost, done: Done, name: str) -> None:
    changed = weights(done.files[3])
    key = next(key for key in changed if key.endswith("lora_down.weight"))
    save_file(
        {**changed, key: changed[key][:, :-1].contiguous()},
        file := host.models / "loras" / f"{name}_3_steps_.safetensors",
    )
    assert "another model" in run(host, training(done.folder, name, continue_from=file.name)).error


def test_a_file_of_another_program_is_refused(host: RunningHost, done: Done, name: str) -> None:
    file = host.models / "loras" / f"{name}_10_steps_.safetensors"
    file.parent.mkdir(exist_ok=True)
    save_file({"lora_unet_x.lora_up.weight": torch.zeros(4, 4)}, file)
    error = run(host, training(done.folder, name, steps=20, continue_from=file.name)).error
    assert "a file of another program" in error


def test_the_shipped_workflow_trains_and_tries(host: RunningHost, name: str) -> None:
    """As it is, but for the tiny checkpoint, small pictures and few steps."""
    graph = json.loads((ROOT / "workflows" / "api" / "vehicle_lora.json").read_text(encoding="utf-8"))
    named = {one["_meta"]["title"]: one["inputs"] for one in graph.values()}
    assert [named["Train"][key] for key in ("rank", "alpha", "learning_rate", "checkpoint_every")] == [
        32,
        16,
        1e-4,
        500,
    ]
    assert named["Pictures"]["trigger"] in named["Words"]["text"]
    graph["1"] = node("Checkpoint", "VectraHubTest_TinySDXL", seed=0)
    named["Pictures"]["folder"] = new_folder(host).name
    named["Fit"]["megapixels"] = 0.01
    named["Train"].update(name=name, steps=3, checkpoint_every=2)
    named["Canvas"].update(width=64, height=64)
    named["Sample"]["steps"] = 2
    ended = run(host, graph)
    assert ended.problem is None, ended.error
    assert sorted(checkpoints(host, name)) == [2, 3]
    saved = next(number for number, one in graph.items() if one["_meta"]["title"] == "Save trial")
    assert len(ended.entry["outputs"][saved]["images"]) == 1
