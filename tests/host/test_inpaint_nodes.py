"""LaMaInpaint and FirstMask in the real host: with and without weights, memory, cancel, and what is never computed.

The weights are random ones in the formats of the release, made once: they have the size of the real network.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from vectrahub.tests.host.events import cancel, listen
from vectrahub.tests.host.runs import Graph, Outcome, run
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.rrdbnet import write_rrdbnet
from vectrahub.tests.tiny_lama import write_checkpoint, write_lama, write_torchscript

pytestmark = pytest.mark.host

ADD = {"operation": "add"}
HOLE = np.s_[20:40, 30:41]
_salt = itertools.count(1)  # the host caches what it has computed, and its listings


def photo(host: RunningHost, height: int = 61, width: int = 75, hole: Any = HOLE) -> tuple[str, np.ndarray]:
    """The name of a noisy picture that is transparent at the hole, and its colours (height, width, 3)."""
    number = next(_salt)
    rgb = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    alpha = np.full((height, width), 255, np.uint8)
    if hole is not None:
        alpha[hole] = 0
    name = f"inpaint {number}.png"
    Image.fromarray(np.dstack([rgb, alpha])).save(host.input / name)
    return name, rgb


def nodes(**kinds: tuple[str, dict[str, Any]]) -> Graph:
    """Title -> node; links name titles."""
    ids = {title: str(number) for number, title in enumerate(kinds, 1)}

    def linked(value: Any) -> Any:
        return [ids[value[0]], value[1]] if isinstance(value, tuple) else value

    return {
        ids[title]: {
            "class_type": kind,
            "inputs": {name: linked(value) for name, value in inputs.items()},
            "_meta": {"title": title},
        }
        for title, (kind, inputs) in kinds.items()
    }


def graph(name: str, **inputs: object) -> Graph:
    """LoadImage, whose transparency is the mask -> LaMaInpaint -> SaveImage."""
    inputs = {"image": ("Photo", 0), "mask": ("Photo", 1), "model": "auto", **inputs}
    save = {"images": ("Inpaint", 0), "filename_prefix": "vectrahub/inpainted"}
    return nodes(
        Photo=("LoadImage", {"image": name}), Inpaint=("VectraHub_LaMaInpaint", inputs), Save=("SaveImage", save)
    )


def saved(done: Outcome) -> list[np.ndarray]:
    assert done.problem is None, done.problem
    files = done.entry["outputs"]["3"]["images"]
    return [
        np.asarray(Image.open(done.host.output / one["subfolder"] / one["filename"]).convert("RGB")) for one in files
    ]


def report(done: Outcome, node: str = "2") -> dict[str, Any]:
    assert done.problem is None, done.problem
    return json.loads(done.entry["outputs"][node]["vectrahub_report"][0])


def loads(host: RunningHost) -> int:
    return host.log.read_text(errors="replace").count("loading LaMa from")


# Without weights; these come before `lama`


def test_without_weights_the_error_names_the_file_and_the_command(host: RunningHost) -> None:
    done = run(host, graph(photo(host)[0]))
    assert done.error.startswith("2 VectraHub_LaMaInpaint: LaMa (auto: no LaMa in models/inpaint; ")
    assert "big-lama.safetensors, 204 MB, Apache-2.0" in done.error
    assert "python install.py models get big-lama" in done.error


def test_an_empty_mask_gives_the_original_and_needs_no_weights(host: RunningHost) -> None:
    name, rgb = photo(host, hole=None)
    done = run(host, graph(name))
    assert np.array_equal(saved(done)[0], rgb)
    (figures,) = report(done)["images"]
    assert figures["engine"] == "none" and "original" in figures["reason"] and figures["runs"] == 0


def test_no_planes_at_all_mark_nothing(host: RunningHost) -> None:
    """As core's SAM 3 gives them where nothing is found, with a node between that would stumble over them."""
    graph = nodes(
        Batch=("VectraHubTest_Batch", {"count": 0, "width": 40, "height": 30}),
        Found=("VectraHub_FirstMask", {"mask": ("Batch", 1)}),
        Grow=("GrowMask", {"mask": ("Found", 0), "expand": 5, "tapered_corners": True}),
        Photo=("LoadImage", {"image": photo(host, hole=None)[0]}),
        Inpaint=("VectraHub_LaMaInpaint", {"image": ("Photo", 0), "mask": ("Grow", 0), "model": "auto"}),
        Bare=("VectraHub_LaMaInpaint", {"image": ("Photo", 0), "mask": ("Batch", 1), "model": "auto"}),
        Save=("PreviewImage", {"images": ("Inpaint", 0)}),
        Shown=("PreviewImage", {"images": ("Bare", 0)}),
    )
    done = run(host, graph)
    assert report(done, "2")["images"] == [{"which": 0, "marked": {"1": 0.0}}]
    assert [report(done, node)["images"][0]["engine"] for node in ("5", "6")] == ["none", "none"]


# With weights


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lama(tmp_path_factory.mktemp("lama") / "big-lama.safetensors")


@pytest.fixture(scope="module")
def lama(host: RunningHost, written: Path) -> Iterator[RunningHost]:
    """The session's host with big-lama and some files that are none in models/inpaint."""
    place = host.models / "inpaint"
    place.mkdir(parents=True, exist_ok=True)
    (place / written.name).symlink_to(written)
    write_torchscript(place / "script.pt")
    write_rrdbnet(place / "upscaler.safetensors", 2)
    (place / "half.safetensors").write_bytes(written.read_bytes()[:100_000])
    tensors = load_file(written)
    save_file(dict(list(tensors.items())[: len(tensors) // 2]), place / "part.safetensors")
    torch.save([1, 2, 3], place / "list.pth")
    torch.save(None, place / "none.pth")
    torch.save({"state_dict": {1: torch.ones(2)}}, place / "numbers.pth")
    try:
        yield host
    finally:
        for file in place.iterdir():  # the folder stays: ComfyUI remembers the time of it
            file.unlink()
        httpx.post(f"{host.url}/free", json={"unload_models": True, "free_memory": True}, trust_env=False, timeout=60)


def test_what_is_marked_is_repainted_and_nothing_else(lama: RunningHost) -> None:
    name, rgb = photo(lama)
    done = run(lama, graph(name))
    (picture,) = saved(done)
    outside = np.ones(rgb.shape[:2], bool)
    outside[HOLE] = False
    assert np.array_equal(picture[outside], rgb[outside])
    assert np.abs(picture[HOLE].astype(int) - 127).max() < 40  # what untrained weights say
    (figures,) = report(done)["images"]
    assert figures["engine"] == "big-lama.safetensors" and figures["reason"].startswith("auto: ")
    assert (figures["size"], figures["holes"], figures["runs"]) == ([75, 61], 1, 1)
    before = loads(lama)
    assert run(lama, graph(photo(lama)[0])).problem is None
    assert loads(lama) == before == 1, "it must stay in memory between runs"


def test_a_batch_takes_one_mask_or_one_each(lama: RunningHost) -> None:
    def batch(count: int, value: float) -> Graph:
        color = 0x336600 + next(_salt)
        return nodes(
            Photo=("EmptyImage", {"width": 24, "height": 40, "batch_size": 2, "color": color}),
            Inpaint=("VectraHub_LaMaInpaint", {"image": ("Photo", 0), "mask": ("Masks", 0), "model": "auto"}),
            Save=("SaveImage", {"images": ("Inpaint", 0), "filename_prefix": "vectrahub/inpainted"}),
            Mask=("SolidMask", {"value": value, "width": 24, "height": 40}),
            Shown=("MaskToImage", {"mask": ("Mask", 0)}),
            Several=("RepeatImageBatch", {"image": ("Shown", 0), "amount": count}),
            Masks=("ImageToMask", {"image": ("Several", 0), "channel": "red"}),
        )

    done = run(lama, batch(1, 1.0))
    assert len(saved(done)) == 2 and [one["marked"] for one in report(done)["images"]] == [100, 100]
    assert "nothing to go by" in report(done)["images"][0]["note"]
    assert "The mask batch does not fit the image batch: got 3 masks, allowed 1 or 2" in run(lama, batch(3, 1.0)).error


def test_several_masks_over_one_picture_add_up_and_small_marks_stay(lama: RunningHost) -> None:
    """Two planes of 400 px, 3 px marked in each, over a picture of 40."""
    small = {"width": 3, "height": 3}
    dots = {
        f"Dot{x}": ("MaskComposite", {"destination": ("Wide", 0), "source": ("Dot", 0), "x": x, "y": 203, **ADD})
        for x in (51, 303)
    }
    graph = nodes(
        Photo=("EmptyImage", {"width": 40, "height": 40, "batch_size": 1, "color": next(_salt)}),
        Wide=("SolidMask", {"value": 0.0, "width": 400, "height": 400}),
        Dot=("SolidMask", {"value": 1.0, **small}),
        **dots,
        One=("MaskToImage", {"mask": ("Dot51", 0)}),
        Other=("MaskToImage", {"mask": ("Dot303", 0)}),
        Both=("ImageBatch", {"image1": ("One", 0), "image2": ("Other", 0)}),
        Masks=("ImageToMask", {"image": ("Both", 0), "channel": "red"}),
        Inpaint=("VectraHub_LaMaInpaint", {"image": ("Photo", 0), "mask": ("Masks", 0), "model": "auto"}),
        Save=("PreviewImage", {"images": ("Inpaint", 0)}),
    )
    (figures,) = report(run(lama, graph), "10")["images"]
    assert figures["marked"] == pytest.approx(100 * 2 / 1600, abs=0.001) and figures["runs"] > 0


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("script.pt", "script.pt is no LaMa for inpainting: got a TorchScript archive"),
        ("upscaler.safetensors", "got a network of the kind ESRGAN"),
        ("half.safetensors", "got a file that cannot be read as one"),
        ("part.safetensors", "got a file that cannot be read as one (KeyError)"),
        ("none.pth", "got a file that cannot be read as one"),
        ("list.pth", "got a file that holds no named tensors"),
        ("numbers.pth", "got a file that holds no named tensors"),
    ],
)
def test_other_files_are_told_apart(lama: RunningHost, file: str, told: str) -> None:
    done = run(lama, graph(photo(lama)[0], model=file))
    assert told in done.error and "python install.py models get big-lama" in done.error


def test_a_checkpoint_of_training_is_read_too(lama: RunningHost) -> None:
    write_checkpoint(lama.models / "inpaint" / "best.ckpt", lama.models / "inpaint" / "big-lama.safetensors")
    name, rgb = photo(lama)
    (picture,) = saved(run(lama, graph(name, model="best.ckpt")))
    assert np.abs(picture[HOLE].astype(int) - 127).max() < 40 and not np.array_equal(picture, rgb)


def test_cancel_in_the_middle(lama: RunningHost) -> None:
    name, _ = photo(lama, 1800, 1800, np.s_[:, 100:1700])  # many windows: long on any processor
    cancel(lama, graph(name), "2")


# FirstMask


def masks(*values: float) -> Graph:
    """First, Second, Third: planes of 40 px and heights of their own, the later ones as far as there are values."""
    titles, names = ("First", "Second", "Third"), ("mask", "second", "third")
    made = {
        title: ("SolidMask", {"value": value, "width": 40, "height": 30 + next(_salt)})
        for title, value in zip(titles, values, strict=False)
    }
    chosen = {name: (title, 0) for name, title in zip(names, made, strict=False)}
    return nodes(
        **made,
        Choose=("VectraHub_FirstMask", chosen),
        Shown=("MaskToImage", {"mask": ("Choose", 0)}),
        Save=("PreviewImage", {"images": ("Shown", 0)}),
        Which=("PreviewAny", {"source": ("Choose", 1)}),
    )


@pytest.mark.parametrize(
    ("values", "which", "ran"),
    [
        ((1.0, 1.0, 1.0), 1, 1),
        ((0.0, 0.5, 1.0), 2, 2),
        ((0.0, 0.0, 1.0), 3, 3),
        ((0.0, 0.0, 0.0), 0, 3),
        ((0.0, 1.0), 2, 2),
        ((0.0,), 0, 1),
    ],
)
def test_later_masks_are_computed_only_if_needed(
    host: RunningHost, values: tuple[float, ...], which: int, ran: int
) -> None:
    graph = masks(*values)
    heard = listen(host, graph)
    assert heard.outcome.problem is None, heard.outcome.problem
    titles = ["First", "Second", "Third"]
    assert [title for title in titles if title in heard.ran] == titles[:ran]
    at = {node["_meta"]["title"]: number for number, node in graph.items()}
    assert heard.outcome.entry["outputs"][at["Which"]]["text"] == [str(which)]
    (figures,) = report(heard.outcome, at["Choose"])["images"]
    assert figures["which"] == which and len(figures["marked"]) == ran
    (file,) = heard.outcome.entry["outputs"][at["Save"]]["images"]
    content = httpx.get(f"{host.url}/view", params=file, trust_env=False, timeout=60).content
    shown = np.asarray(Image.open(BytesIO(content)).convert("L"))
    height = graph[at[titles[max(which, 1) - 1]]]["inputs"]["height"]  # of an empty one the first one's
    assert shown.shape == (height, 40) and (shown > 0).all() == (which > 0) and (shown > 0).any() == (which > 0)
