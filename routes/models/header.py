"""What the head of a .safetensors file says: whether it is one, and what the model in it was made for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ...vectrahub_client.service.problems import bad_value

# Where trainers write down the base model: the model specification first, then the words of kohya's scripts.
_FIELDS = ("modelspec.architecture", "ss_base_model_version", "ss_sd_model_name", "baseModel", "base_model")

# From their names to ours, which are those of the folders; the first that fits.
_KINDS = tuple(
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"sd[_-]?xl|stable-diffusion-xl|sd_xl|pony|illustrious|noobai", "sdxl"),
        (r"flux", "flux"),
        (r"qwen[-_ ]?image", "qwen-image"),
        (r"z[-_ ]?image", "z-image"),
        (r"stable-diffusion-v?3|\bsd[_-]?v?3", "sd3"),
        (r"stable-diffusion-v?2|\bsd[_-]?v?2|\bv2-", "sd2"),
        (r"stable-diffusion-v?1|\bsd[_-]?v?1|\bv1-5", "sd1"),
        (r"hunyuan", "hunyuan"),
        (r"\bwan", "wan"),
    )
)


@dataclass(frozen=True)
class Header:
    """The free texts of a file, and how many tensors follow."""

    metadata: Mapping[str, str]
    tensors: int

    @property
    def base_model(self) -> str | None:
        """What the model was made for, in our words, if the file says so."""
        for field in _FIELDS:
            text = self.metadata.get(field, "")
            for pattern, kind in _KINDS:
                if pattern.search(text):
                    return kind
        return None


def read_header(path: Path) -> Header:
    """The head of a file. The library that the host loads it with demands the same of it: a header of at most 100 MB,
    JSON, offsets without gaps and overlaps that cover the file.

    Raises Problem 422 when it is no such file, OSError when it cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return Header(file.metadata() or {}, len(file.keys()))
    except SafetensorError as error:
        raise bad_value(f"the file is no usable .safetensors: {str(error).removeprefix(_PREFIX)}") from error


_PREFIX = "Error while deserializing header: "
