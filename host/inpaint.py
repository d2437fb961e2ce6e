"""Inpainting networks out of the host's model folders and into its memory."""

import logging
from pathlib import Path
from typing import Any

import folder_paths
import torch
from spandrel import MaskedImageModelDescriptor

from ..engine.errors import BadInput, MissingPart
from ..engine.networks.inpaint.choice import AUTO, FAVOURITE, Choice
from ..engine.networks.inpaint.network import Inpainter
from .memory import Kept, bring_in_or_say, is_out_of_memory
from .network_file import Unreadable, read_network

FOLDER = "inpaint"  # where other packs of the ecosystem keep such files

_ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt")
_ARCHITECTURE = "LaMa"
_BYTES_PER_PIXEL = 1024  # 64 channels of float32 at the input's size, four of them alive
_FETCH = "python install.py models get big-lama"

_log = logging.getLogger("vectrahub")
_kept = Kept()  # the process's own, as the host's list of loaded models is


def register_inpaint_folder() -> None:
    """Make models/inpaint a folder of the host, so that extra_model_paths.yaml and /models know it."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


def inpaint_files() -> list[str]:
    """Names of the weights in models/inpaint, as the host lists them."""
    if FOLDER not in folder_paths.folder_names_and_paths:
        return []
    return [name for name in folder_paths.get_filename_list(FOLDER) if name.lower().endswith(_ENDINGS)]


def load_inpainter(choice: Choice, window: int) -> Inpainter:
    """The chosen file of models/inpaint on the host's device, with room for a window of that many px a side.

    It stays there until the host needs the room or is asked to free it. Raises MissingPart when it is not there,
    BadInput for a file that is no LaMa, EngineFailure when it does not fit.
    """
    path = None if choice.file is None else folder_paths.get_full_path(FOLDER, choice.file)
    if choice.file is None or path is None:
        reason = choice.reason if choice.file is None else f"no {choice.file} in models/{FOLDER}"
        raise MissingPart(
            f"LaMa ({reason}; models/{FOLDER}/big-lama.safetensors, 204 MB, Apache-2.0, by Suvorov et al.)",
            remedy=f"Fetch it (Hugging Face): {_FETCH}",
        )
    file = choice.file
    patcher = _kept.get((path, Path(path).stat().st_mtime_ns), lambda: _loaded(file, path))
    remedy = "Give a smaller window, or close other programs that use it."
    device = bring_in_or_say(patcher, window * window * _BYTES_PER_PIXEL, f"LaMa ({file})", remedy)
    return Inpainter(patcher.model, device, module=patcher.model, out_of_memory=is_out_of_memory)


def _loaded(file: str, path: str) -> torch.nn.Module:
    _log.info("loading LaMa from %s", file)
    try:
        descriptor = read_network(path, _generator)
    except Unreadable as error:
        raise _unfit(file, str(error)) from error
    channels = descriptor.input_channels, descriptor.output_channels
    if not isinstance(descriptor, MaskedImageModelDescriptor) or descriptor.architecture.id != _ARCHITECTURE:
        raise _unfit(file, f"a network of the kind {descriptor.architecture.name}")
    if channels != (3, 3):
        raise _unfit(file, f"a LaMa of {channels[0]} channels in and {channels[1]} out")
    return descriptor.model.eval()


def _generator(weights: Any) -> Any:
    """Of a checkpoint of training only the generator, under the names of the release."""
    if not isinstance(weights, dict):
        return weights
    names = [name for name in weights if isinstance(name, str)]
    for prefix in ("generator.model.", "model.model."):
        if any(name.startswith(prefix) for name in names):
            return {name: weights[name] for name in names if name.startswith(prefix)}
    if "model.1.bn_l.running_mean" in weights:  # some conversions leave the first word out
        return {f"generator.{name}": weights[name] for name in names if name.startswith("model.")}
    return weights


def _unfit(file: str, found: str) -> BadInput:
    favourite = file.replace("\\", "/").rpartition("/")[2] == FAVOURITE
    return BadInput(
        f"{file} is no LaMa for inpainting",
        value=found,
        limit="the generator of LaMa as tensors (.safetensors, or .pt, .pth and .ckpt without code)",
        remedy=f"Delete it from models/{FOLDER} and fetch it again: {_FETCH}"
        if favourite
        else f"Fetch the one that is known to be so: {_FETCH}; with model = {AUTO} it is taken.",
    )
