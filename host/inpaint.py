"""Inpainting networks out of the host's model folders and into its memory; and masks that mark something."""

import logging
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import folder_paths
import numpy as np
import torch
from comfy.utils import load_torch_file
from numpy.typing import NDArray
from safetensors import SafetensorError
from spandrel import MaskedImageModelDescriptor, ModelLoader, UnsupportedModelError

from ..engine.errors import BadInput, MissingPart
from ..engine.networks.inpaint.choice import AUTO, Choice
from ..engine.networks.inpaint.network import Inpainter
from .convert import Alpha, mask_to_alphas, only_photo
from .memory import Kept, bring_in_or_say, is_out_of_memory

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


def images_to_photos(images: torch.Tensor) -> list[NDArray[np.float32]]:
    """IMAGE (B, H, W, 1..4) -> B arrays (H, W, 3) float32, 0..1, not rounded. Alpha channels are dropped.

    Raises BadInput for an empty batch, for an image without pixels and for pixels that are not numbers.
    """
    if images.ndim != 4 or len(images) == 0:
        return [only_photo("image", images)]  # which says what is wrong
    return [only_photo("image", image[None]) for image in images]


def mask_to_marks(mask: torch.Tensor, photos: Sequence[NDArray[np.float32]]) -> list[Alpha | None]:
    """MASK (B or 1, H, W), 1 = marked -> a plane (H, W) per image, None where nothing is marked.

    Other sizes are resized to the image, as masks of transparency are. Raises BadInput for another count.
    """
    return [None if alpha is None else 1 - alpha for alpha in mask_to_alphas(mask, photos)]


def marks_anything(mask: torch.Tensor) -> bool:
    """Whether a MASK, any of its planes, is above 0 somewhere; NaN is not."""
    return bool((mask > 0).any())


def marked_percent(mask: torch.Tensor) -> float:
    """Share of a MASK, of all its planes together, that is above 0; NaN is not."""
    return round(100 * float((mask > 0).float().mean()), 4) if mask.numel() else 0.0


def _loaded(file: str, path: str) -> torch.nn.Module:
    _log.info("loading LaMa from %s", file)
    try:
        weights: Any = load_torch_file(path, safe_load=True)
        descriptor = ModelLoader().load_from_state_dict(_generator(weights))
    except (UnsupportedModelError, UnpicklingError, SafetensorError, EOFError, RuntimeError, ValueError) as error:
        if "TorchScript" in str(error):
            raise _unfit(file, "a TorchScript archive, which is a program and is not run here") from error
        raise _unfit(file, f"a file that cannot be read as one ({type(error).__name__})") from error
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
    return BadInput(
        f"{file} is no LaMa for inpainting",
        value=found,
        limit="the generator of LaMa as tensors (.safetensors, or .pt, .pth and .ckpt without code)",
        remedy=f"Fetch the one that is known to be so: {_FETCH}; with model = {AUTO} it is taken.",
    )
