"""The token ids of OmniSVG 1.1: Qwen2.5-VL's vocabulary, and behind it the words of drawing.

Ids as in the released tokenizer of OmniSVG 1.1 (4B and 8B); B is the vocabulary of the Qwen2.5-VL below it:
commands from B + 3, points of a 200 x 200 canvas from B + 8, colours from B + 40011, arc scalars from B + 44501.
"""

from dataclasses import dataclass
from typing import Literal

SIZE = 197_000  # of both released models, after their embeddings were resized
ENDS = (196_998, 196_999)  # BOS and EOS; sources disagree which is which, so either ends a drawing
SIDE = 200  # of the canvas: coordinates are whole numbers 0..199
SCALARS = 100  # an arc's rotation in degrees, 0..99; its two flags are 0 and 1
SHADES = 16  # per colour channel

COMMANDS = "MLCAZ"
_FIRST_COMMAND = 3
_FIRST_POINT = 8
_NO_COLOR = 40_011
_CURRENT_COLOR = 40_012
_FIRST_COLOR = 40_013
_FIRST_SCALAR = 44_501

Kind = Literal["command", "point", "color", "scalar", "end", "other"]


@dataclass(frozen=True)
class Vocabulary:
    """The ids of one size; `base` is the vocabulary of the Qwen2.5-VL below it."""

    base: int

    @property
    def first(self) -> int:
        """The lowest id of drawing."""
        return self.base + _FIRST_COMMAND

    @property
    def stop(self) -> int:
        """One above the highest id of drawing, the two ends aside."""
        return self.base + _FIRST_SCALAR + SCALARS

    def command(self, letter: str) -> int:
        """The id of M, L, C, A or Z."""
        return self.base + _FIRST_COMMAND + COMMANDS.index(letter)

    def point(self, x: int, y: int) -> int:
        """The id of a point, 0..199 each; an arc's radii are written as one too."""
        return self.base + _FIRST_POINT + y * SIDE + x

    def color(self, red: int, green: int, blue: int) -> int:
        """The id of a colour of 4 bits a channel; n stands for n * 17 of 255."""
        return self.base + _FIRST_COLOR + (red << 8 | green << 4 | blue)

    @property
    def no_color(self) -> int:
        """The id of a path that is not filled."""
        return self.base + _NO_COLOR

    @property
    def current_color(self) -> int:
        """The id of a path filled with the surrounding text's colour: black where there is none."""
        return self.base + _CURRENT_COLOR

    def scalar(self, value: int) -> int:
        """The id of an arc's rotation or flag, 0..99."""
        return self.base + _FIRST_SCALAR + value

    def read(self, token: int) -> tuple[Kind, int]:
        """What an id says: ('command', its place in COMMANDS), ('point', y * 200 + x), ('color', 0 = none,
        1 = current, 2 + rgb), ('scalar', value), ('end', 0), or ('other', 0) for text, unused and unknown ids."""
        if token in ENDS:
            return "end", 0
        place = token - self.base
        for kind, start, count in _RANGES:
            if start <= place < start + count:
                return kind, place - start
        return "other", 0


_RANGES: tuple[tuple[Kind, int, int], ...] = (
    ("command", _FIRST_COMMAND, len(COMMANDS)),
    ("point", _FIRST_POINT, SIDE * SIDE),
    ("color", _NO_COLOR, 2 + SHADES**3),
    ("scalar", _FIRST_SCALAR, SCALARS),
)

# The vocabulary of the Qwen2.5-VL below each released model, by its hidden size: 8B (7B-Instruct), 4B (3B-Instruct).
BASE_OF_HIDDEN_SIZE = {3584: 152_064, 2048: 151_936}
BASES = tuple(BASE_OF_HIDDEN_SIZE.values())
