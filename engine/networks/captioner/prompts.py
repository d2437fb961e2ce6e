"""What the captioner is asked of one picture: the words, the picture's patches, and where each token stands."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadInput
from ...raster.resize import resize_lanczos
from ..qwen_vl.chat import CELL, ENDS, Picture, chat, mark, patches, places, read_tokenizer
from .weights import SOURCE

Style = Literal["keywords", "sentence"]

FEWEST_CELLS, MOST_CELLS = 256, 1280  # tokens of a picture, of 28 x 28 px each
LONGEST_INSTRUCTION = 1024  # tokens
LONGEST_PROMPT = MOST_CELLS + LONGEST_INSTRUCTION + 64  # with the task and the format's marks, from above
MAX_WORDS = 60
_NARROWEST = 200  # times as long as it is wide

_SEEN = (
    "Name only what can be seen, as if the picture were whole: it may be a part of a larger one, so do not guess at "
    "the rest and do not say that it is cut off. No markdown, no line breaks, no praise of the quality, no negations, "
    "nothing twice."
)
INSTRUCTIONS: dict[Style, str] = {
    "keywords": (
        "You write prompts for an image diffusion model. Answer with one line of keywords in English, separated by "
        f"commas, {MAX_WORDS} words at most: first the subject, then its parts, materials and surfaces, colors, the "
        f"light, the surroundings, and last the medium or style. {_SEEN} No sentences."
    ),
    "sentence": (
        "You write prompts for an image diffusion model. Answer with one or two plain sentences in English, "
        f"{MAX_WORDS} words at most: the subject and what it does, its materials, surfaces and colors, the light, the "
        f"surroundings, and the medium or style. {_SEEN} Do not begin with words such as 'the image shows'."
    ),
}
_TASK = "Write the prompt for this picture."


@dataclass(frozen=True)
class Asked:
    """One picture's question.

    ids: (T,) int64. positions: (3, T) int64. patches: float32 (P, 1176). picture: its tokens. key: of what is seen;
    equal pictures have equal keys, whatever stands around them.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    patches: torch.Tensor
    picture: Picture
    key: int


class Question:
    """The same question about any picture. Raises BadInput for an instruction of more than 1024 tokens, and for a
    folder whose tokenizer cannot be read."""

    def __init__(self, folder: Path, style: Style, instruction: str = "") -> None:
        """folder: the released one. instruction: the system's turn; empty stands for the style's own."""
        self._folder = folder
        self._tokenizer = read_tokenizer(folder, SOURCE)
        self._system = instruction.strip() or INSTRUCTIONS[style]
        self.ends = [mark(self._tokenizer, name, SOURCE) for name in ENDS]
        # What stands between the words of a list must be said again and again.
        self.separators = self._ids(",", ", ", " ", ".", " and")
        length = len(self._ids(self._system))
        if length > LONGEST_INSTRUCTION:
            raise BadInput(
                "The instruction is too long",
                value=f"{length} tokens",
                limit=f"{LONGEST_INSTRUCTION} tokens (about {LONGEST_INSTRUCTION * 3 // 4} English words)",
                remedy="Shorten it, or empty it for the style's own.",
            )

    def about(self, pixels: NDArray[np.uint8]) -> Asked:
        """The question about a picture (H, W, 3) that `cells` takes. Raises BadInput when the folder's
        preprocessor_config.json cannot be read."""
        picture = Picture(*cells(*pixels.shape[:2]))
        seen = resize_lanczos(np.ascontiguousarray(pixels), picture.columns * CELL, picture.rows * CELL)
        ids, first = chat(self._tokenizer, self._system, (picture, _TASK), SOURCE)
        key = int.from_bytes(hashlib.blake2b(seen.tobytes(), digest_size=8).digest(), "little")
        positions = places(len(ids), first, picture)
        return Asked(torch.tensor(ids), positions, patches(self._folder, seen, SOURCE), picture, key)

    def words(self, tokens: list[int]) -> str:
        """What an answer says, without the format's marks."""
        return self._tokenizer.decode(tokens, skip_special_tokens=True)

    def _ids(self, *texts: str) -> list[int]:
        return [token for text in texts for token in self._tokenizer.encode(text, add_special_tokens=False).ids]


def cells(height: int, width: int, name: str = "The image") -> tuple[int, int]:
    """Rows and columns of 28 px in which a picture is seen: its own size and shape as nearly as 256 to 1280 of them
    allow (Bai et al., 2025, Qwen2.5-VL: "native resolution"). Raises BadInput for a side over 200 times the other."""
    if min(height, width) < 1 or max(height, width) > _NARROWEST * min(height, width):
        raise BadInput(
            f"{name} is too narrow to be described",
            value=f"{width} x {height} px",
            limit=f"a side of at most {_NARROWEST} times the other",
            remedy="Crop or pad it.",
        )
    count = round(height / CELL) * round(width / CELL)
    if FEWEST_CELLS <= count <= MOST_CELLS:
        return round(height / CELL), round(width / CELL)
    bound, whole = (FEWEST_CELLS, math.ceil) if count < FEWEST_CELLS else (MOST_CELLS, math.floor)
    scale = math.sqrt(bound / (height * width))
    return max(1, whole(height * scale)), max(1, whole(width * scale))
