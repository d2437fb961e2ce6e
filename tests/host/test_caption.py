"""QwenCaption in the real host: a caption per image, memory, cancel, and a host without weights.

The network is tiny and of random weights, in the released layout; it says words of a short list.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.tests.host.events import cancel
from vectrahub.tests.host.runs import Graph, Outcome, free, refusal, run
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.tiny_captioner import write_tiny_captioner

pytestmark = pytest.mark.host

_salt = itertools.count(1)  # the host caches what it has computed


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("captioners")
    tiny = write_tiny_captioner(folder / "tiny")
    return {"tiny": tiny, "endless": write_tiny_captioner(folder / "endless", ends=0.0)}


@pytest.fixture(scope="module")
def models(host: RunningHost, written: dict[str, Path]) -> Iterator[RunningHost]:
    """The session's host with the folders `tiny` and `Qwen-VL/endless` in models/LLM, and one of another model."""
    place = host.models / "LLM"
    (place / "Qwen-VL").mkdir(parents=True)
    (place / "tiny").symlink_to(written["tiny"], target_is_directory=True)
    (place / "Qwen-VL" / "endless").symlink_to(written["endless"], target_is_directory=True)
    (place / "other").mkdir()
    (place / "other" / "config.json").write_text('{"model_type": "qwen3_vl"}')
    try:
        yield host
    finally:
        shutil.rmtree(place)


def graph(count: int = 3, broken: int = 0, images: list[Any] | None = None, **inputs: object) -> Graph:
    """A list of images -> QwenCaption -> PreviewAny, once per caption."""
    listed = {"count": count, "broken": broken, "salt": next(_salt)}
    inputs = {"images": images or ["1", 0], "max_tokens": 12, **inputs}
    nodes = {
        "1": ("VectraHubTest_List", listed),
        "2": ("VectraHub_QwenCaption", inputs),
        "3": ("PreviewAny", {"source": ["2", 0]}),
    }
    return {n: {"class_type": kind, "inputs": i, "_meta": {"title": kind}} for n, (kind, i) in nodes.items()}


def captions(done: Outcome) -> list[str]:
    assert done.problem is None, done.problem
    return done.entry["outputs"]["3"]["text"]


def report(done: Outcome) -> dict[str, Any]:
    assert done.problem is None, done.problem
    return json.loads(done.entry["outputs"]["2"]["vectrahub_report"][0])


def loads(host: RunningHost, model: str) -> int:
    return host.log.read_text(errors="replace").count(f"loading Qwen2.5-VL from {model}")


# Without weights; these come before `models`


def test_without_weights_the_error_says_what_to_do(host: RunningHost) -> None:
    error = run(host, graph()).error
    assert "QwenCaption" in error
    for part in ("models/LLM", "16.6 GB", "Apache-2.0", "python install.py models get qwen2.5-vl-7b", "non-commercial"):
        assert part in error, error


def test_without_weights_it_can_be_skipped(host: RunningHost) -> None:
    done = run(host, graph(if_missing="skip"))
    assert captions(done) == [""] * 4, "three of the list, one of them a batch of two"
    images = report(done)["images"]
    assert len(images) == 4 and {image["engine"] for image in images} == {"none"}
    assert "no Qwen2.5-VL in models/LLM" in images[0]["reason"]


def test_an_unfinished_download_is_named(host: RunningHost, written: dict[str, Path]) -> None:
    half = host.models / "LLM" / "half"
    half.mkdir(parents=True)
    try:
        for file in written["endless"].iterdir():
            if file.name != "model-00002-of-00002.safetensors":
                (half / file.name).symlink_to(file)
        error = run(host, graph()).error
        assert "model-00002-of-00002.safetensors" in error and "models get qwen2.5-vl-7b" in error
    finally:
        shutil.rmtree(half)


def test_a_broken_image_is_named(host: RunningHost) -> None:
    error = run(host, graph(broken=3, if_missing="skip")).error
    assert "Image 3 is broken" in error and "NaN" in error


def test_an_empty_batch_is_refused(host: RunningHost) -> None:
    empty = graph(images=["4", 0], if_missing="skip")
    inputs = {"count": 0, "width": 64, "height": 64}
    empty["4"] = {"class_type": "VectraHubTest_Batch", "inputs": inputs, "_meta": {"title": "Batch"}}
    assert "The image batch is empty" in run(host, empty).error


# With weights


def test_every_image_gets_a_caption(models: RunningHost) -> None:
    done = run(models, graph(count=2, model="tiny"))
    said, images = captions(done), report(done)["images"]
    assert len(said) == 3 == len(set(said)) and all(said)
    assert [image["caption"] for image in images] == said
    assert {image["engine"] for image in images} == {"tiny"}
    assert [image["batch"] for image in images] == [2, 2, 1], "a CPU takes two at a time"
    assert all("\n" not in text and 0 < image["tokens"] <= 12 for text, image in zip(said, images, strict=True))


def test_a_caption_is_the_images_own(models: RunningHost) -> None:
    """Sampled, alone and beside others."""
    inputs = {"model": "tiny", "temperature": 0.9, "seed": 4, "style": "sentence"}
    whole, less = graph(count=2, **inputs), graph(count=1, **inputs)
    less["1"]["inputs"]["salt"] = whole["1"]["inputs"]["salt"]
    first = captions(run(models, whole))
    assert captions(run(models, less)) == first[:1]
    less["2"]["inputs"]["seed"] = 5
    assert captions(run(models, less)) != first[:1]


def test_auto_takes_what_is_there(models: RunningHost) -> None:
    image = report(run(models, graph(count=1)))["images"][0]
    assert image["engine"] == "Qwen-VL/endless" and image["reason"].startswith("auto: ")


def test_a_folder_of_another_model_is_no_choice(models: RunningHost) -> None:
    assert "other" in refusal(models, graph(model="other"))
    listed = httpx.get(f"{models.url}/object_info/VectraHub_QwenCaption", trust_env=False, timeout=60).json()
    options = listed["VectraHub_QwenCaption"]["input"]["optional"]["model"]
    assert "qwen3" not in json.dumps(options) and "Qwen-VL/endless" in json.dumps(options)


def test_it_stays_loaded_until_it_is_freed(models: RunningHost) -> None:
    run(models, graph(count=1, model="tiny"))
    before = loads(models, "tiny")
    run(models, graph(count=1, model="tiny"))
    assert loads(models, "tiny") == before
    assert captions(run(models, graph(count=1, model="tiny", free_after=True)))
    assert loads(models, "tiny") == before
    assert captions(run(models, graph(count=1, model="tiny")))
    assert loads(models, "tiny") == before + 1

    free(models, unload_models=True)
    run(models, graph(count=1, model="tiny"))
    assert loads(models, "tiny") == before + 2


def test_freeing_it_leaves_others_loaded(models: RunningHost) -> None:
    run(models, graph(count=1, model="tiny"))
    before = loads(models, "tiny")
    run(models, graph(count=1, model="Qwen-VL/endless", free_after=True))
    run(models, graph(count=1, model="tiny"))
    assert loads(models, "tiny") == before


def test_cancel_in_the_middle(models: RunningHost) -> None:
    run(models, graph(count=1, model="Qwen-VL/endless"))  # loaded
    cancel(models, graph(count=12, model="Qwen-VL/endless", max_tokens=512, free_after=True), "2")
    before = loads(models, "endless")
    assert captions(run(models, graph(count=1, model="Qwen-VL/endless")))
    assert loads(models, "endless") == before + 1, "freed, although it was cancelled"
