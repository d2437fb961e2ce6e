"""The host's model folders, and what else their types are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# What clients of the old servers and people call a type; the host's own name comes after it.
OTHER_NAMES: Mapping[str, str] = {
    "lora": "loras",
    "checkpoint": "checkpoints",
    "model": "checkpoints",
    "control_net": "controlnet",
    "controlnets": "controlnet",
    "embedding": "embeddings",
    "textual_inversion": "embeddings",
    "unet": "diffusion_models",
    "diffusion_model": "diffusion_models",
    "clip": "text_encoders",
    "text_encoder": "text_encoders",
    "upscaler": "upscale_models",
    "upscale_model": "upscale_models",
    "vaes": "vae",
}

# Kept by the host in the same table, but no models.
NO_MODELS = frozenset({"custom_nodes", "configs", "datasets", "diffusers"})

# What a model file ends with; the folders of some packs list files of every kind.
SUFFIXES = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".onnx"})


@dataclass(frozen=True)
class ModelFolder:
    """A type of models: its folders, in the order in which the host looks, and how its files end."""

    name: str
    roots: tuple[Path, ...]
    suffixes: frozenset[str]

    @property
    def home(self) -> Path:
        """Where new files go: the folder that is called as the type, else the first."""
        return next((root for root in self.roots if root.name == self.name), self.roots[0])


class Folders(Protocol):
    """The types that a server has."""

    def all(self) -> Mapping[str, ModelFolder]:
        """By name, in order."""
        ...

    def changed(self, name: str) -> None:
        """A file of this type came or went: the host lists it anew."""
        ...


def folder_of(folders: Folders, name: str) -> ModelFolder | None:
    """The type of this name, or None."""
    known = folders.all()
    return known.get(name) or known.get(OTHER_NAMES.get(name.lower(), name.lower()))
