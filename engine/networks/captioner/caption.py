"""One caption for each of many pictures, as many at a time as there is room for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput, EngineFailure
from ...progress import Progress, part, silent
from ..qwen_vl.sampling import chances
from .clean import clean
from .network import Captioner
from .prompts import LONGEST_PROMPT, MOST_CELLS, Question, Style, cells
from .write import Sampling, Written, write

FEWEST_TOKENS, MOST_TOKENS = 8, 512
MOST_AT_ONCE = 16  # beyond that the matrix products are large enough

_SPARE = 256 * 2**20  # bytes left of what is free
_PATCH_VALUES = 1176


@dataclass(frozen=True)
class Room:
    """The device's memory. free: its free bytes now. full: whether an error says that it was exhausted.
    clear: give back what is not in use. most: pictures at a time, whatever is free."""

    free: Callable[[], int]
    full: Callable[[Exception], bool]
    clear: Callable[[], None]
    most: int = MOST_AT_ONCE


@dataclass(frozen=True)
class Speaker:
    """The network, on the device where it shall run, and its folder with the tokenizer."""

    network: Captioner
    folder: Path
    room: Room


@dataclass(frozen=True)
class Wish:
    """instruction: empty stands for the style's own. max_tokens: 8..512 of each caption. seed: 0..2^64 - 1, of
    sampling."""

    style: Style = "keywords"
    instruction: str = ""
    max_tokens: int = 160
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0


@dataclass(frozen=True)
class Caption:
    """text: one line. tokens: how many were said. finished: false if the limit cut it. batch: pictures that were
    described together with it."""

    text: str
    tokens: int
    finished: bool
    batch: int


def working_bytes(network: Captioner, max_tokens: int) -> int:
    """Device memory to describe one picture, besides the weights, from above: its cache, and the widest layers of
    the vision tower and of the language model over all its tokens."""
    text: Any = network.model.config.text_config
    vision: Any = network.model.config.vision_config
    size, tokens = network.head.element_size(), LONGEST_PROMPT
    heads = text.num_key_value_heads * (text.hidden_size // text.num_attention_heads)
    # Twice the cache, which is copied when it grows or a row leaves; the mask is held as the network's type too.
    cache = 4 * text.num_hidden_layers * heads * (tokens + max_tokens) * size
    reading = tokens * (3 * text.intermediate_size + 8 * text.hidden_size + 2 * tokens) * size
    patches = MOST_CELLS * 4
    seeing = patches * ((3 * vision.intermediate_size + 8 * vision.hidden_size) * size + _PATCH_VALUES * (4 + size))
    return cache + max(reading, seeing) + 6 * 4 * len(network.head)


def caption(
    speaker: Speaker, pictures: Sequence[NDArray[np.uint8]], wish: Wish, progress: Progress = silent
) -> list[Caption]:
    """A caption for each picture (H, W, 3), of any sizes, in order.

    A caption depends on its picture, the wish and the weights: neither on the others nor, within rounding (see
    `write`), on how many are described together. Sampled, each picture has chances of its own, from the seed and its
    pixels: equal pictures get equal captions. Memory that runs out halves the number of pictures at a time.
    Raises BadInput for numbers out of range or a picture too narrow, which is named by its number from 1, and
    EngineFailure where there is no room for a single one.
    """
    _check(wish)
    for index, pixels in enumerate(pictures):
        height, width = pixels.shape[:2]
        cells(height, width, f"Image {index + 1} of {len(pictures)}")
    question = Question(speaker.folder, wish.style, wish.instruction)
    captions: list[Caption] = []
    most = speaker.room.most
    while len(captions) < len(pictures):
        done = len(captions)
        fitting = (speaker.room.free() - _SPARE) // working_bytes(speaker.network, wish.max_tokens)
        batch = pictures[done : done + max(1, min(most, fitting))]
        share = part(progress, done / len(pictures), (done + len(batch)) / len(pictures))
        written = _try(speaker, question, batch, wish, share)
        if written is None:
            most = _fewer(len(batch))
            speaker.room.clear()
            continue
        for one in written:
            text = clean(question.words(one.tokens), wish.style, one.finished)
            captions.append(Caption(text, len(one.tokens), one.finished, len(batch)))
    progress(1.0)
    return captions


def _try(
    speaker: Speaker, question: Question, batch: Sequence[NDArray[np.uint8]], wish: Wish, progress: Progress
) -> list[Written] | None:
    """None if the memory did not suffice; what was in it is then let go with this frame."""
    asked = []
    for pixels in batch:
        progress(0.0)
        asked.append(question.about(pixels))
    chance = chances([(wish.seed, one.key) for one in asked], wish.max_tokens)
    try:
        return write(speaker.network, asked, wish.sampling, question.ends, question.separators, chance, progress)
    except Exception as error:  # accelerators have no common class for this
        if speaker.room.full(error):
            return None
        raise


def _fewer(pictures: int) -> int:
    if pictures == 1:
        raise EngineFailure(
            "There is no room to describe one picture. Take the smaller qwen2.5-vl-3b, or close other programs that "
            "use the device's memory."
        )
    return pictures // 2


def _check(wish: Wish) -> None:
    sampling = wish.sampling
    for what, value, low, high in (
        ("number of tokens", wish.max_tokens, FEWEST_TOKENS, MOST_TOKENS),
        ("temperature", sampling.temperature, 0, 2),
        ("top_p", sampling.top_p, 0.01, 1),
        ("repetition penalty", sampling.repetition_penalty, 1, 2),
        ("seed", wish.seed, 0, 2**64 - 1),
    ):
        if not low <= value <= high:
            raise BadInput(
                f"The {what} is out of range", value=value, limit=f"{low} to {high}", remedy="Choose another number."
            )
