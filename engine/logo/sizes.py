"""The sizes that a logo comes in: the list as people write it, where to generate, and each of them."""

import re

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..progress import Progress, silent
from ..raster.linear import resize_linear

MIN_SIDE, MAX_SIDE = 8, 4096  # px
MAX_SIZES = 32
MAX_PIXELS = 128_000_000  # of one run, all sizes of all logos: about 2 GB as float colours and mask
GRID = 16  # px; Flux works on 2 x 2 patches of latents that are 8 px each
MIN_CANVAS, MAX_CANVAS = 1024, 2048  # px; FLUX.1 is made for about one megapixel and gets poorer far from it

_FORM = 'Write them like "256, 512, 1024".'


def parse_sizes(text: str) -> tuple[int, ...]:
    """'256, 512,1024', '[256, 512]' or '256 512' -> the sides in px, each once, in the order given.

    Raises BadInput, naming the one that is wrong, unless there are 1 to MAX_SIZES of MIN_SIDE to MAX_SIDE.
    """
    body = text.strip()
    if body.startswith("[") and body.endswith("]"):
        body = body[1:-1]
    sizes = tuple(dict.fromkeys(_side(word) for word in re.split(r"[\s,;]+", body) if word))
    if not 1 <= len(sizes) <= MAX_SIZES:
        shown = f"{len(sizes)} sizes" if sizes else repr(text)
        raise BadInput("Not a list of sizes", value=shown, limit=f"1 to {MAX_SIZES} sizes", remedy=_FORM)
    return sizes


def _side(word: str) -> int:
    limit = f"whole numbers of pixels from {MIN_SIDE} to {MAX_SIDE}"
    if not re.fullmatch(r"[0-9]+", word):
        raise BadInput("Not a size", value=repr(word[:40]), limit=limit, remedy=_FORM)
    digits = word.lstrip("0")
    side = int(digits or 0) if len(digits) <= len(str(MAX_SIDE)) else MAX_SIDE + 1
    if not MIN_SIDE <= side <= MAX_SIDE:
        raise BadInput("A size is out of range", value=word[:40], limit=limit, remedy=_FORM)
    return side


def canvas_side(sizes: tuple[int, ...]) -> int:
    """Side in px of the square at which to generate: the largest size on the grid of 16, within 1024..2048.

    What is wanted outside that range is resized from there.
    """
    return min(max(-(-max(sizes) // GRID) * GRID, MIN_CANVAS), MAX_CANVAS)


def check_amount(logos: int, sizes: tuple[int, ...]) -> None:
    """Raises BadInput where so many logos in these sizes have more than MAX_PIXELS, which are all held at once."""
    pixels = logos * sum(side * side for side in sizes)
    if pixels > MAX_PIXELS:
        raise BadInput(
            f"Too much for one run: {logos} x {len(sizes)} pictures",
            value=f"{pixels / 1e6:.1f} million pixels",
            limit=f"{MAX_PIXELS / 1e6:.0f} million",
            remedy="Fewer or smaller sizes, or one logo per run.",
        )


def at_size(
    rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None, side: int, progress: Progress = silent
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The picture in a square of `side` px: ((side, side, 3) sRGB 0..1, alpha (side, side) or None for opaque).

    The longer side fits; what is not square is centred on transparency, under which the colours of the edge go on,
    so that whoever filters it later draws no fringe in.
    """
    height, width = rgb.shape[:2]
    longer = max(height, width)
    inner_height, inner_width = (max(1, round(side * length / longer)) for length in (height, width))
    colors, opacity = resize_linear(rgb, alpha, inner_width, inner_height, progress)
    if inner_height == inner_width:
        return colors, opacity
    margins = [_halves(side - inner_height), _halves(side - inner_width)]
    opacity = np.ones((inner_height, inner_width), np.float32) if opacity is None else opacity
    return np.pad(colors, [*margins, (0, 0)], mode="edge"), np.pad(opacity, margins)


def _halves(rest: int) -> tuple[int, int]:
    return rest // 2, rest - rest // 2
