"""OmniSVG as a module: Qwen2.5-VL without its head of all words, and the head's rows of drawing."""

from typing import TYPE_CHECKING

import torch

from .vocabulary import ENDS, Vocabulary

if TYPE_CHECKING:  # its import takes seconds
    from transformers import Qwen2_5_VLModel


class OmniSVG(torch.nn.Module):
    """A Qwen2.5-VL that draws; frozen and in eval mode.

    head: (rows, hidden); row r is of token `vocabulary.first` + r, the last two are of ENDS. Logits of drawing are
    last_hidden_state @ head.T: the other 152,000 rows of the released head are words and are never kept.
    """

    model: "Qwen2_5_VLModel"
    head: torch.nn.Parameter
    vocabulary: Vocabulary

    def __init__(self, model: "Qwen2_5_VLModel", full_head: torch.Tensor, vocabulary: Vocabulary) -> None:
        """`full_head`: (197000, hidden), of which only the rows of drawing are copied."""
        super().__init__()
        self.model = model
        self.vocabulary = vocabulary
        rows = torch.cat([full_head[vocabulary.first : vocabulary.stop], full_head[list(ENDS)]])
        self.head = torch.nn.Parameter(rows, requires_grad=False)
        self.requires_grad_(False)
        self.eval()
