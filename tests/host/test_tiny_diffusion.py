"""The test pack's tiny diffusion models: core's own nodes sample with them, and everything that should matter does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vectrahub.tests import tiny_qwen_image
from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.runs import Graph, run
from vectrahub.tests.host_fixture import RunningHost, make_host
from vectrahub.vectrahub_client.host_config import HostConfig

pytestmark = pytest.mark.host

LONG = ", ".join(f"a thing of kind {number}" for number in range(40))  # over 77 tokens
KINDS = ("sdxl", "flux")
MODELS = {"sdxl": "VectraHubTest_TinySDXL", "flux": "VectraHubTest_TinyFlux"}


def image_to_image(kind: str, control: float = 0.0, **settings: Any) -> Graph:
    """A 96 x 64 picture through core's nodes; settings: prompt, denoise, seed, weights, fail_on, nan_on, guidance."""
    get = {"prompt": "a red house", "denoise": 0.6, "seed": 1, "weights": 0, "guidance": 3.5, **settings}
    watch = {key: get[key] for key in ("fail_on", "nan_on") if key in get}
    graph = {
        "1": node("Picture", "LoadImage", image="tile.png"),
        "2": node("Model", MODELS[kind], seed=get["weights"], **watch),
        "3": node("Prompt", "CLIPTextEncode", clip=["2", 1], text=get["prompt"]),
        "4": node("Negative", "CLIPTextEncode", clip=["2", 1], text="blurry"),
        "5": node("Guidance", "FluxGuidance", conditioning=["3", 0], guidance=get["guidance"]),
        "6": node("Latent", "VAEEncode", pixels=["1", 0], vae=["2", 2]),
        "7": node(
            *("Sample", "KSampler"),
            model=["2", 0],
            positive=["5", 0],
            negative=["4", 0],
            latent_image=["6", 0],
            seed=get["seed"],
            denoise=get["denoise"],
            **{"steps": 3, "cfg": 5.0, "sampler_name": "euler", "scheduler": "normal"},
        ),
        "8": node("Pixels", "VAEDecode", samples=["7", 0], vae=["2", 2]),
        "9": node("Save", "SaveImage", images=["8", 0], filename_prefix="tiny"),
    }
    if control:
        graph["10"] = node("Control", "VectraHubTest_TinyControlNet", family=kind, seed=0)
        graph["11"] = node(
            *("Apply", "ControlNetApplyAdvanced"),
            **{"positive": ["5", 0], "negative": ["4", 0], "control_net": ["10", 0], "image": ["1", 0]},
            **{"vae": ["2", 2], "strength": control, "start_percent": 0.0, "end_percent": 1.0},
        )
        graph["7"]["inputs"].update(positive=["11", 0], negative=["11", 1])
    return graph


def picture(host: RunningHost, graph: Graph) -> np.ndarray:
    outcome = run(host, graph)
    assert outcome.problem is None, outcome.error
    file = outcome.entry["outputs"]["9"]["images"][0]
    return np.asarray(Image.open(host.output / file["subfolder"] / file["filename"]).convert("RGB"), np.int16)


def far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


@pytest.fixture(scope="module")
def tile(host: RunningHost) -> RunningHost:
    """The session's host with a picture of 96 x 64 px."""
    y, x = np.mgrid[0:64, 0:96]
    pixels = np.stack([x * 2.6, y * 3.9, (x // 12 + y // 12) % 2 * 200], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(host.input / "tile.png")
    return host


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_should_matter_does(tile: RunningHost, kind: str) -> None:
    plain = picture(tile, image_to_image(kind))
    assert plain.shape == (64, 96, 3)
    assert plain.std() > 10 and (0 < plain).mean() > 0.5, "a picture, neither flat nor clipped"
    assert far(plain, picture(tile, image_to_image(kind, control=1.0))) > 0.5
    for change in (
        {"prompt": "a blue house"},
        {"prompt": LONG},
        {"prompt": LONG + ", and one more"},
        {"denoise": 0.3},
        {"seed": 2},
        {"weights": 1},
        *([{"guidance": 9.0}] if kind == "flux" else []),
    ):
        assert far(plain, picture(tile, image_to_image(kind, **change))) > 0.2, change


@pytest.mark.parametrize("kind", KINDS)
def test_words_past_the_first_77_tokens_matter(tile: RunningHost, kind: str) -> None:
    one, other = (picture(tile, image_to_image(kind, prompt=f"{LONG}, {last}")) for last in ("a cat", "seven towers"))
    assert far(one, other) > 0.05


def test_a_fresh_host_gives_the_same_bytes(tile: RunningHost, host_config: HostConfig, tmp_path: Any) -> None:
    graphs = [*(image_to_image(kind, control=0.7) for kind in KINDS), edited()]
    here = [picture(tile, graph) for graph in graphs]
    with make_host(host_config, tmp_path, ["tiny_diffusion"]) as fresh:
        (fresh.input / "tile.png").write_bytes((tile.input / "tile.png").read_bytes())
        there = [picture(fresh, graph) for graph in graphs]
    assert all(np.array_equal(*pair) for pair in zip(here, there, strict=True))


def test_sampling_fails_for_the_prompt_that_it_should_fail_for(tile: RunningHost) -> None:
    failed = run(tile, image_to_image("sdxl", prompt="a green house", fail_on="green"))
    assert "KSampler" in failed.error and "out of memory" in failed.error
    picture(tile, image_to_image("sdxl", prompt="a brown house", fail_on="green"))


def test_the_watch_folder_slows_fails_and_counts(tile: RunningHost) -> None:
    folder = tile.base / "tiny_diffusion"
    folder.mkdir()
    try:
        (folder / "control.json").write_text(json.dumps({"fail_on": "yellow"}))
        graph = image_to_image("flux", prompt="a yellow house")
        assert "yellow" in run(tile, graph).error
        (folder / "control.json").unlink()
        (folder / "calls.jsonl").unlink()
        picture(tile, graph)
        calls = [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    assert sorted(text for call in calls for text in call["texts"]) == ["a yellow house"] * 3 + ["blurry"] * 3
    assert {(call["height"], call["width"]) for call in calls} == {(8, 12)}


def edited(prompt: str = "a hat", swapped: bool = False, seed: int = 1) -> Graph:
    """Qwen-Image paints one picture anew after another, through core's nodes."""
    pictures = [["1", 0], ["12", 0]]
    first, second = reversed(pictures) if swapped else pictures
    return {
        "1": node("Picture", "LoadImage", image="tile.png"),
        "12": node("Other", "EmptyImage", width=96, height=64, batch_size=1, color=0x2060C0),
        "2": node("Model", "VectraHubTest_TinyQwenImage", seed=0),
        "3": node(
            *("Words", "TextEncodeQwenImageEditPlus"),
            **{"clip": ["2", 1], "vae": ["2", 2], "image1": first, "image2": second, "prompt": prompt},
        ),
        "6": node("Latent", "VAEEncode", pixels=["1", 0], vae=["2", 2]),
        "7": node(
            *("Sample", "KSampler"),
            **{"model": ["2", 0], "positive": ["3", 0], "negative": ["3", 0], "latent_image": ["6", 0], "seed": seed},
            **{"steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0},
        ),
        "8": node("Pixels", "VAEDecode", samples=["7", 0], vae=["2", 2]),
        "9": node("Save", "SaveImage", images=["8", 0], filename_prefix="tiny"),
    }


def test_qwen_image_heeds_words_pictures_and_their_order(tile: RunningHost) -> None:
    plain = picture(tile, edited())
    assert plain.shape == (64, 96, 3)
    assert plain.std() > 10 and (0 < plain).mean() > 0.5, "a picture, neither flat nor clipped"
    for change in ({"prompt": "a coat"}, {"swapped": True}, {"seed": 2}):
        assert far(plain, picture(tile, edited(**change))) > 0.2, change


def test_core_reads_the_tiny_files_whole(tile: RunningHost) -> None:
    """Under the released names and in their formats: nothing in them is unknown, nothing that core wants is absent."""
    written = tiny_qwen_image.write_tiny_qwen_image(tile.models)
    before = len(tile.log.read_text(errors="replace"))
    results = []
    try:
        for name, lora in ((tiny_qwen_image.BASE, False), (tiny_qwen_image.BASE, True), (tiny_qwen_image.FUSED, False)):
            graph = edited()
            graph["20"] = node("File", "UNETLoader", unet_name=Path(name).name, weight_dtype="default")
            graph["21"] = node(
                *("LoRA", "LoraLoaderModelOnly"),
                **{"model": ["20", 0], "lora_name": Path(tiny_qwen_image.LIGHTNING).name, "strength_model": 1.0},
            )
            graph["22"] = node("VAE", "VAELoader", vae_name=Path(tiny_qwen_image.VAE).name)
            graph["7"]["inputs"]["model"] = ["21", 0] if lora else ["20", 0]
            graph["6"]["inputs"]["vae"] = graph["8"]["inputs"]["vae"] = ["22", 0]
            results.append(picture(tile, graph))
    finally:
        for file in written.values():
            file.unlink()
    said = tile.log.read_text(errors="replace")[before:].lower()
    for complaint in ("missing", "unexpected", "left over", "not loaded", "unsupported"):
        assert complaint not in said, said
    assert "mixed precision" in said, "the fused file is read as scaled float8"
    assert all(far(results[0], other) > 0.2 for other in results[1:])
