"""The colours that a person asks for, in words that an image model understands."""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import ImageColor

from ..color.spaces import hex_to_rgb, parse_hex, srgb_to_lab
from ..errors import BadInput

MAX_COLORS = 8
MAX_COLOR = 60  # characters

# CSS has names of things and places (papayawhip, snow, peru): said to an image model they become the thing. Only
# names that end in one of these are used, and none of _MISLEADING.
_BASIC = (
    "aquamarine beige black blue brown coral crimson cyan gold goldenrod gray green indigo ivory khaki lavender lime "
    "magenta maroon navy olive orange pink purple red silver tan teal turquoise violet white yellow"
).split()
_MISLEADING = "aliceblue floralwhite ghostwhite navajowhite rebeccapurple saddlebrown".split()
_WORD = re.compile(
    "|".join(
        sorted(
            (
                *_BASIC,
                *"antique blush blue cadet cornflower dark deep dim dodger forest green hot indian lawn light medium "
                "midnight misty orange pale powder rosy royal sandy sea sky slate spring steel violet yellow".split(),
            ),
            key=len,
            reverse=True,
        )
    )
)

_GROUNDS = {"white": "#FFFFFF", "black": "#000000", "medium gray": "#808080", "bright green": "#00B140"}
_APART = 0.25  # of CIELAB / 100: a drawing's colour that close to the ground might be taken for it
_NO_GROUND = ("transparent", "no", "none", "without", "without a", "any", "empty")  # drawn as a chequerboard, if said


@dataclass(frozen=True)
class Wanted:
    """colors: as the prompt says them, () for the style's own. ground: the plain colour behind the logo."""

    colors: tuple[str, ...]
    ground: str


def read_colors(text: str) -> Wanted:
    """'#0A84FF, warm orange' -> ('dodger blue #0A84FF', 'warm orange') and the colour of the ground.

    Colours are words, hex codes or both, separated by commas or "and". 'gold on navy', or 'navy background' as one of
    them, says the ground; else it is white, or the first of a few that none of the colours comes near.
    Raises BadInput for a code that is not one, for more than MAX_COLORS, or for a colour of over MAX_COLOR characters.
    """
    colors: list[str] = []
    ground = ""
    for item in re.split(r"[,;\n&+/]+|\band\b", text):
        words = " ".join(item.replace('"', "").split()).rstrip(".!?:")
        drawn, behind = _parted(words)
        if drawn:
            colors.append(_named(drawn))
        if behind and behind.lower() not in _NO_GROUND:
            ground = _named(behind)
    colors = list(dict.fromkeys(colors))
    if len(colors) > MAX_COLORS:
        remedy = "A logo has two or three; leave some out."
        raise BadInput("Too many colours", value=len(colors), limit=MAX_COLORS, remedy=remedy)
    return Wanted(tuple(colors), ground or _ground_for(colors))


def _parted(words: str) -> tuple[str, str]:
    match = re.fullmatch(r"(?:(.*?)\s*\bon (?:an? )?)?(.*?)(?: (?:back)?ground)?", words, re.IGNORECASE)
    if match is None or (match[1] is None and match[2] == words):
        return words, ""
    return match[1] or "", match[2]


def _named(words: str) -> str:
    """The words with a name beside every code. Raises BadInput for a broken code."""
    remedy = 'Separate colours by commas: words like "warm orange", codes like #0A84FF.'
    if len(words) > MAX_COLOR:
        raise BadInput("A colour is too long", value=f"{len(words)} characters", limit=MAX_COLOR, remedy=remedy)
    if re.fullmatch(r"(?=.*\d)[0-9a-fA-F]{6}", words):  # without a digit it may be a word, like facade
        words = f"#{words}"
    if re.search(r"[()]", words) or not re.search(r"#|[^\W\d]", words):
        raise BadInput("Not a colour", value=repr(words), limit="words, #RGB or #RRGGBB", remedy=remedy)
    return re.sub(r"#\S*", lambda code: _with_name(parse_hex(code[0])), words)


def _with_name(code: str) -> str:
    return f"{nearest_name(code)} {code}"  # brackets would be emphasis to a text encoder


def nearest_name(code: str) -> str:
    """'#RRGGBB' -> the usable CSS colour name nearest in CIELAB, its words apart: 'medium sea green'."""
    names, lab = _named_colors()
    return names[int(np.argmin(np.linalg.norm(lab - _lab(code), axis=1)))]


@lru_cache(maxsize=1)
def _named_colors() -> tuple[tuple[str, ...], np.ndarray]:
    names = [
        name
        for name in ImageColor.colormap
        if name not in _MISLEADING and _spaced(name).replace(" ", "") == name and _spaced(name).split()[-1] in _BASIC
    ]
    codes = tuple(_code(name) for name in names)
    return tuple(_spaced(name) for name in names), srgb_to_lab(hex_to_rgb(codes))


def _code(name: str) -> str:
    return f"#{bytes(ImageColor.getrgb(name)[:3]).hex().upper()}"  # its map holds codes, and numbers once asked for


def _spaced(name: str) -> str:
    return " ".join(_WORD.findall(name)) or name


def _lab(code: str) -> np.ndarray:
    return srgb_to_lab(hex_to_rgb((code,)))


def _ground_for(colors: list[str]) -> str:
    known = [code for color in colors for code in _codes(color)]
    for name, code in _GROUNDS.items():
        if all(np.linalg.norm(_lab(code) - _lab(other)) >= _APART for other in known):
            return name
    return next(iter(_GROUNDS))


def _codes(color: str) -> list[str]:
    codes = re.findall(r"#[0-9A-F]{6}", color)
    if codes:
        return codes
    names = {spaced.replace(" ", ""): spaced for spaced in _named_colors()[0]}
    words = color.lower().split()
    joined = "".join(words).replace("grey", "gray")
    found = joined if joined in names else words[-1] if words and words[-1] in names else ""
    return [_code(found)] if found else []
