"""rect, circle, ellipse, line, polyline and polygon: their outline, and whether a transform lets them be."""

import math
from xml.etree.ElementTree import Element

from .geometry import Matrix, apply
from .viewport import Box, length

_STRAIGHT = 1e-9


def shape_path(element: Element, box: Box) -> str:
    """Path data of any drawn element (SVG 2, 10). box: the viewBox, which percentages refer to."""
    if element.tag == "path":
        return element.attrib.get("d", "")
    if element.tag == "line":
        x1, y1, x2, y2 = (_number(element, name, box) for name in ("x1", "y1", "x2", "y2"))
        return f"M{x1!r} {y1!r}L{x2!r} {y2!r}"
    if element.tag in ("polyline", "polygon"):
        return f"M{element.attrib.get('points', '')}" + ("z" if element.tag == "polygon" else "")
    if element.tag == "rect":
        return _rect_path(*_rect(element, box))
    cx, cy, rx, ry = _ellipse(element, box)
    if rx <= 0 or ry <= 0:
        return ""
    quarter = f"A{rx!r} {ry!r} 0 0 1 "
    ends = [(cx, cy + ry), (cx - rx, cy), (cx, cy - ry), (cx + rx, cy)]
    return f"M{cx + rx!r} {cy!r}" + "".join(f"{quarter}{x!r} {y!r}" for x, y in ends) + "z"


def primitive_numbers(element: Element, matrix: Matrix, box: Box) -> tuple[str, tuple[tuple[str, float], ...]] | None:
    """Tag and attributes of the shape after the transform, or None when it must become a path."""
    a, b, c, d, _, _ = matrix
    if abs(b) > _STRAIGHT or abs(c) > _STRAIGHT:
        return None
    if element.tag == "rect":
        x, y, width, height, rx, ry = _rect(element, box)
        left, top = apply(matrix, x if a > 0 else x + width, y if d > 0 else y + height)
        numbers = [("x", left), ("y", top), ("width", width * abs(a)), ("height", height * abs(d))]
        if rx > 0 and ry > 0:
            numbers += [("rx", rx * abs(a)), ("ry", ry * abs(d))]
        return "rect", tuple(numbers)
    if element.tag in ("circle", "ellipse"):
        cx, cy, rx, ry = _ellipse(element, box)
        cx, cy = apply(matrix, cx, cy)
        rx, ry = rx * abs(a), ry * abs(d)
        if math.isclose(rx, ry, rel_tol=1e-6):
            return "circle", (("cx", cx), ("cy", cy), ("r", rx))
        return "ellipse", (("cx", cx), ("cy", cy), ("rx", rx), ("ry", ry))
    return None


def _number(element: Element, name: str, box: Box, default: float = 0.0) -> float:
    text = element.attrib.get(name, "")
    if text.strip().endswith("%"):
        try:
            value = float(text.strip()[:-1]) / 100
        except ValueError:
            return default
        whole = math.hypot(box[2], box[3]) / math.sqrt(2)
        if name in ("x", "x1", "x2", "cx", "width", "rx"):
            whole = box[2]
        elif name in ("y", "y1", "y2", "cy", "height", "ry"):
            whole = box[3]
        return value * whole
    return length(text, default)


def _rect(element: Element, box: Box) -> tuple[float, float, float, float, float, float]:
    x, y, width, height = (_number(element, name, box) for name in ("x", "y", "width", "height"))
    rx, ry = _number(element, "rx", box, -1.0), _number(element, "ry", box, -1.0)
    rx, ry = (ry if rx < 0 else rx), (rx if ry < 0 else ry)
    return x, y, width, height, max(0.0, min(rx, width / 2)), max(0.0, min(ry, height / 2))


def _rect_path(x: float, y: float, width: float, height: float, rx: float, ry: float) -> str:
    if width <= 0 or height <= 0:
        return ""
    if rx <= 0 or ry <= 0:
        return f"M{x!r} {y!r}h{width!r}v{height!r}h{-width!r}z"
    flat, upright, arc = width - 2 * rx, height - 2 * ry, f"a{rx!r} {ry!r} 0 0 1 "
    return (
        f"M{x + rx!r} {y!r}h{flat!r}{arc}{rx!r} {ry!r}v{upright!r}{arc}{-rx!r} {ry!r}"
        f"h{-flat!r}{arc}{-rx!r} {-ry!r}v{-upright!r}{arc}{rx!r} {-ry!r}z"
    )


def _ellipse(element: Element, box: Box) -> tuple[float, float, float, float]:
    cx, cy = _number(element, "cx", box), _number(element, "cy", box)
    if element.tag == "circle":
        r = _number(element, "r", box)
        return cx, cy, r, r
    rx, ry = _number(element, "rx", box, -1.0), _number(element, "ry", box, -1.0)
    return cx, cy, (ry if rx < 0 else rx), (rx if ry < 0 else ry)
