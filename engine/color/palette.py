"""What a palette is, and the little language in which a user asks for one."""

import re
from dataclasses import dataclass

from ..errors import BadInput
from .spaces import parse_hex

MAX_COLORS = 32
_ENTRY = re.compile(r"(?P<source>[^\s>~]+)(?:\s*->\s*(?P<target>[^\s~]+))?(?:\s*~\s*(?P<tolerance>\S+))?")
_DEFAULT_TOLERANCE = 0.05


@dataclass(frozen=True)
class Palette:
    """The colours of one image as '#RRGGBB', largest area first; the image's size before it was upscaled."""

    colors: tuple[str, ...]
    source_width: int
    source_height: int


@dataclass(frozen=True)
class Remap:
    """Colours within `tolerance` (CIELAB distance / 100) of `source` become `target`; None is transparent."""

    source: str
    target: str | None
    tolerance: float


@dataclass(frozen=True)
class PaletteRequest:
    """What the user asks for.

    count: number of colours, 0 = automatic. fixed: exactly these colours, empty = estimate them.
    remaps: applied to the colours that were found.
    """

    count: int = 0
    fixed: tuple[str, ...] = ()
    remaps: tuple[Remap, ...] = ()


def parse_request(text: str, count: int = 0) -> PaletteRequest:
    """Read a palette text; entries are separated by commas, semicolons or lines.

    '#E30613' is a fixed colour: with any of them the result has those colours and no other.
    '#E30613 ~ 0.05' pulls automatic colours within that distance (CIELAB / 100) to exactly this one.
    '#FFFFFF -> #F0F0F0 ~ 0.05' and '#FFFFFF -> transparent ~ 0.05' replace; the tolerance may be left out.
    Raises BadInput for a malformed entry, a tolerance outside 0..1, or more than 32 fixed colours.
    """
    if not 0 <= count <= MAX_COLORS:
        raise BadInput("Number of colours", value=count, limit=f"0..{MAX_COLORS}", remedy="Use 0 for automatic.")
    fixed: list[str] = []
    remaps: list[Remap] = []
    for entry in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise _bad_entry(entry)
        source = parse_hex(match["source"])
        if match["target"] is None and match["tolerance"] is None:
            fixed.append(source)
            continue
        wanted = match["target"] or source
        target = None if wanted.lower() == "transparent" else parse_hex(wanted)
        remaps.append(Remap(source, target, _tolerance(entry, match["tolerance"])))
    unique = tuple(dict.fromkeys(fixed))
    if len(unique) > MAX_COLORS:
        raise BadInput(
            "Fixed colours", value=len(unique), limit=f"at most {MAX_COLORS}", remedy="Take some out of the palette."
        )
    return PaletteRequest(count, unique, tuple(remaps))


def _tolerance(entry: str, text: str | None) -> float:
    if text is None:
        return _DEFAULT_TOLERANCE
    try:
        value = float(text)
    except ValueError:
        raise _bad_entry(entry) from None
    if not 0 <= value <= 1:
        raise BadInput("Colour tolerance", value=text, limit="0..1", remedy="0.05 is a visible but small difference.")
    return value


def _bad_entry(entry: str) -> BadInput:
    return BadInput(
        "Palette entry not understood",
        value=repr(entry),
        limit="'#RRGGBB', '#RRGGBB ~ 0.05' or '#RRGGBB -> transparent ~ 0.05'",
        remedy="Separate entries by commas or lines.",
    )
