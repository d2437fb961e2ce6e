"""Weights from a seed: the same for every run, machine state and order of loading."""

from __future__ import annotations

import math
import zlib

import torch


def fill(module: torch.nn.Module, seed: int, gain: float = 1.0) -> torch.nn.Module:
    """Give every parameter a value drawn from `seed` and its own name; matrices and kernels keep their input's size.

    Core's layers are made without values, some even without storage: loading nothing into them gives them storage.
    """
    module.load_state_dict({}, strict=False)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(_drawn(name, parameter.shape, seed, gain))
    return module.requires_grad_(False).eval()


def _drawn(name: str, shape: torch.Size, seed: int, gain: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
    drawn = torch.randn(shape, generator=generator)
    if "embed" in name and len(shape) == 2 and shape[0] > 64:  # a table of tokens
        return drawn
    if len(shape) > 1:
        return drawn * gain / math.sqrt(math.prod(shape[1:]))
    if name.endswith("weight") or name.endswith("scale"):  # of a norm
        return 1.0 + 0.1 * drawn
    return 0.05 * drawn
