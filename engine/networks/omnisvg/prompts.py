"""What OmniSVG is asked: the words, the picture's patches, and where each token stands.

Texts as in the released inference code; the layout is Qwen's chat format, see `qwen_vl.chat`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadInput
from ..qwen_vl.chat import Picture, chat, patches, places, read_tokenizer
from .weights import SOURCE

SIDE = 448  # px of the square picture
GRID = 32  # patches of 14 px along it
MERGED = 16  # tokens along it: the vision tower merges 2 x 2 patches
MAX_PROMPT_TOKENS = 512
LONGEST_PROMPT = MAX_PROMPT_TOKENS + MERGED**2 + 256  # with the task's own words, from above

_SYSTEM = (
    "You are an expert SVG code generator. \n"
    "Generate precise, valid SVG path commands that accurately represent the described scene or object.\n"
    "Focus on capturing key shapes, spatial relationships, and visual composition."
)
_IMAGE_TASK = "Generate SVG code that accurately represents this image:"
_TEXT_TASK = (
    "Generate an SVG illustration for: {prompt}\n"
    "        \n"
    "Requirements:\n"
    "- Create complete SVG path commands\n"
    "- Include proper coordinates and colors\n"
    "- Maintain visual clarity and composition"
)


@dataclass(frozen=True)
class Prompt:
    """ids: (T,) int64. positions: (3, T) int64, the place of each token in time, row and column.

    patches: float32 (1024, 1176), the 32 x 32 patches of 2 x 3 x 14 x 14 of one picture; None without one.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    patches: torch.Tensor | None = None


def image_prompt(folder: Path, pixels: NDArray[np.uint8]) -> Prompt:
    """The task of drawing a picture (448, 448, 3). `folder`: the released one."""
    if pixels.shape != (SIDE, SIDE, 3) or pixels.dtype != np.uint8:
        raise ValueError(f"a uint8 picture of {SIDE} x {SIDE} x 3, not {pixels.dtype} {pixels.shape}")
    picture = Picture(MERGED, MERGED)
    ids, first = chat(read_tokenizer(folder, SOURCE), _SYSTEM, (_IMAGE_TASK, picture), SOURCE)
    return Prompt(torch.tensor(ids), places(len(ids), first, picture), patches(folder, pixels, SOURCE))


def text_prompt(folder: Path, prompt: str) -> Prompt:
    """The task of drawing what a text says. Raises BadInput when it is empty or of more than 512 tokens."""
    tokenizer, prompt = read_tokenizer(folder, SOURCE), prompt.strip()
    count = len(tokenizer.encode(prompt, add_special_tokens=False).ids)
    if not prompt or count > MAX_PROMPT_TOKENS:
        limit = f"1 to {MAX_PROMPT_TOKENS} tokens (about {MAX_PROMPT_TOKENS * 3 // 4} English words)"
        problem = "The prompt is too long" if prompt else "The prompt is empty"
        raise BadInput(problem, value=f"{count} tokens", limit=limit, remedy="Say in a few words what to draw.")
    ids, _ = chat(tokenizer, _SYSTEM, (_TEXT_TASK.format(prompt=prompt),), SOURCE)
    return Prompt(torch.tensor(ids), places(len(ids), None, None))
