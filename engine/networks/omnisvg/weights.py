"""The released folder of OmniSVG 1.1 -> the network, without reading or copying what need not be."""

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import BadInput, MissingPart
from ..qwen_vl.folder import (
    EMBEDDING,
    HEAD,
    Source,
    build,
    mapped_safetensors,
    of_text,
    plain,
    read_config,
    require_transformers,
)
from .network import OmniSVG
from .vocabulary import BASE_OF_HIDDEN_SIZE, BASES, SIZE, Vocabulary

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first one present is taken
BESIDE = ("config.json", "tokenizer.json", "preprocessor_config.json")
SOURCE = Source("OmniSVG 1.1", "omnisvg-8b")

_LEGACY = 196_042  # rows of the embeddings of OmniSVG-3B, the first release


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
            raise MissingPart(f"OmniSVG's {name} (looked for {folder / name})", remedy=SOURCE.fetch)
    weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise MissingPart(f"OmniSVG's weights file ({' or '.join(WEIGHTS)} in {folder})", remedy=SOURCE.fetch)
    config = read_config(folder / "config.json", SOURCE)
    return Release(folder, weights, config, Vocabulary(_base(config)))


def load(folder: Path) -> OmniSVG:
    """The network, its weights mapped from the file and read when they are used; only the head's rows are copied.

    The dtype is the file's (bfloat16 as released). Never asks the network and runs no code of the folder.
    Raises MissingPart for absent files and for transformers older than 4.54, BadInput for damaged files, another
    model's weights, and the first release, OmniSVG-3B.
    """
    release = read_release(folder)
    require_transformers()
    tensors = {plain(name): tensor for name, tensor in _mapped(release.weights).items()}
    _check_vocabulary(tensors, release.weights)
    model, head = build(release.config, tensors, release.weights, SOURCE, words=SIZE)
    return OmniSVG(model, head, release.vocabulary)


def _base(config: dict[str, Any]) -> int:
    rows, hidden = of_text(config, "vocab_size"), of_text(config, "hidden_size")
    if rows == _LEGACY:
        raise _legacy()
    base = rows if rows in BASES else BASE_OF_HIDDEN_SIZE.get(hidden)
    if base is None:
        raise BadInput(
            "The config is of no released size of OmniSVG 1.1",
            value=f"vocabulary {rows}, hidden size {hidden}",
            limit=f"a vocabulary of {' or '.join(map(str, BASES))}",
            remedy=SOURCE.fetch,
        )
    return base


def _mapped(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of the file, over pages of it that are read when touched."""
    if path.suffix == ".safetensors":
        return mapped_safetensors(path, SOURCE)
    if not zipfile.is_zipfile(path):  # as torch writes since 1.6; the index lies at the end, so a cut file has none
        raise SOURCE.damaged(path, "no archive of torch")
    try:
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise SOURCE.damaged(path, str(error).splitlines()[0]) from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise SOURCE.damaged(path, "something else than named tensors")
    return content


def _check_vocabulary(tensors: dict[str, torch.Tensor], path: Path) -> None:
    for name in (EMBEDDING, HEAD):
        rows = len(tensors[name]) if name in tensors else SIZE
        if rows == _LEGACY:
            raise _legacy()
        if rows != SIZE:
            raise BadInput(
                f"The weights {path} are not those of OmniSVG 1.1",
                value=f"{rows} words in {name}",
                limit=SIZE,
                remedy=SOURCE.fetch,
            )


def _legacy() -> BadInput:
    return BadInput(
        "These are the weights of OmniSVG-3B, whose vocabulary differs: its token ids mean other points and colours",
        value=f"{_LEGACY} words",
        limit=f"OmniSVG 1.1 (8B or 4B), {SIZE} words",
        remedy=SOURCE.fetch,
    )
