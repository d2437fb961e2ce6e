"""A conversation with one picture as tokens, and where each token stands.

The layout is Qwen's chat format (role, text, end of turn; the answer begins after "assistant"). It is written here
rather than by the folder's own template: no template of a download is run, and what a user types can never be read
as one of the format's marks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadInput
from .folder import Source

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PATCH = 14  # px of the side of one patch
MERGED = 2  # patches along the side of one token
CELL = PATCH * MERGED  # px of the side of one token

ENDS = ("<|im_end|>", "<|endoftext|>")  # either ends an answer


@dataclass(frozen=True)
class Picture:
    """Stands for a picture in a user's turn, of `rows` x `columns` tokens."""

    rows: int
    columns: int


def read_tokenizer(folder: Path, source: Source) -> "Tokenizer":
    """The folder's tokenizer.json. Raises BadInput when it cannot be read."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_buffer(path.read_bytes())
    except ValueError as error:  # also what it raises for text that is no tokenizer
        raise BadInput(
            "The tokenizer cannot be read",
            value=path,
            limit="the tokenizer.json of Qwen2.5-VL",
            remedy=source.fetch_again,
        ) from error
    tokenizer.encode_special_tokens = True  # marks in a user's text are text
    return tokenizer


def mark(tokenizer: "Tokenizer", name: str, source: Source) -> int:
    """The id of one of the format's marks. Raises BadInput for a tokenizer that does not know it."""
    token = tokenizer.token_to_id(name)
    if token is None:
        raise BadInput(
            "The tokenizer is of another model",
            value=f"one without {name}",
            limit="the tokenizer.json of Qwen2.5-VL",
            remedy=source.fetch_again,
        )
    return token


def chat(
    tokenizer: "Tokenizer", system: str, user: Sequence[str | Picture], source: Source
) -> tuple[list[int], int | None]:
    """The ids up to where the answer begins, and the place of the picture's first token (None without a picture)."""

    def text(words: str) -> list[int]:
        return tokenizer.encode(words, add_special_tokens=False).ids

    start, end = (mark(tokenizer, name, source) for name in ("<|im_start|>", "<|im_end|>"))
    ids = [start, *text(f"system\n{system}"), end, *text("\n"), start]
    first, said = None, "user\n"  # words that follow each other are tokenized as one text
    for part in user:
        if isinstance(part, str):
            said += part
            continue
        ids += text(said) if said else []
        before, one, after = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>")
        ids.append(mark(tokenizer, before, source))
        first, said = len(ids), ""
        ids += [mark(tokenizer, one, source)] * (part.rows * part.columns)
        ids.append(mark(tokenizer, after, source))
    ids += text(said) if said else []
    return [*ids, end, *text("\n"), start, *text("assistant\n")], first


def places(count: int, first: int | None, picture: Picture | None) -> torch.Tensor:
    """(3, count): the multimodal rotary positions of Qwen2-VL (Wang et al., 2024), `first` the picture's first token.

    Text counts up in all three; a picture stands still in time and counts rows and columns from where it starts;
    the text after it goes on behind its larger side.
    """
    plain = torch.arange(count)
    if first is None or picture is None:
        return plain.expand(3, -1).contiguous()
    tokens = picture.rows * picture.columns
    row, column = torch.meshgrid(torch.arange(picture.rows), torch.arange(picture.columns), indexing="ij")
    seen = torch.stack([torch.zeros(tokens, dtype=torch.int64), row.flatten(), column.flatten()]) + first
    rest = torch.arange(count - first - tokens) + first + max(picture.rows, picture.columns)
    return torch.cat([plain[:first].expand(3, -1), seen, rest.expand(3, -1)], dim=1)


def patches(folder: Path, pixels: NDArray[np.uint8], source: Source) -> torch.Tensor:
    """A picture (H, W, 3), sides multiples of 28 px -> float32 (H / 14 * W / 14, 1176), normalised as the folder says.

    Raises BadInput when the folder's preprocessor_config.json cannot be read.
    """
    from transformers import Qwen2VLImageProcessor

    try:
        processor: Any = Qwen2VLImageProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise BadInput(
            "The picture's settings cannot be read",
            value=folder / "preprocessor_config.json",
            limit="the preprocessor_config.json of Qwen2.5-VL",
            remedy=source.fetch_again,
        ) from error
    return processor(images=pixels, do_resize=False, return_tensors="pt")["pixel_values"]
