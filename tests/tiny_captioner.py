"""A tiny Qwen2.5-VL with random weights in the released on-disk layout, which says words of a short list."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vectrahub.tests.tiny_qwen import PREPROCESSOR, qwen_config, write_json, write_tokenizer

VOCABULARY = 151_936  # words, as of the released 3B
ENDS = (151_645, 151_643)

_SAID = (
    "red blue green yellow dark bright soft old round tall wooden glass stone metal water sky tree leaf cloud house "
    "roof window wall street river hill flower bird cat face hand cloth light shadow grain paint photo sketch night day"
).split()
# What it is asked, so that a question does not become some hundred single letters.
_HEARD = (
    "system user assistant You write prompts for an image diffusion model Answer with one line of keywords in English "
    "separated by commas words at most first the subject then its parts materials and surfaces colors light "
    "surroundings last medium or style Name only what can be seen as if picture were whole it may part a larger so do "
    "not guess rest say that is cut off No markdown breaks praise quality negations nothing twice sentences two plain "
    "does Do begin such shows Write this prompt"
).split()
_LOUD = 8  # how much more than with the released spread it heeds what it reads


def write_tiny_captioner(
    folder: Path,
    tied: bool = False,
    shards: int = 2,
    dtype: torch.dtype = torch.float32,
    ends: float = 0.7,
    seed: int = 0,
    layers: int = 2,
    hidden: int = 32,
) -> Path:
    """All 151,936 words of `hidden` channels: 19 MB as float32, twice that unless `tied`. Returns `folder`.

    Names and files are the released ones: an index and `shards` files, or one file of another name for 1. Only words
    of a list of 40, commas and the end are ever said. ends: how loudly the end is said; 0 never.
    """
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    folder.mkdir(parents=True, exist_ok=True)
    config = qwen_config(VOCABULARY, tied, hidden, layers)
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    generation = {"do_sample": True, "eos_token_id": list(ENDS), "repetition_penalty": 1.05, "temperature": 0.000001}
    write_json(folder / "generation_config.json", generation | {"bos_token_id": 151643, "pad_token_id": 151643})
    ids = write_tokenizer(folder, list(dict.fromkeys([*_SAID, *_HEARD])))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_dict(config))
        tensors = {_released(name): value.to(dtype) for name, value in network.state_dict().items()}
        for name, value in tensors.items():
            if "_proj.weight" in name or "qkv.weight" in name:
                tensors[name] = value * _LOUD
        name = "model.embed_tokens.weight" if tied else "lm_head.weight"
        said = [ids["\u0120" + word] for word in _SAID] + [ids[","], ENDS[0]]
        rows = torch.randn(len(said), hidden)
        rows[-1] *= ends
        if not tied:
            tensors[name] = torch.zeros_like(tensors[name])
        tensors[name][said] = rows.to(dtype)
    if tied:
        del tensors["lm_head.weight"]
    _write_weights(folder, tensors, shards)
    return folder


def pictures(count: int, side: int = 448, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Random pictures that a network cannot take for one another; `side` px high, each a bit wider."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(count):
        cell = random.integers(0, 256, (4, 4, 3), np.uint8)
        made.append(np.kron(cell, np.ones((side // 4, side // 4 + 7 * index, 1), np.uint8)))
    return made


def _released(name: str) -> str:
    """transformers' name of today -> that of the released files."""
    for now, then in (("model.visual.", "visual."), ("model.language_model.", "model."), ("lm_head.", "lm_head.")):
        if name.startswith(now):
            return then + name.removeprefix(now)
    raise ValueError(f"no released name for {name}")


def _write_weights(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    from safetensors.torch import save_file

    def save(file: str, part: dict[str, torch.Tensor]) -> None:
        save_file({name: value.contiguous() for name, value in part.items()}, folder / file, {"format": "pt"})

    if shards == 1:
        save("model.safetensors", tensors)
        return
    file_of: Callable[[int], str] = lambda index: f"model-{index + 1:05d}-of-{shards:05d}.safetensors"  # noqa: E731
    where = {name: file_of(index * shards // len(tensors)) for index, name in enumerate(sorted(tensors))}
    for file in sorted(set(where.values())):
        save(file, {name: value for name, value in tensors.items() if where[name] == file})
    total = sum(value.numel() * value.element_size() for value in tensors.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where})
