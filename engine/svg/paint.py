"""Paints of SVG: colour names and notations, and what an element inherits."""

import re
from xml.etree.ElementTree import Element

from PIL import ImageColor

NO_PAINT = frozenset({"none", "transparent"})
INHERITED = frozenset(
    """fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin
    stroke-miterlimit stroke-dasharray stroke-dashoffset color visibility clip-rule paint-order
    shape-rendering""".split()
)
_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_RGB = re.compile(r"rgba?\(\s*([^)]*)\)")


def inherited_paint(element: Element, parent: dict[str, str]) -> dict[str, str]:
    """The inheritable paint properties that hold inside `element`; the parent's own when it sets none."""
    own = {name: value for name, value in element.attrib.items() if name in INHERITED and value != "inherit"}
    return {**parent, **own} if own else parent


def hex_color(text: str) -> str | None:
    """'#RRGGBB' of a solid colour, its alpha left out; None for no paint, a gradient or what cannot be read."""
    color = color_and_alpha(text)
    return color[0] if color else None


def color_and_alpha(text: str) -> tuple[str, float] | None:
    """('#RRGGBB', 0..1) of a CSS colour, or None."""
    text = text.strip().lower()
    if match := _HEX.fullmatch(text):
        digits = match[1] if len(match[1]) > 4 else "".join(digit * 2 for digit in match[1])
        return "#" + digits[:6].upper(), int(digits[6:] or "ff", 16) / 255
    if match := _RGB.fullmatch(text):
        return _from_function(re.split(r"[\s,/]+", match[1].strip()))
    if text in NO_PAINT or not text.isalpha():
        return None
    named = ImageColor.colormap.get(text)
    if named is None:
        return None
    return (named if isinstance(named, str) else "#" + bytes(named[:3]).hex()).upper(), 1.0


def _from_function(parts: list[str]) -> tuple[str, float] | None:
    try:
        channels = [round(float(part[:-1]) * 2.55) if part.endswith("%") else round(float(part)) for part in parts[:3]]
        alpha = parts[3] if len(parts) > 3 else "1"
        opacity = float(alpha[:-1]) / 100 if alpha.endswith("%") else float(alpha)
    except (ValueError, OverflowError):
        return None
    if len(channels) != 3:
        return None
    red, green, blue = (min(255, max(0, channel)) for channel in channels)
    return f"#{red:02X}{green:02X}{blue:02X}", min(1.0, max(0.0, opacity))
