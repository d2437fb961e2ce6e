"""Slow, failing and counted sampling, by a file that is no input and so changes nothing that the host caches by.

A test that wants any of it makes the folder <base>/tiny_diffusion. There:
    control.json   read at every call of a diffusion model: {"slow": seconds, "fail_on": text, "nan_on": text};
                   what it names wins over the node's own inputs. {"most_rows": n}: calls with more rows raise what
                   torch raises when a device's memory is too small
    calls.jsonl    gets a line per call: {"texts": [one per row], "height", "width", "sigma"}
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import folder_paths
import torch

_TEXT = "vectrahub_test_text"
_encoded: dict[str, torch.Tensor] = {}  # every text that this process has encoded, and what came out: (1, tokens, C)


def watched(tokenizer: type, model: type) -> tuple[type, type]:
    """A tokenizer and a text encoder of core that let `Watch` tell whose text a row of a batch is."""

    class Tokenizer(tokenizer):
        def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **options: Any) -> dict[str, Any]:
            return {**super().tokenize_with_weights(text, return_word_ids, **options), _TEXT: text}

    class Model(model):
        def encode_token_weights(self, token_weight_pairs: dict[str, Any]) -> tuple[torch.Tensor, ...]:
            out = super().encode_token_weights(token_weight_pairs)
            if _TEXT in token_weight_pairs:
                _encoded[token_weight_pairs[_TEXT]] = out[0]
            return out

    return Tokenizer, Model


class Watch:
    """The wrapper of a diffusion model's calls. `fail_on`, `nan_on` "" is never."""

    def __init__(self, slow: float, fail_on: str, nan_on: str) -> None:
        self._defaults = {"slow": slow, "fail_on": fail_on, "nan_on": nan_on}

    def __call__(self, apply_model: Callable[..., torch.Tensor], call: dict[str, Any]) -> torch.Tensor:
        control = {**self._defaults, **_control()}
        texts = [_text_of(row) for row in call["c"]["c_crossattn"]]
        _log(texts, call["input"], call["timestep"])
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
        (cond.shape[1], text)
        for text, cond in _encoded.items()
        if cond.shape[1] <= row.shape[0] and torch.equal(cond[0], row[: cond.shape[1]].to(cond))
    ]
    return max(found)[1] if found else "?"


def _log(texts: list[str], x: torch.Tensor, sigma: torch.Tensor) -> None:
    if _folder().is_dir():
        line = {"texts": texts, "height": x.shape[2], "width": x.shape[3], "sigma": round(float(sigma[0]), 4)}
        with (_folder() / "calls.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
