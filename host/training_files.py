"""Files of a training: checkpoints in output/loras, and what core's trainer is handed to go on from."""

import json
import uuid
import weakref
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
import safetensors.torch
import torch

from ..engine.errors import BadInput
from ..engine.training.adapters import Weights, for_the_trainer
from ..engine.training.stages import MARK
from .saving import save_results

FOLDER = "loras"  # below the output folder it is one of the host's folders of LoRAs

_ABOUT = "vectrahub_training"  # key of the file's metadata
_HANDED_OVER = "vectrahub_training"  # below the host's temporary folder


class HandOver(str):
    """Name of a file of the host's "loras" that is gone when nobody holds the name any more.

    The host's cache holds it as long as it may start the stage again, and drops it when it runs out of memory.
    """


def hand_over(weights: Weights, steps: int) -> HandOver:
    """Write the adapters where core's trainer finds them; it reads the steps from the name.

    The alpha that it looks for has a key that its LoRA loader does not know, hence no checkpoint serves.
    """
    folder = Path(folder_paths.get_temp_directory()) / _HANDED_OVER
    folder.mkdir(parents=True, exist_ok=True)
    folder_paths.add_model_folder_path(FOLDER, str(folder))
    name = HandOver(f"{uuid.uuid4().hex}_{steps}{MARK}.handover")  # an ending that no list of LoRAs shows
    file = folder / name
    weakref.finalize(name, file.unlink, missing_ok=True)
    torch.save(for_the_trainer(weights), file)
    return name


def save_checkpoint(weights: Weights, name: str, steps: int, about: dict[str, Any]) -> str:
    """Write output/loras/NAME_STEPS_steps_00001_.safetensors, whole or not at all; returns its name below loras.

    about: JSON, kept in the file's metadata.
    """
    content = safetensors.torch.save(weights, {"format": "pt", _ABOUT: json.dumps(about, sort_keys=True)})
    saved = save_results([content], f"{FOLDER}/{name}_{steps}{MARK[:-1]}", ".safetensors", 0, 0)[0]
    return (Path(saved.subfolder) / saved.filename).relative_to(FOLDER).as_posix()


def read_checkpoint(name: str) -> tuple[Weights, dict[str, Any]]:
    """The weights of a file of the host's "loras", and what `save_checkpoint` kept with them ({} of other files).

    Raises BadInput when there is no such file.
    """
    path = folder_paths.get_full_path(FOLDER, name)
    if path is None:
        raise BadInput(
            "The LoRA to continue is not here",
            value=repr(name),
            limit="a file of models/loras or output/loras",
            remedy="Choose a checkpoint, or set 'continue_from' to new.",
        )
    weights, metadata = comfy.utils.load_torch_file(path, safe_load=True, return_metadata=True)
    about = json.loads((metadata or {}).get(_ABOUT, "{}"))
    return weights, about if isinstance(about, dict) else {}


def training_folder(name: str) -> Path:
    """A folder of the host's input folder. Raises BadInput when there is none of that name, or it lies elsewhere."""
    root = folder_paths.get_input_directory()
    folder = Path(root, name.strip())
    inside = bool(name.strip()) and folder_paths.is_within_directory(root, str(folder))
    if not inside or not folder.is_dir() or folder.resolve() == Path(root).resolve():
        there = ", ".join(sorted(one.name for one in Path(root).iterdir() if one.is_dir())[:10])
        raise BadInput(
            "No such folder of pictures in ComfyUI's input folder",
            value=repr(name),
            limit=f"a folder there ({there or 'there is none yet'})",
            remedy="Make it, and put the pictures into it.",
        )
    return folder
