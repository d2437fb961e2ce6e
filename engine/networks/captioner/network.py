"""The captioner as a module: Qwen2.5-VL and its head of words."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:  # its import takes seconds
    from transformers import Qwen2_5_VLModel


class Captioner(torch.nn.Module):
    """A Qwen2.5-VL that answers; frozen and in eval mode. Logits of words are last_hidden_state @ head.T."""

    model: "Qwen2_5_VLModel"
    own_head: torch.nn.Parameter | None

    def __init__(self, model: "Qwen2_5_VLModel", head: torch.Tensor) -> None:
        """`head`: (words, hidden); the embedding itself where the weights are tied."""
        super().__init__()
        self.model = model
        tied = head.data_ptr() == self._embedding.data_ptr()
        self.own_head = None if tied else torch.nn.Parameter(head, requires_grad=False)
        self.requires_grad_(False)
        self.eval()

    @property
    def head(self) -> torch.Tensor:
        """(words, hidden)."""
        return self._embedding if self.own_head is None else self.own_head

    @property
    def _embedding(self) -> torch.Tensor:
        return self.model.get_input_embeddings().weight  # pyright: ignore[reportReturnType]
