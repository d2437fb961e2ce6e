"""Qwen2.5-VL out of the host's model folders and into its memory."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import folder_paths
import torch

from ..engine.errors import BadInput, MissingPart
from ..engine.networks.captioner.caption import MOST_AT_ONCE, Room, Speaker, working_bytes
from ..engine.networks.captioner.network import Captioner
from ..engine.networks.captioner.weights import load, weight_files
from ..engine.networks.qwen_vl.choice import Choice
from .convert import Pixels, images_to_pixels
from .memory import Kept, bring_in_or_say, clear_cache, free_bytes, is_out_of_memory, on_gpu, send_out

FOLDER = "LLM"  # where other packs of the ecosystem keep such folders

_KIND = "qwen2_5_vl"
_DEPTHS = ("*/config.json", "*/*/config.json")  # some packs sort them into folders by family
_MOST_ON_CPU = 2  # pictures at a time: more are no faster there
_WISHED = 4  # pictures at a time that the host makes room for; more are taken where more is free

_log = logging.getLogger("vectrahub")
_kept = Kept()  # the process's own, as the host's list of loaded models is


def register_captioner_folder() -> None:
    """Make models/LLM a folder of the host, so that extra_model_paths.yaml and /models know it."""
    folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


def captioner_sizes() -> dict[str, int]:
    """Name of each folder of models/LLM that holds a whole Qwen2.5-VL -> bytes of its weights."""
    sizes = {}
    for name, folder in _folders().items():
        try:
            sizes[name] = sum(file.stat().st_size for file in weight_files(folder))
        except (MissingPart, BadInput):
            continue  # an unfinished download: `missing_captioner` says so
    return sizes


@contextmanager
def captioner(name: str, pictures: int, max_tokens: int, free_after: bool) -> Iterator[Speaker]:
    """A folder of models/LLM on the host's device, with room for some pictures at a time.

    It stays there until the host needs the room or is asked to free it; with `free_after` it is unloaded at the end,
    also of a run that failed. Raises MissingPart when it is not there, EngineFailure when it does not fit, BadInput
    for files of something else.
    """
    folder = _folders().get(name)
    if folder is None:
        raise _not_here(f"no folder {name} with a Qwen2.5-VL")
    state = tuple((str(file), file.stat().st_mtime_ns) for file in weight_files(folder))
    patcher = _kept.get(state, lambda: _loaded(folder))
    network: Captioner = patcher.model
    at_once = min(pictures, _WISHED if on_gpu() else _MOST_ON_CPU)
    room = at_once * working_bytes(network, max_tokens)
    try:
        remedy = "Close other programs that use it, or take a smaller one (qwen2.5-vl-3b is the smallest)."
        device = bring_in_or_say(patcher, room, f"Qwen2.5-VL ({name})", remedy)
        most = MOST_AT_ONCE if on_gpu() else _MOST_ON_CPU
        yield Speaker(network, folder, Room(lambda: free_bytes(device), is_out_of_memory, clear_cache, most))
    finally:
        if free_after:
            send_out(patcher)


def missing_captioner(choice: Choice) -> MissingPart:
    """The error of a node that cannot describe pictures, because `choice` names nothing."""
    if not captioner_sizes():
        return _not_here("; ".join([choice.reason, *_half_here()]))
    return MissingPart(
        f"A GPU with room for Qwen2.5-VL ({choice.reason})", remedy="Choose the model by name, or if_missing = skip."
    )


def images_to_captioner(images: list[torch.Tensor]) -> list[Pixels]:
    """All pictures of a list of images or batches (B, H, W, C), in order, as (H, W, 3) uint8.

    Raises BadInput for none at all, for a picture without pixels and for one that is not of numbers, by its number.
    """
    pixels: list[Pixels] = []
    for batch in images:
        pixels += _checked(batch, len(pixels))
    if not pixels:
        raise BadInput(
            "There are no images", value="an empty list", limit="at least one image", remedy="Connect an image."
        )
    return pixels


def _not_here(reason: str) -> MissingPart:
    return MissingPart(
        f"Qwen2.5-VL ({reason}; models/LLM/Qwen2.5-VL-7B-Instruct, 16.6 GB, Apache-2.0, by Qwen)",
        remedy=(
            "Fetch it (Hugging Face): python install.py models get qwen2.5-vl-7b, or qwen2.5-vl-3b (7.5 GB, licence "
            "for research only, non-commercial), or choose if_missing = skip."
        ),
    )


def _checked(batch: torch.Tensor, before: int) -> list[Pixels]:
    """`images_to_pixels`, where NaN is an error that counts `before` pictures before the batch."""
    pixels = images_to_pixels(batch)
    broken = (~batch.isfinite()).flatten(1).any(dim=1).nonzero()[:, 0].tolist()
    if broken:
        raise BadInput(
            f"Image {before + broken[0] + 1} is broken",
            value="pixels that are not numbers (NaN or infinite)",
            limit="values of 0 to 1",
            remedy="Look at the node that made it: a VAE in fp16 is known for this (start ComfyUI with --fp32-vae).",
        )
    return pixels


def _half_here() -> list[str]:
    """Why the folders with a Qwen2.5-VL cannot be used."""
    reasons = []
    for folder in _folders().values():
        try:
            weight_files(folder)
        except (MissingPart, BadInput) as error:
            reasons.append(str(error).split(". ")[0])
    return reasons


def _folders() -> dict[str, Path]:
    """Name of each folder of models/LLM with a Qwen2.5-VL's config -> its place; of equal names the first."""
    found: dict[str, Path] = {}
    places, _ = folder_paths.folder_names_and_paths.get(FOLDER, ([], set()))
    for place in map(Path, places):
        for depth in _DEPTHS:
            for config in sorted(place.glob(depth)):
                if _model_type(config) == _KIND:
                    found.setdefault(config.parent.relative_to(place).as_posix(), config.parent)
    return dict(sorted(found.items()))


def _model_type(config: Path) -> object:
    try:
        read: Any = json.loads(config.read_text("utf-8"))
    except (OSError, ValueError):  # a folder of somebody else's
        return None
    return read.get("model_type") if isinstance(read, dict) else None


def _loaded(folder: Path) -> Captioner:
    _log.info("loading Qwen2.5-VL from %s", folder.name)
    return load(folder)
