"""S1 on the real host: the six actions of the seed's section 4, in RunPod's envelope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vectrahub.tests.routes.model_files import model_bytes
from vectrahub.tests.routes.old_clients import MODELS_TOKEN, TOKEN, Old, b64, opened, png, until
from vectrahub.tests.tiny_captioner import write_tiny_captioner

pytestmark = pytest.mark.host

SAVED = "loras/sdxl/my-lora.safetensors"


@pytest.fixture(scope="module")
def toolbox(old: Old) -> Iterator[Old]:
    """With the files that the seed's examples name: some are read, some stand for the tiny networks."""
    models = old.host.models
    for name in ("checkpoints/z_image.safetensors", "controlnet/tile_sdxl.safetensors"):
        (models / name).parent.mkdir(parents=True, exist_ok=True)
        (models / name).touch()
    shapes = {"lora_up": (128, 4), "lora_down": (4, 32)}
    random = torch.Generator().manual_seed(1)
    part = {f"lora_unet_time_embed_0.{k}.weight": torch.randn(s, generator=random) for k, s in shapes.items()}
    (models / "loras" / "sdxl").mkdir(parents=True)
    save_file(part, models / "loras" / "sdxl" / "detail-enhancer.safetensors")
    write_tiny_captioner(models / "LLM" / "tiny")
    yield old


def ask(old: Old, token: str = MODELS_TOKEN, **wanted: Any) -> dict[str, Any]:
    """/runsync with a token as RunPod's own clients send it."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = old.post("/runsync", token=None, headers=headers, json={"input": wanted})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_captions_of_tiles(toolbox: Old) -> None:
    said = ask(
        toolbox,
        TOKEN,
        action="caption",
        tiles=[{"tile_id": "0_0", "image_b64": b64(png(seed=1))}, {"tile_id": "0_1", "image_b64": b64(png(seed=2))}],
        caption_params={
            "system_prompt": "Describe this image section in detail for use as a Stable Diffusion prompt.",
            "max_tokens": 20,
        },
    )
    assert said["status"] == "COMPLETED", said
    assert set(said["output"]) == {"captions"}
    captions = said["output"]["captions"]
    assert [set(one) for one in captions] == [{"tile_id", "caption"}] * 2
    assert [one["tile_id"] for one in captions] == ["0_0", "0_1"] and all(one["caption"] for one in captions)


def seeds_request(**generation: Any) -> dict[str, Any]:
    """Section 4.2, with fewer steps."""
    return {
        "action": "upscale",
        "model_config": {
            "base_model": "z-image",
            "model_type": "sdxl",
            "loras": [{"name": "detail-enhancer", "weight": 0.7}],
            "controlnet": {"enabled": True, "model": "sdxl-tile", "conditioning_scale": 0.6},
        },
        "generation_params": {
            "steps": 2,
            "cfg_scale": 7.0,
            "denoising_strength": 0.35,
            "sampler": "euler_a",
            "seed": 42,
            **generation,
        },
        "global_prompt": "masterpiece, best quality, highly detailed",
        "negative_prompt": "blurry, low quality, artifacts",
        "tiles": [
            {"tile_id": "0_0", "image_b64": b64(png(80, 64)), "prompt_override": None},
            {
                "tile_id": "0_1",
                "image_b64": b64(png(64, 64)),
                "prompt_override": "A close-up of a stone wall with moss",
            },
        ],
    }


def test_tiles_are_refined(toolbox: Old) -> None:
    said = ask(toolbox, TOKEN, **seeds_request())
    assert said["status"] == "COMPLETED", said
    tiles = said["output"]["tiles"]
    assert (
        set(said["output"]) == {"tiles"} and [set(one) for one in tiles] == [{"tile_id", "image_b64", "seed_used"}] * 2
    )
    assert [(one["tile_id"], one["seed_used"]) for one in tiles] == [("0_0", 42), ("0_1", 43)]
    pictures = [opened(one["image_b64"]) for one in tiles]
    assert [one.size for one in pictures] == [(80, 64), (64, 64)]
    assert not any(one.info for one in pictures), "no graph, with prompts and paths of the server"


def test_models_are_listed_uploaded_and_deleted(toolbox: Old) -> None:
    listed = ask(toolbox, action="list_models", model_type="lora", base_model_filter="sdxl")["output"]["models"]
    first = next(one for one in listed if one["name"] == "detail-enhancer")
    assert set(first) == {"name", "path", "size_mb", "base_model"}
    assert first["path"] == "loras/sdxl/detail-enhancer.safetensors" and first["base_model"] == "sdxl"

    data = model_bytes()
    about = {"filename": "my-lora.safetensors", "model_type": "lora", "base_model": "sdxl"}
    first, last = (
        ask(toolbox, action="upload_model", **about, file_b64=b64(half), chunk_index=index, total_chunks=2)
        for index, half in enumerate((data[:1000], data[1000:]))
    )
    assert first["output"] == {"status": "uploading", "chunk_index": 0, "total_chunks": 2}
    assert last["output"] == {"status": "complete", "path": SAVED, "size_mb": pytest.approx(0, abs=0.01)}
    assert (toolbox.host.models / SAVED).read_bytes() == data
    assert SAVED in [one["path"] for one in ask(toolbox, action="list_models")["output"]["models"]]

    again = ask(toolbox, action="upload_model", **about, file_b64=b64(data), chunk_index=0, total_chunks=1)
    assert again["status"] == "FAILED" and "output" not in again and "my-lora" in again["error"]
    assert ask(toolbox, action="delete_model", path=SAVED)["output"] == {"status": "deleted", "path": SAVED}
    assert not (toolbox.host.models / SAVED).exists()
    for path in (SAVED, "../../config.toml", "loras/../../secrets.toml", "/etc/passwd"):
        gone = ask(toolbox, action="delete_model", path=path)
        assert gone["status"] == "FAILED" and gone["error"]


def test_models_want_their_scope(toolbox: Old) -> None:
    for action in ("list_models", "upload_model", "delete_model"):
        answer = toolbox.post("/run", json={"input": {"action": action, "path": SAVED}})
        assert answer.status_code == 403 and "models" in answer.json()["error"]


def test_health_and_an_answer_that_is_asked_for_again(toolbox: Old) -> None:
    said = toolbox.post("/run", json={"input": {"action": "health"}}).json()
    assert said["status"] == "COMPLETED"
    assert set(said["output"]) == {
        "status",
        "gpu",
        "vram_total_gb",
        "vram_used_gb",
        "loaded_model",
        "network_storage_available_gb",
    }
    assert said["output"]["status"] == "ok" and said["output"]["network_storage_available_gb"] > 0
    assert toolbox.get(f"/status/{said['id']}").json() == said
    assert toolbox.get(f"/status/{said['id']}", token=MODELS_TOKEN).status_code == 404, "somebody else's"


def test_a_job_is_cancelled_and_a_failed_one_says_why(toolbox: Old) -> None:
    slow = toolbox.post("/run", json={"input": seeds_request(steps=200)}).json()["id"]
    until(lambda: toolbox.get(f"/status/{slow}").json()["status"] == "IN_PROGRESS")
    assert toolbox.post(f"/cancel/{slow}").json() == {"id": slow, "status": "CANCELLED"}
    said = toolbox.get(f"/status/{slow}").json()
    assert said["status"] == "CANCELLED" and "output" not in said
    body = {"input": seeds_request(steps=200), "policy": {"executionTimeout": 1000}}
    timed_out = toolbox.runpod(toolbox.post("/run", json=body).json()["id"])
    assert timed_out["status"] == "TIMED_OUT" and "1 s" in timed_out["error"]


def test_what_is_wrong_is_named(toolbox: Old) -> None:
    wrong = seeds_request()
    wrong["model_config"]["base_model"] = "pony"
    for wanted, word in (
        (wrong, "pony"),
        ({"action": "dream"}, "list_models"),
        (seeds_request(sampler="magic"), "magic"),
        (seeds_request(steps=0), "steps"),
        ({"action": "caption", "tiles": []}, "tiles"),
        ({"action": "caption", "tiles": [{"tile_id": "a", "image_b64": "%%"}]}, "base64"),
        ({**seeds_request(), "tiles": seeds_request()["tiles"][:1] * 2}, "tile_id"),
        ({**seeds_request(), "model_config": {"base": "z-image"}}, "base_model, model_type, loras, controlnet"),
        ({"action": "caption", "tiles": "0_0"}, "tiles: Input should be a list"),
        ({"action": "caption", "tiles": ["0_0"]}, "tiles.0: Input should be an object"),
    ):
        said = toolbox.post("/run", json={"input": wanted}).json()
        assert said["status"] == "FAILED" and word in said["error"], said
        assert toolbox.get(f"/status/{said['id']}").json() == said
