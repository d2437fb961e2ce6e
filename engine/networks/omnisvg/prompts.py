"""What OmniSVG is asked: the words, the picture's patches, and where each token stands.

Texts as in the released inference code; the layout is Qwen's chat format (role, text, end of turn; the answer begins
after "assistant"). It is written here rather than by the folder's own template: no template of a download is run,
and what a user types can never be read as one of the format's marks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadInput

if TYPE_CHECKING:
    from tokenizers import Tokenizer

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
    marks = ("<|vision_start|>", *["<|image_pad|>"] * MERGED**2, "<|vision_end|>")
    ids, first = _chat(_tokenizer(folder), _IMAGE_TASK, marks)
    return Prompt(torch.tensor(ids), _positions(len(ids), first + 1), _patches(folder, pixels))


def text_prompt(folder: Path, prompt: str) -> Prompt:
    """The task of drawing what a text says. Raises BadInput when it is empty or of more than 512 tokens."""
    tokenizer, prompt = _tokenizer(folder), prompt.strip()
    count = len(tokenizer.encode(prompt, add_special_tokens=False).ids)
    if not prompt or count > MAX_PROMPT_TOKENS:
        limit = f"1 to {MAX_PROMPT_TOKENS} tokens (about {MAX_PROMPT_TOKENS * 3 // 4} English words)"
        problem = "The prompt is too long" if prompt else "The prompt is empty"
        raise BadInput(problem, value=f"{count} tokens", limit=limit, remedy="Say in a few words what to draw.")
    ids, _ = _chat(tokenizer, _TEXT_TASK.format(prompt=prompt), ())
    return Prompt(torch.tensor(ids), _positions(len(ids), None))


def _tokenizer(folder: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_buffer(path.read_bytes())
    except ValueError as error:  # also what it raises for text that is no tokenizer
        raise BadInput(
            "The tokenizer cannot be read",
            value=path,
            limit="the tokenizer.json of Qwen2.5-VL",
            remedy="Fetch it again: python install.py models get omnisvg-8b",
        ) from error
    tokenizer.encode_special_tokens = True  # marks in a user's text are text
    return tokenizer


def _chat(tokenizer: "Tokenizer", task: str, marks: tuple[str, ...]) -> tuple[list[int], int]:
    """The ids of the whole prompt, and the place where the `marks` of the picture begin."""

    def text(words: str) -> list[int]:
        return tokenizer.encode(words, add_special_tokens=False).ids

    start, end = (_mark(tokenizer, mark) for mark in ("<|im_start|>", "<|im_end|>"))
    before = [start, *text(f"system\n{_SYSTEM}"), end, *text("\n"), start, *text(f"user\n{task}")]
    picture = [_mark(tokenizer, mark) for mark in marks]
    return [*before, *picture, end, *text("\n"), start, *text("assistant\n")], len(before)


def _mark(tokenizer: "Tokenizer", mark: str) -> int:
    token = tokenizer.token_to_id(mark)
    if token is None:
        raise BadInput(
            "The tokenizer is of another model",
            value=f"one without {mark}",
            limit="the tokenizer.json of Qwen2.5-VL",
            remedy="Fetch it again: python install.py models get omnisvg-8b",
        )
    return token


def _positions(count: int, picture: int | None) -> torch.Tensor:
    """(3, count): the multimodal rotary positions of Qwen2-VL (Wang et al., 2024), `picture` its first token's place.

    Text counts up in all three; a picture stands still in time and counts rows and columns from where it starts;
    the text after it goes on behind its last row.
    """
    plain = torch.arange(count)
    if picture is None:
        return plain.expand(3, -1).contiguous()
    after = picture + MERGED**2
    row, column = torch.meshgrid(torch.arange(MERGED), torch.arange(MERGED), indexing="ij")
    seen = torch.stack([torch.zeros(MERGED**2, dtype=torch.int64), row.flatten(), column.flatten()]) + picture
    rest = torch.arange(count - after) + picture + MERGED
    return torch.cat([plain[:picture].expand(3, -1), seen, rest.expand(3, -1)], dim=1)


def _patches(folder: Path, pixels: NDArray[np.uint8]) -> torch.Tensor:
    from transformers import Qwen2VLImageProcessor

    try:
        processor: Any = Qwen2VLImageProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise BadInput(
            "The picture's settings cannot be read",
            value=folder / "preprocessor_config.json",
            limit="the preprocessor_config.json of Qwen2.5-VL",
            remedy="Fetch it again: python install.py models get omnisvg-8b",
        ) from error
    return processor(images=pixels, do_resize=False, return_tensors="pt")["pixel_values"]
