"""Files of a training: checkpoints in output/loras, and what core's trainer is handed to go on from."""

import json
import math
import os
import tempfile
import uuid
import weakref
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
import safetensors
import safetensors.torch
import torch

from ..engine.errors import BadInput
from ..engine.training.adapters import Weights, for_the_trainer
from ..engine.training.pictures import is_inside
from ..engine.training.stages import MARK, steps_of
from .saving import safe_prefix, save_results

FOLDER = "loras"  # below the output folder it is one of the host's folders of LoRAs

_ABOUT = "vectrahub_training"  # key of the file's metadata
_HANDED_OVER = "vectrahub_training"  # below the host's temporary folder
_SHOWN = 100  # letters of a folder's name in an error


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


def check_place(name: str, steps: int) -> None:
    """Raises BadInput unless a checkpoint of that many steps, the last of a training, can be written."""
    output = folder_paths.get_output_directory()
    prefix = safe_prefix(f"{FOLDER}/{name}_{steps}{MARK[:-1]}")
    inside = folder_paths.is_within_directory(output, os.path.join(output, os.path.dirname(prefix)))
    try:
        if not inside:
            raise OSError("it lies elsewhere")
        folder = folder_paths.get_save_image_path(prefix, output)[0]  # makes it
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(
            "Checkpoints cannot be written",
            value=f"{error.strerror or error} for {os.path.dirname(prefix)!r} in the output folder",
            limit="a folder that can be written to",
            remedy="Choose another 'name', or mend that folder.",
        ) from error


def steps_seen(name: str) -> int:
    """The steps that a file of the host's "loras" has seen: as it says itself, else as its name says.

    Raises BadInput as `read_checkpoint` does, and for a file that does not say.
    """
    steps = _about(name, _path(name)).get("steps")
    return steps if type(steps) is int and steps > 0 else steps_of(name)


def read_checkpoint(name: str) -> tuple[Weights, dict[str, Any]]:
    """The weights of a file of the host's "loras", and what `save_checkpoint` kept with them ({} of other files).

    "loss", where it is there, is a list of numbers. Raises BadInput when there is no such file, and for a broken one.
    """
    path = _path(name)
    about = _about(name, path)
    try:
        weights: Any = comfy.utils.load_torch_file(path, safe_load=True)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise _broken(name) from error
    return weights, {key: value for key, value in about.items() if key != "loss" or _are_numbers(value)}


def _path(name: str) -> str:
    path = folder_paths.get_full_path(FOLDER, name)
    if path is None:
        raise BadInput(
            "The LoRA to continue is not here",
            value=repr(name),
            limit="a file of models/loras or output/loras",
            remedy="Choose a checkpoint, or set 'continue_from' to new.",
        )
    return path


def _about(name: str, path: str) -> dict[str, Any]:
    try:
        with safetensors.safe_open(path, framework="pt") as opened:
            about = json.loads((opened.metadata() or {}).get(_ABOUT, "{}"))
    except (safetensors.SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _broken(name) from error
    return about if isinstance(about, dict) else {}


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(one) in (int, float) and math.isfinite(one) for one in value)


def _broken(name: str) -> BadInput:
    return BadInput(
        "The LoRA to continue cannot be read",
        value=repr(name),
        limit="a whole .safetensors file",
        remedy="Choose another checkpoint, fetch it anew, or set 'continue_from' to new.",
    )


def training_folder(name: str) -> tuple[Path, Path]:
    """A folder of the host's input folder, and that. Raises BadInput for one that is not there or lies elsewhere."""
    root = Path(folder_paths.get_input_directory())
    folder = root / name.strip()
    if not name.strip() or not _is_folder(folder, root):
        there = sorted(repr(one.name)[1:-1] for one in root.iterdir() if _is_folder(one, root))
        raise BadInput(
            "No such folder of pictures in ComfyUI's input folder",
            value=repr(name[:_SHOWN]) + ("..." if len(name) > _SHOWN else ""),
            limit=f"a folder there, no link out of it ({', '.join(there[:10]) or 'there is none yet'})",
            remedy="Make it, and put the pictures into it.",
        )
    return folder, root


def _is_folder(folder: Path, root: Path) -> bool:
    try:
        return folder.is_dir() and is_inside(folder, root) and not folder.samefile(root)
    except (OSError, ValueError):  # overlong; characters that no file system takes
        return False
