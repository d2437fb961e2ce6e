"""Graphs that train a LoRA on a few tiny pictures with the test pack's tiny SDXL, and what came of them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from vectrahub.tests.client.graphs import node
from vectrahub.tests.host.runs import Graph, Outcome
from vectrahub.tests.host_fixture import RunningHost

TRAIN = "5"
SIZES = ((64, 64), (96, 64))  # width, height


def new_folder(host: RunningHost, count: int = 10) -> Path:
    """A folder of captioned pictures, of two sizes, with names and pixels of their own."""
    folder = host.input / uuid.uuid4().hex
    folder.mkdir()
    for number in range(count):
        picture(folder / f"car {number}.png", *SIZES[number % len(SIZES)])
        if number % 2:
            (folder / f"car {number}.txt").write_text(f"car number {number}", encoding="utf-8")
    return folder


def picture(file: Path, width: int = 64, height: int = 64) -> None:
    file.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng().integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST).save(file)


def training(folder: Path, name: str, pictures: dict[str, Any] | None = None, **train: Any) -> Graph:
    """Folder -> dataset -> stages; `train` are TrainLoRAStages' inputs."""
    asked = {"trigger": "<style>", "caption": "a car", "minimum": 10, **(pictures or {})}
    settings = {"steps": 6, "checkpoint_every": 3, "rank": 4, "alpha": 2.0, "learning_rate": 1e-3, "seed": 1}
    quick = {"continue_from": "new", "training_dtype": "fp32", "gradient_checkpointing": False}
    return {
        "1": node("Checkpoint", "VectraHubTest_TinySDXL", seed=0),
        "2": node("Pictures", "VectraHub_TrainingSet", folder=folder.name, **asked),
        "4": node("Dataset", "MakeTrainingDataset", images=["2", 0], texts=["2", 1], vae=["1", 2], clip=["1", 1]),
        TRAIN: node(
            *("Train", "VectraHub_TrainLoRAStages"),
            model=["1", 0],
            latents=["4", 0],
            positive=["4", 1],
            name=name,
            **{**settings, **quick, **train},
        ),
        "6": node("Loss graph", "LossGraphNode", loss=[TRAIN, 1], filename_prefix="loss"),
    }


def by_core(graph: Graph) -> Graph:
    """The same two steps by core's trainer alone, without buckets; its loss goes into a checkpoint of that name."""
    own = graph[TRAIN]["inputs"]
    copied = {key: own[key] for key in ("model", "latents", "positive", "learning_rate", "rank", "seed")}
    fixed = {"optimizer": "AdamW", "loss_function": "MSE", "algorithm": "LoRA", "existing_lora": "[None]"}
    numbers = {"batch_size": 1, "grad_accumulation_steps": 1, "steps": 2, "checkpoint_depth": 1}
    off = ("quantized_backward", "gradient_checkpointing", "offloading", "bucket_mode", "bypass_mode")
    exact = {"training_dtype": "fp32", "lora_dtype": "fp32"}
    graph["7"] = node("Core", "TrainLoraNode", **copied, **fixed, **numbers, **exact, **dict.fromkeys(off, False))
    graph[TRAIN] = node(
        *("Keep", "VectraHub_TrainingCheckpoint"),
        lora=["7", 0],
        loss=["7", 1],
        name=own["name"],
        steps=2,
        alpha=1.0,
        about={},
    )
    return graph


def sampling(lora: str, strength: float, prefix: str) -> Graph:
    """A picture by the tiny SDXL with a LoRA file, through core's own loader."""
    return {
        "1": node("Model", "VectraHubTest_TinySDXL", seed=0),
        "2": node(
            *("Style", "LoraLoader"),
            model=["1", 0],
            clip=["1", 1],
            lora_name=lora,
            strength_model=strength,
            strength_clip=strength,
        ),
        "3": node("Words", "CLIPTextEncode", clip=["2", 1], text="<style>, a car"),
        "4": node("Canvas", "EmptyLatentImage", width=64, height=64, batch_size=1),
        "5": node(
            *("Sample", "KSampler"),
            model=["2", 0],
            positive=["3", 0],
            negative=["3", 0],
            latent_image=["4", 0],
            **{"seed": 1, "steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0},
        ),
        "6": node("Decode", "VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": node("Save", "SaveImage", images=["6", 0], filename_prefix=prefix),
    }


def saved_picture(outcome: Outcome) -> np.ndarray:
    """(H, W, 3), int16."""
    assert outcome.problem is None, outcome.error
    file = outcome.entry["outputs"]["7"]["images"][0]
    return np.asarray(Image.open(outcome.host.output / file["subfolder"] / file["filename"]).convert("RGB"), np.int16)


def checkpoints(host: RunningHost, name: str) -> dict[int, Path]:
    """Steps -> file, of every checkpoint of a name."""
    files = (host.output / "loras").glob(f"{name}_*_steps_*.safetensors")
    return {int(file.name.removeprefix(f"{name}_").split("_")[0]): file for file in sorted(files)}


def weights(file: Path) -> dict[str, torch.Tensor]:
    return load_file(file)


def about(file: Path) -> dict[str, Any]:
    """What a checkpoint says about itself."""
    with safe_open(file, framework="pt") as opened:
        return json.loads(opened.metadata()["vectrahub_training"])


def report(outcome: Outcome, display: str = TRAIN) -> dict[str, Any]:
    """The figures of a node, or of the last of what it became."""
    assert outcome.problem is None, outcome.error
    shown = {made: named["display_node"] for made, named in outcome.entry["meta"].items()}
    texts = [
        output["vectrahub_report"][0]
        for made, output in outcome.entry["outputs"].items()
        if shown[made] == display and "vectrahub_report" in output
    ]
    return json.loads(texts[-1])["images"][0]
