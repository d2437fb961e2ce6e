"""The released folder of OmniSVG 1.1 -> the network, without reading or copying what need not be."""

import json
import pickle
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...errors import BadInput, MissingPart
from .network import OmniSVG
from .vocabulary import BASE_OF_HIDDEN_SIZE, BASES, SIZE, Vocabulary

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLModel

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first one present is taken
BESIDE = ("config.json", "tokenizer.json", "preprocessor_config.json")

_LEGACY = 196_042  # rows of the embeddings of OmniSVG-3B, the first release
_OLDEST = (4, 54)  # of transformers: 4.52 has this Qwen2_5_VLModel, 4.54 the cache by layers that `step` copies
_VISION_THETA = 10_000.0  # of the vision tower's rotary positions (Bai et al., 2025, Qwen2.5-VL)
_FETCH = "Fetch it: python install.py models get omnisvg-8b"
_FETCH_AGAIN = "Fetch it again: python install.py models get omnisvg-8b"


@dataclass(frozen=True)
class Release:
    """A folder whose small files are in order. config: its config.json."""

    folder: Path
    weights: Path
    config: dict[str, Any]
    vocabulary: Vocabulary


def read_release(folder: Path) -> Release:
    """What lies in `folder`, by its small files; no weights are read.

    Raises MissingPart for an absent file, BadInput for a config that cannot be read or is of another model.
    """
    for name in BESIDE:
        if not (folder / name).is_file():
            raise MissingPart(f"OmniSVG's {name} (looked for {folder / name})", remedy=_FETCH)
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise MissingPart(f"OmniSVG's weights file ({' or '.join(WEIGHTS)} in {folder})", remedy=_FETCH)
    config = _read_config(folder / "config.json")
    return Release(folder, weights, config, Vocabulary(_base(config)))


def load(folder: Path) -> OmniSVG:
    """The network, its weights mapped from the file and read when they are used; only the head's rows are copied.

    The dtype is the file's (bfloat16 as released). Never asks the network and runs no code of the folder.
    Raises MissingPart for absent files and for transformers older than 4.54, BadInput for damaged files, another
    model's weights, and the first release, OmniSVG-3B.
    """
    release = read_release(folder)
    _check_transformers()
    tensors = {_plain(name): tensor for name, tensor in _mapped(release.weights).items()}
    _check_vocabulary(tensors, release.weights)
    model = _empty_model(release)
    names = {_plain(name): name for name in model.state_dict()}
    head = tensors.pop("lm_head.weight", None)
    if head is None and _of_text(release.config, "tie_word_embeddings", False):
        head = tensors.get("embed_tokens.weight")
    missing = sorted(names.keys() - tensors.keys()) + (["lm_head.weight"] if head is None else [])
    if missing or head is None:
        raise _damaged(release.weights, f"no {_some(missing)}")
    if unknown := sorted(tensors.keys() - names.keys()):
        raise _damaged(release.weights, f"unknown {_some(unknown)}")
    try:
        model.load_state_dict({names[name]: tensor for name, tensor in tensors.items()}, assign=True)
    except RuntimeError as error:  # shapes: its text is a list of them
        raise _damaged(release.weights, str(error).splitlines()[1].strip()) from error
    _fill_rotations(model)
    return OmniSVG(model, head, release.vocabulary)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadInput("The config cannot be read", value=path, limit="JSON", remedy=_FETCH_AGAIN) from error
    kind = config.get("model_type") if isinstance(config, dict) else type(config).__name__
    if kind != "qwen2_5_vl":
        raise BadInput(
            f"The config {path} is of another model", value=kind, limit="model_type qwen2_5_vl", remedy=_FETCH
        )
    return config


def _of_text(config: dict[str, Any], name: str, otherwise: Any = None) -> Any:
    """A value of the language model, in the flat layout as released or in the later one with `text_config`."""
    return config.get("text_config", {}).get(name, config.get(name, otherwise))


def _base(config: dict[str, Any]) -> int:
    rows, hidden = _of_text(config, "vocab_size"), _of_text(config, "hidden_size")
    if rows == _LEGACY:
        raise _legacy()
    base = rows if rows in BASES else BASE_OF_HIDDEN_SIZE.get(hidden)
    if base is None:
        raise BadInput(
            "The config is of no released size of OmniSVG 1.1",
            value=f"vocabulary {rows}, hidden size {hidden}",
            limit=f"a vocabulary of {' or '.join(map(str, BASES))}",
            remedy=_FETCH,
        )
    return base


def _check_transformers() -> None:
    try:
        version = metadata.version("transformers")
    except metadata.PackageNotFoundError:
        version = "none"
    known = re.match(r"(\d+)\.(\d+)", version)  # what follows may be rc1 or dev0
    if known is None or (int(known[1]), int(known[2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise MissingPart(
            f"transformers {oldest} or newer (found: {version})", remedy="Install it: pip install -U transformers"
        )


def _mapped(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the file, over pages of it that are read when touched."""
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, RuntimeError) as error:
            raise _damaged(path, str(error)) from error
    if not zipfile.is_zipfile(path):  # as torch writes since 1.6; the index lies at the end, so a cut file has none
        raise _damaged(path, "no archive of torch")
    try:
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise _damaged(path, "something else than named tensors")
    return content


def _plain(name: str) -> str:
    """A weight's name without the wrappers around it, which differ between the released file (transformer.model.
    layers, transformer.visual), transformers up to 4.51 (model.layers, visual) and later ones (model.language_model.
    layers, model.visual)."""
    parts = name.split(".")
    while parts[0] in {"transformer", "model", "language_model"}:
        parts.pop(0)
    return ".".join(parts)


def _check_vocabulary(tensors: dict[str, torch.Tensor], path: Path) -> None:
    for name in ("embed_tokens.weight", "lm_head.weight"):
        rows = len(tensors[name]) if name in tensors else SIZE
        if rows == _LEGACY:
            raise _legacy()
        if rows != SIZE:
            raise BadInput(
                f"The weights {path} are not those of OmniSVG 1.1",
                value=f"{rows} words in {name}",
                limit=SIZE,
                remedy=_FETCH,
            )


def _empty_model(release: Release) -> "Qwen2_5_VLModel":
    """The model on the meta device: no memory, no random numbers."""
    from transformers import AutoModel, Qwen2_5_VLConfig

    config = Qwen2_5_VLConfig.from_dict(release.config)
    text: Any = config.text_config
    text.vocab_size = SIZE
    with torch.device("meta"):
        return AutoModel.from_config(config, attn_implementation="sdpa")


def _fill_rotations(model: "Qwen2_5_VLModel") -> None:
    """The rotary frequencies, which no file holds: theta^(-2i / d) (Su et al., 2021, RoFormer)."""
    text: Any = model.config.text_config
    theta = getattr(text, "rope_theta", None) or text.rope_parameters["rope_theta"]
    for name, buffer in list(model.named_buffers()):
        if not buffer.is_meta:
            continue
        module, _, own = name.rpartition(".")
        if own not in {"inv_freq", "original_inv_freq"}:
            raise MissingPart(f"A transformers whose Qwen2.5-VL has no buffer {name}", remedy="Tell us its version.")
        base = _VISION_THETA if name.startswith("visual.") else theta
        share = torch.arange(len(buffer), dtype=torch.float32) / len(buffer)
        model.get_submodule(module).register_buffer(own, 1.0 / base**share, persistent=False)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _damaged(path: Path, how: str) -> BadInput:
    return BadInput(
        f"The weights {path} are damaged or incomplete",
        value=how,
        limit="the file of OmniSVG 1.1 as released",
        remedy=_FETCH_AGAIN,
    )


def _legacy() -> BadInput:
    return BadInput(
        "These are the weights of OmniSVG-3B, whose vocabulary differs: its token ids mean other points and colours",
        value=f"{_LEGACY} words",
        limit=f"OmniSVG 1.1 (8B or 4B), {SIZE} words",
        remedy=_FETCH,
    )
