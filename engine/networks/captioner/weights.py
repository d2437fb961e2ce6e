"""A folder of Qwen2.5-VL as released -> the captioner."""

import json
from pathlib import Path
from typing import Any

import torch

from ...errors import BadInput, MissingPart
from ..qwen_vl.folder import Source, Tensors, build, mapped_safetensors, plain, read_config, require_transformers
from .network import Captioner

SOURCE = Source("Qwen2.5-VL", "qwen2.5-vl-7b")
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_KINDS = {torch.bfloat16, torch.float16, torch.float32}
BESIDE = ("config.json", "tokenizer.json", "preprocessor_config.json")


def load(folder: Path) -> Captioner:
    """The network, its weights mapped from the files and read when they are used; the dtype is the files'.

    One `model.safetensors` or, as released, several with an index. Never asks the network and runs no code of the
    folder. Raises MissingPart for absent files and for transformers older than 4.54, BadInput for damaged files,
    another model's, and quantized ones.
    """
    require_transformers()
    for name in BESIDE:
        if not (folder / name).is_file():
            raise MissingPart(f"Qwen2.5-VL's {name} (looked for {folder / name})", remedy=SOURCE.fetch)
    config = read_config(folder / "config.json", SOURCE)
    if "quantization_config" in config:
        raise BadInput(
            f"The weights in {folder} are quantized",
            value=config["quantization_config"].get("quant_method", "some way"),
            limit="weights as released (bfloat16), float16 or float32",
            remedy=SOURCE.fetch,
        )
    files = weight_files(folder)
    tensors: Tensors = {}
    for file in files:
        tensors |= {plain(name): tensor for name, tensor in mapped_safetensors(file, SOURCE).items()}
    kinds = {tensor.dtype for tensor in tensors.values()}
    if len(kinds) > 1 or not kinds <= _KINDS:
        raise BadInput(
            f"Kinds of numbers in {folder}",
            value=", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds)),
            limit="one of bfloat16 (as released), float16 and float32",
            remedy=SOURCE.fetch,
        )
    return Captioner(*build(config, tensors, files[0].parent, SOURCE))


def weight_files(folder: Path) -> list[Path]:
    """The files of weights in `folder`. Raises MissingPart when one is absent, BadInput for an unreadable index."""
    whole, index = folder / WHOLE, folder / INDEX
    if whole.is_file():
        return [whole]
    if not index.is_file():
        raise MissingPart(f"Qwen2.5-VL's weights ({WHOLE} or {INDEX} in {folder})", remedy=SOURCE.fetch)
    try:
        named: Any = json.loads(index.read_text("utf-8"))["weight_map"].values()
        # An index may name any path; only files beside it are read.
        files = [folder / Path(name).name for name in sorted(set(named))]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            "The index of the weights cannot be read",
            value=index,
            limit="JSON with a weight_map",
            remedy=SOURCE.fetch_again,
        ) from error
    absent = [file.name for file in files if not file.is_file()]
    if absent or not files:
        named = ", ".join(absent) or "any weights"
        raise MissingPart(f"Qwen2.5-VL's {named} (in {folder})", remedy=SOURCE.fetch)
    return files
