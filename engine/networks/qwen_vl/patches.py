"""The first layer of the vision tower as a matrix product."""

from typing import Any

import torch
from torch.nn import functional


class FlatPatches(torch.nn.Module):
    """transformers' patch embedding, with its weights under their names, but without its convolution.

    Kernel and stride are the patch itself, so that it is one product of rows; as a convolution of bfloat16 in three
    dimensions it is many times slower on GPUs (PyTorch issue 174051, transformers issue 45750).
    """

    def __init__(self, embedding: Any) -> None:
        super().__init__()
        self.proj: Any = embedding.proj

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(N, 1176) pixels of patches -> (N, hidden)."""
        weight: torch.Tensor = self.proj.weight.flatten(1)
        return functional.linear(patches.to(weight.dtype), weight)
