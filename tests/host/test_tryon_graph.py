"""What VTONTryOn becomes in the real host, in every mode, and what it says when a file is missing.

Core's loaders read tiny files under the released names; the text encoder has no tiny file (tests/tiny_qwen_image.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from vectrahub.engine.tryon.words import MASK_PROMPT
from vectrahub.tests import tiny_qwen_image
from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import run
from vectrahub.tests.host.tryon_graphs import (
    TINY,
    dressed,
    expansion,
    new_picture,
    parts,
    picture_of,
    red_and_blue,
    report,
)
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host

FILES = {name: Path(getattr(tiny_qwen_image, name)).name for name in ("FUSED", "BASE", "LIGHTNING", "VAE")}
ENCODER = "qwen_2.5_vl_7b_fp8_scaled.safetensors"
KEYS = {
    "fp8": ("qwen-edit-2511-fp8", FILES["FUSED"], "models/diffusion_models"),
    "lora": ("qwen-edit-2511-bf16", FILES["BASE"], "models/diffusion_models"),
    "base": ("qwen-edit-2511-bf16", FILES["BASE"], "models/diffusion_models"),
}
STEPS = {"fp8": (4, 1.0), "lora": (4, 1.0), "base": (40, 4.0)}


@pytest.fixture(scope="module")
def pictures(host: RunningHost) -> tuple[str, str]:
    return red_and_blue(host)


@pytest.fixture(scope="module")
def files(host: RunningHost) -> Iterator[RunningHost]:
    """The session's host with tiny files of every mode, the text encoder excepted."""
    written = tiny_qwen_image.write_tiny_qwen_image(host.models)
    try:
        yield host
    finally:
        for file in written.values():
            file.unlink()


def becomes(mode: str, connected: dict[str, Any], **inputs: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """What the graph of `dressed` must become; `inputs`: what it was given beside QUICK's."""
    given = {"prompt": "wear it", "seed": 1, "mask_prompt": MASK_PROMPT, **inputs}
    steps, cfg = given.get("steps") or STEPS[mode][0], given.get("cfg") or STEPS[mode][1]
    model, clip, vae = (connected.get(name, [name, 0]) for name in ("model", "clip", "vae"))
    made: dict[str, tuple[str, dict[str, Any]]] = {}
    if "model" not in connected:
        file = FILES["FUSED" if mode == "fp8" else "BASE"]
        made["model"] = ("UNETLoader", {"unet_name": file, "weight_dtype": "default"})
    if "clip" not in connected:
        made["clip"] = ("CLIPLoader", {"clip_name": ENCODER, "type": "qwen_image"})
    if "vae" not in connected:
        made["vae"] = ("VAELoader", {"vae_name": FILES["VAE"]})
    made["shift"] = ("ModelSamplingAuraFlow", {"model": model, "shift": 3.1})
    made["norm"] = ("CFGNorm", {"model": ["shift", 0], "strength": 1.0})
    if mode == "lora":
        lora = {"model": ["norm", 0], "lora_name": FILES["LIGHTNING"], "strength_model": 1.0}
        made["lora"] = ("LoraLoaderModelOnly", lora)
    words = {"prompt": given["prompt"], "mask_prompt": given["mask_prompt"]}
    shown = {"person": ["3", 0], "garment": ["3", 1], "original": ["1", 0]}
    made["picture"] = ("VectraHub_VTONPicture", {**words, **shown})
    seen = {"clip": clip, "vae": vae, "image1": ["picture", 0], "image2": ["picture", 1]}
    for name, text in {"positive": ["picture", 2], **({} if cfg == 1 else {"negative": ""})}.items():
        made[name] = ("TextEncodeQwenImageEditPlus", {"prompt": text, **seen})
        method = {"conditioning": [name, 0], "reference_latents_method": "index_timestep_zero"}
        made[f"{name}_references"] = ("FluxKontextMultiReferenceLatentMethod", method)
    made["encode"] = ("VAEEncode", {"pixels": ["picture", 0], "vae": vae})
    sampling = {
        "model": ["lora" if mode == "lora" else "norm", 0],
        "positive": ["positive_references", 0],
        "negative": ["positive_references" if cfg == 1 else "negative_references", 0],
        "latent_image": ["encode", 0],
        **{"seed": given["seed"], "steps": steps, "cfg": cfg},
        **{"sampler_name": "euler", "scheduler": "simple", "denoise": 1.0},
    }
    made["sample"] = ("KSampler", sampling)
    made["decode"] = ("VAEDecode", {"samples": ["sample", 0], "vae": vae})
    return made


def without_finish(made: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The expansion but for its last node, whose links are checked here."""
    kind, inputs = made["finish"]
    assert kind == "VectraHub_VTONFinish"
    links = {"image": ["decode", 0], "person": ["3", 0], "garment": ["picture", 1], "prompt": ["picture", 2]}
    assert links.items() <= inputs.items() and inputs["original"] == ["1", 0]
    return {name: one for name, one in made.items() if name != "finish"}


# Without files; these come before `files`


@pytest.mark.parametrize("mode", STEPS)
def test_without_weights_the_error_says_what_to_do(host: RunningHost, pictures: tuple[str, str], mode: str) -> None:
    error = run(host, dressed(*pictures, {}, mode=mode)).error
    key, file, folder = KEYS[mode]
    assert "VTONTryOn" in error
    for part in (file, folder, "GB", "Apache-2.0", f"python install.py models get {key}"):
        assert part in error, error
    wanted = {"fp8": "", "lora": "qwen-edit-2511-lightning ", "base": ""}[mode]
    assert f"{key} {wanted}qwen2.5-vl-7b-fp8 qwen-image-vae" in error, "all that is missing, in one command"


@pytest.mark.parametrize(
    ("missing", "connected", "mode"),
    [
        (("qwen2.5-vl-7b-fp8", ENCODER), {"model": TINY["model"], "vae": TINY["vae"]}, "fp8"),
        (("qwen-image-vae", FILES["VAE"]), {"model": TINY["model"], "clip": TINY["clip"]}, "fp8"),
        (("qwen-edit-2511-lightning", FILES["LIGHTNING"]), TINY, "lora"),
    ],
)
def test_each_missing_file_is_named(
    host: RunningHost, pictures: tuple[str, str], missing: tuple[str, str], connected: dict[str, Any], mode: str
) -> None:
    error = run(host, dressed(*pictures, connected, mode=mode)).error
    assert missing[1] in error and f"models get {missing[0]}" in error, error


def test_nothing_else_runs_when_a_file_is_missing(host: RunningHost) -> None:
    heard = listen(host, dressed(new_picture(host, 300, 400), new_picture(host, 500, 250), {}))
    assert heard.outcome.problem is not None
    assert parts(heard.ids) == [] and "Tiny" not in heard.ran


# The graph


@pytest.mark.parametrize("mode", STEPS)
def test_every_mode_becomes_its_graph(files: RunningHost, pictures: tuple[str, str], mode: str) -> None:
    """With files that core's loaders read, and a text encoder that is connected; base does two of its 40 steps."""
    connected = {"clip": TINY["clip"], **({} if mode == "fp8" else {"vae": TINY["vae"]})}
    steps = 2 if mode == "base" else 0
    outcome = run(files, dressed(*pictures, connected, mode=mode, steps=steps), seconds=240)
    assert without_finish(expansion(outcome)) == becomes(mode, connected, steps=steps)
    assert picture_of(outcome).shape == (400, 300, 3)
    said = report(outcome)
    assert (said["mode"], said["steps"], said["cfg"], said["seed"]) == (mode, steps or 4, STEPS[mode][1], 1)
    assert said["model"] == KEYS[mode][1] and said["lora"] == (FILES["LIGHTNING"] if mode == "lora" else None)


def test_the_lora_changes_the_result(files: RunningHost, pictures: tuple[str, str]) -> None:
    connected = {"clip": TINY["clip"], "vae": TINY["vae"]}
    graphs = [dressed(*pictures, connected, mode=mode, steps=2, cfg=1.0) for mode in ("base", "lora")]
    plain, sped = (picture_of(run(files, graph)).astype(int) for graph in graphs)
    assert np.abs(plain - sped).mean() > 1


def test_what_is_set_wins_over_the_mode(host: RunningHost, pictures: tuple[str, str]) -> None:
    own = {"prompt": "put it on", "seed": 9, "steps": 3, "cfg": 2.5, "mask_prompt": "ignored"}
    outcome = run(host, dressed(*pictures, mode="fp8", **own))
    assert without_finish(expansion(outcome)) == becomes("fp8", TINY, **own)
    said = report(outcome)
    assert (said["model"], said["steps"], said["cfg"]) == ("connected", 3, 2.5)


def test_the_text_encoder_is_loaded_as_that_of_qwen_image(host: RunningHost, pictures: tuple[str, str]) -> None:
    """It has no tiny file: core's loader is only reached."""
    file = host.models / "text_encoders" / "qwen" / ENCODER
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no weights")
    try:
        outcome = run(host, dressed(*pictures, {"model": TINY["model"], "vae": TINY["vae"]}))
    finally:
        file.unlink()
        file.parent.rmdir()
    assert outcome.problem is not None
    given = outcome.problem["current_inputs"]
    assert given["clip_name"] == [str(Path("qwen") / ENCODER)] and given["type"] == ["qwen_image"]


def test_every_node_of_the_graph_is_valid_in_the_host(host: RunningHost, pictures: tuple[str, str]) -> None:
    """The host does not check what an expansion holds."""
    for name, (kind, inputs) in becomes("lora", {}, cfg=4.0).items():
        known = httpx.get(f"{host.url}/object_info/{kind}", trust_env=False, timeout=60).json()[kind]["input"]
        allowed = {**known["required"], **known.get("optional", {})}
        assert set(known["required"]) <= set(inputs) <= set(allowed), name
        for key, value in inputs.items():
            kind_of, *about = allowed[key]
            options = kind_of if isinstance(kind_of, list) else about[0].get("options") if about else None
            if options and not key.endswith("_name"):
                assert value in options, f"{name}.{key}"
