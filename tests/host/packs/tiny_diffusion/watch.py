"""Slow, failing and counted sampling, by a file that is no input and so changes nothing that the host caches by.

A test that wants any of it makes the folder <base>/tiny_diffusion. There:
    control.json   read at every call of a diffusion model: {"slow": seconds, "fail_on": text, "nan_on": text};
                   what it names wins over the node's own inputs. {"most_rows": n}: calls with more rows raise what
                   torch raises when a device's memory is too small
    calls.jsonl    gets a line per call: {"texts": [one per row], "height", "width", "sigma"}, and of a model that edits
                   pictures: {"references": [[height, width] of each latent], "method"}
    encoded.jsonl  gets a line per text that comes with pictures: {"text", "pictures": [PNG files beside it]}
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import torch
from PIL import Image

_TEXT = "vectrahub_test_text"
_CHANNELS = 64  # of an encoded text that are kept: enough to know it again
# What this process has encoded, by text and what came out, (tokens, at most _CHANNELS): pictures change what a text is.
_encoded: dict[tuple[str, int], torch.Tensor] = {}


def watched(tokenizer: type, model: type) -> tuple[type, type]:
    """A tokenizer and a text encoder of core that let `Watch` tell whose text a row of a batch is."""

    class Tokenizer(tokenizer):
        def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **options: Any) -> dict[str, Any]:
            if options.get("images"):
                _keep_pictures(text, options["images"])
            return {**super().tokenize_with_weights(text, return_word_ids, **options), _TEXT: text}

    class Model(model):
        def encode_token_weights(self, token_weight_pairs: dict[str, Any]) -> tuple[torch.Tensor, ...]:
            out = super().encode_token_weights(token_weight_pairs)
            if _TEXT in token_weight_pairs:
                kept = out[0][0, :, :_CHANNELS].clone()
                _encoded[token_weight_pairs[_TEXT], zlib.crc32(kept.float().cpu().numpy().tobytes())] = kept
            return out

    return Tokenizer, Model


class Watch:
    """The wrapper of a diffusion model's calls. `fail_on`, `nan_on` "" is never."""

    def __init__(self, slow: float, fail_on: str, nan_on: str) -> None:
        self._defaults = {"slow": slow, "fail_on": fail_on, "nan_on": nan_on}

    def __call__(self, apply_model: Callable[..., torch.Tensor], call: dict[str, Any]) -> torch.Tensor:
        control = {**self._defaults, **_control()}
        texts = [_text_of(row) for row in call["c"]["c_crossattn"]]
        _log(texts, call)
        if len(texts) > control.get("most_rows", len(texts)):
            raise torch.OutOfMemoryError(f"{len(texts)} rows, as the test wants it")
        if control["slow"]:
            time.sleep(control["slow"])
        failing = [text for text in texts if control["fail_on"] and control["fail_on"] in text]
        if failing:
            raise RuntimeError(f"out of memory, as the test wants it for {failing[0]!r}")
        result = apply_model(call["input"], call["timestep"], **call["c"])
        for row, text in enumerate(texts):
            if control["nan_on"] and control["nan_on"] in text:
                result[row] = torch.nan
        return result


def _folder() -> Path:
    return Path(folder_paths.get_input_directory()).parent / "tiny_diffusion"


def _control() -> dict[str, Any]:
    try:
        return json.loads((_folder() / "control.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _text_of(row: torch.Tensor) -> str:
    """The text whose encoding the row (tokens, C) begins with; the longest of several, "?" for none."""
    found = [
        (kept.shape[0], text)
        for (text, _), kept in _encoded.items()
        if kept.shape[0] <= row.shape[0] and torch.equal(kept, row[: kept.shape[0], : kept.shape[1]].to(kept))
    ]
    return max(found)[1] if found else "?"


def _log(texts: list[str], call: dict[str, Any]) -> None:
    height, width = call["input"].shape[-2:]
    line = {"texts": texts, "height": height, "width": width, "sigma": round(float(call["timestep"][0]), 4)}
    if "ref_latents" in call["c"]:
        line["references"] = [list(latent.shape[-2:]) for latent in call["c"]["ref_latents"]]
        line["method"] = call["c"].get("ref_latents_method")
    _add_line("calls.jsonl", line)


def _keep_pictures(text: str, pictures: list[torch.Tensor]) -> None:
    if not _folder().is_dir():
        return
    names = []
    for picture in pictures:
        pixels = (picture[0].clamp(0, 1) * 255).round().byte().cpu().numpy()
        names.append(f"{zlib.crc32(np.ascontiguousarray(pixels).tobytes()):08x}.png")
        if not (_folder() / names[-1]).exists():  # it may be read already
            Image.fromarray(pixels).save(_folder() / names[-1])
    _add_line("encoded.jsonl", {"text": text, "pictures": names})


def _add_line(name: str, line: dict[str, Any]) -> None:
    if _folder().is_dir():
        with (_folder() / name).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
