"""Which colour is seen where: a drawing as a picture of numbers, without blended pixels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from .finish import MAX_DECIMALS, write
from .flatten import Painted
from .gradients import Gradients
from .render import render

_OTHER = "#FFFFFF"  # gradients, and everything that is seen through
_FAINT = ("opacity", "fill-opacity", "stroke-opacity")


def seen_colors(
    items: Sequence[Painted],
    size: tuple[float, float],
    pixels: tuple[int, int],
    gradients: Gradients,
    progress: Progress = silent,
) -> tuple[NDArray[np.int32], list[str]]:
    """The colour on top at the middle of every pixel.

    size: width and height of the drawing; pixels: of the picture. Returns (H, W) with the index of a colour in the
    list, -1 where there is nothing or a mixture, and the '#RRGGBB' of the opaque fills, in painting order.
    """
    colors = list(dict.fromkeys(item.get("fill") for item in items if _plain(item, "fill")))
    numbers = {color: f"#{index + 1:06X}" for index, color in enumerate(colors)}
    progress(0.0)
    flat = [_numbered(item, numbers) for item in items]
    svg = write([("all", flat)], *size, MAX_DECIMALS, gradients, part(progress, 0.0, 0.7))
    picture = render(svg, *pixels, progress=part(progress, 0.7, 1.0)).astype(np.int32)
    number = picture[..., 0] << 16 | picture[..., 1] << 8 | picture[..., 2]
    known = (number > 0) & (number <= len(colors)) & (picture[..., 3] == 255)
    return np.where(known, number - 1, -1).astype(np.int32), colors


def _plain(item: Painted, name: str) -> bool:
    return item.get(name).startswith("#") and not any(item.get(faint) for faint in _FAINT)


def _numbered(item: Painted, numbers: dict[str, str]) -> Painted:
    """The same geometry, painted with a number or, where it is not opaque and flat, with 'other'."""
    out = {}
    for name, value in item.paint:
        if name in ("fill", "stroke"):
            value = numbers.get(value, _OTHER) if _plain(item, name) else "none" if value == "none" else _OTHER
        out[name] = value
    for name in (*_FAINT, "vector-effect"):
        out.pop(name, None)
    out["shape-rendering"] = "crispEdges"
    return replace(item, paint=tuple(out.items()))
