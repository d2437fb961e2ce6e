"""How large a drawing says it is, and which part of its coordinates it shows there."""

import math
import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ..errors import BadInput

MAX_SIDE = 100_000.0
# CSS 2.1, 4.3.2: absolute lengths in px at 96 px to the inch; em and ex by the initial font size of 16 px.
_UNITS = {
    "": 1.0,
    "px": 1.0,
    "pt": 4 / 3,
    "pc": 16.0,
    "in": 96.0,
    "cm": 96 / 2.54,
    "mm": 9.6 / 2.54,
    "em": 16.0,
    "ex": 8.0,
}
_LENGTH = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-z]*)\s*")
_DEFAULT_SIDE = 100.0  # no size and no viewBox: what resvg falls back to
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Viewport:
    """width, height: own size in px, > 0. box: x, y, width, height in user units that fills exactly that size."""

    width: float
    height: float
    box: Box

    @property
    def matrix(self) -> tuple[float, float, float, float, float, float]:
        """From the root's user units to px, as SVG's a b c d e f."""
        sx, sy = self.width / self.box[2], self.height / self.box[3]
        return (sx, 0.0, 0.0, sy, -self.box[0] * sx, -self.box[1] * sy)


def length(text: str | None, default: float) -> float:
    """A CSS length in px; `default` for none, a percentage or what cannot be read."""
    match = _LENGTH.fullmatch(text or "")
    if match is None or match[2] not in _UNITS:
        return default
    value = float(match[1]) * _UNITS[match[2]]
    return value if math.isfinite(value) else default


def box_of(element: Element) -> Box | None:
    """The viewBox as four numbers with positive sides, or None."""
    parts = element.attrib.get("viewBox", "").replace(",", " ").split()
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return None
    if len(values) != 4 or not all(map(math.isfinite, values)) or min(values[2:]) <= 0:
        return None
    return (values[0], values[1], values[2], values[3])


def viewport_of(root: Element) -> Viewport:
    """Own size and shown box of a root element, `preserveAspectRatio` resolved into the box.

    Raises BadInput when the size is not positive or a side is above MAX_SIDE px.
    """
    box = box_of(root)
    width = length(root.attrib.get("width"), box[2] if box else _DEFAULT_SIDE)
    height = length(root.attrib.get("height"), box[3] if box else _DEFAULT_SIDE)
    if box is not None and ("width" in root.attrib) != ("height" in root.attrib):
        # One side given: the other follows the viewBox.
        if "width" in root.attrib:
            height = width * box[3] / box[2]
        else:
            width = height * box[2] / box[3]
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise BadInput(
            "The SVG has an impossible size",
            value=f"{width:g} x {height:g}",
            limit=f"sides above 0 and at most {MAX_SIDE:g}",
            remedy="Correct width, height and viewBox of the drawing.",
        )
    if box is None:
        return Viewport(width, height, (0.0, 0.0, width, height))
    a, _, _, d, e, f = fit_matrix(box, width, height, root.attrib.get("preserveAspectRatio", ""))
    return Viewport(width, height, (-e / a, -f / d, width / a, height / d))


def fit_matrix(box: Box, width: float, height: float, aspect: str) -> tuple[float, float, float, float, float, float]:
    """SVG 2, 8.6: the transform that puts `box` into `width` x `height` by `preserveAspectRatio`."""
    sx, sy = width / box[2], height / box[3]
    align, *slicing = aspect.split() or ["xMidYMid"]
    if align == "none":
        return (sx, 0.0, 0.0, sy, -box[0] * sx, -box[1] * sy)
    scale = max(sx, sy) if slicing[:1] == ["slice"] else min(sx, sy)
    share = {"Min": 0.0, "Mid": 0.5, "Max": 1.0}
    fx, fy = share.get(align[1:4], 0.5), share.get(align[5:8], 0.5)
    return (
        scale,
        0.0,
        0.0,
        scale,
        (width - box[2] * scale) * fx - box[0] * scale,
        (height - box[3] * scale) * fy - box[1] * scale,
    )
