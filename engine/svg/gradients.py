"""Gradients of a drawing, resolved: own stops, user-space coordinates of the finished file, equal ones written once."""

import math
from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

from .geometry import Bounds, Matrix, apply, is_similarity, multiply, read_transform, scale_of
from .numbers import text_of
from .paint import color_and_alpha
from .safe import GRADIENTS
from .viewport import Box, length

_LINEAR = {"x1": "0%", "y1": "0%", "x2": "100%", "y2": "0%"}
_RADIAL = {"cx": "50%", "cy": "50%", "r": "50%"}
_DIGITS = 3
_CHAIN = 16  # href of href of ...


class Gradients:
    """Collects the gradients that shapes use, in order of first use."""

    def __init__(self, root: Element, box: Box, snap: Callable[[str, bool], str]) -> None:
        self._box = box
        self._snap = snap
        self._known = {e.attrib["id"]: e for e in root.iter() if e.tag in GRADIENTS and "id" in e.attrib}
        self._used: dict[str, str] = {}

    def paint(self, name: str, matrix: Matrix, box: Bounds | None) -> tuple[str, float] | None:
        """What a shape with `fill="url(#name)"` is painted with: (value, opacity); None when there is no such gradient.

        matrix: from the shape's user space to the finished file. box: the shape's own bounds before it.
        """
        element = self._known.get(name)
        if element is None:
            return None
        chain = self._chain(element)
        stops = next((list(e.iter("stop")) for e in chain if e.find("stop") is not None), [])
        if not stops:
            return "none", 1.0
        colors = [self._stop(stop) for stop in stops]
        if len(stops) == 1:
            return colors[0][0], colors[0][1]
        attributes: dict[str, str] = {}
        for ancestor in reversed(chain):
            attributes.update(ancestor.attrib)
        total = self._placing(attributes, matrix, box)
        if total is None:
            return "none", 1.0
        head = self._linear(attributes, total) if element.tag == "linearGradient" else self._radial(attributes, total)
        if attributes.get("spreadMethod") in ("reflect", "repeat"):
            head += f' spreadMethod="{attributes["spreadMethod"]}"'
        body = "".join(_stop_text(stop, *color) for stop, color in zip(stops, colors, strict=True))
        key = f'<{element.tag} id=\0 gradientUnits="userSpaceOnUse"{head}>{body}</{element.tag}>'
        identity = self._used.setdefault(key, f"gradient-{len(self._used) + 1}")
        return f"url(#{identity})", 1.0

    def markup(self, paints: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """New names for the gradients among `paints`, numbered by first use, and their elements in that order.

        The names map 'url(#old)' to 'url(#new)'.
        """
        bodies = {f"url(#{identity})": key for key, identity in self._used.items()}
        used = [paint for paint in dict.fromkeys(paints) if paint in bodies]
        names = {paint: f"url(#gradient-{number})" for number, paint in enumerate(used, 1)}
        return names, [bodies[paint].replace("\0", f'"{names[paint][5:-1]}"') for paint in used]

    def _chain(self, element: Element) -> list[Element]:
        chain = [element]
        while len(chain) < _CHAIN:
            parent = self._known.get(chain[-1].attrib.get("href", "#")[1:])
            if parent is None or parent in chain:
                break
            chain.append(parent)
        return chain

    def _stop(self, stop: Element) -> tuple[str, float]:
        text = stop.attrib.get("stop-color", "#000000")
        color, alpha = color_and_alpha(text) or ("#000000", 1.0)
        try:
            alpha *= float(stop.attrib.get("stop-opacity", "1"))
        except ValueError:
            pass
        return self._snap(color, True), min(1.0, max(0.0, alpha))

    def _placing(self, attributes: dict[str, str], matrix: Matrix, box: Bounds | None) -> Matrix | None:
        own = read_transform(attributes.get("gradientTransform", ""))
        if attributes.get("gradientUnits") == "userSpaceOnUse":
            return multiply(matrix, own)
        if box is None or box[2] <= box[0] or box[3] <= box[1]:
            return None  # SVG 2, 7.11: no box, no paint
        unit: Matrix = (box[2] - box[0], 0.0, 0.0, box[3] - box[1], box[0], box[1])
        return multiply(matrix, multiply(unit, own))

    def _numbers(self, attributes: dict[str, str], defaults: dict[str, str]) -> list[float]:
        boxed = attributes.get("gradientUnits") != "userSpaceOnUse"
        return [self._number(attributes.get(name, default), name, boxed) for name, default in defaults.items()]

    def _number(self, text: str, name: str, boxed: bool) -> float:
        if not text.strip().endswith("%"):
            return length(text, 0.0)
        share = length(text.strip()[:-1], 0.0) / 100
        if boxed:
            return share
        _, _, width, height = self._box
        if name in ("x1", "x2", "cx", "fx"):
            return share * width
        if name in ("y1", "y2", "cy", "fy"):
            return share * height
        return share * math.hypot(width, height) / math.sqrt(2)

    def _linear(self, attributes: dict[str, str], total: Matrix) -> str:
        x1, y1, x2, y2 = self._numbers(attributes, _LINEAR)
        start, end = apply(total, x1, y1), apply(total, x2, y2)
        # Lines of equal colour stand across the vector; the transform may skew them, and the new vector
        # must stand across what they became.
        across = apply((*total[:4], 0.0, 0.0), -(y2 - y1), x2 - x1)
        size = math.hypot(*across)
        if size > 0:
            nx, ny = -across[1] / size, across[0] / size
            reach = (end[0] - start[0]) * nx + (end[1] - start[1]) * ny
            end = (start[0] + reach * nx, start[1] + reach * ny)
        return _attributes(("x1", start[0]), ("y1", start[1]), ("x2", end[0]), ("y2", end[1]))

    def _radial(self, attributes: dict[str, str], total: Matrix) -> str:
        cx, cy, r = self._numbers(attributes, _RADIAL)
        focus = {"fx": attributes.get("fx"), "fy": attributes.get("fy")}
        boxed = attributes.get("gradientUnits") != "userSpaceOnUse"
        fx, fy = (
            default if text is None else self._number(text, name, boxed)
            for (name, text), default in zip(focus.items(), (cx, cy), strict=True)
        )
        centred = math.isclose(fx, cx, abs_tol=1e-9) and math.isclose(fy, cy, abs_tol=1e-9)
        if is_similarity(total, 1e-4):
            (cx, cy), (fx, fy), r = apply(total, cx, cy), apply(total, fx, fy), r * scale_of(total)
            return _attributes(("cx", cx), ("cy", cy), ("r", r), *([] if centred else [("fx", fx), ("fy", fy)]))
        # An ellipse can only be written as a circle with a transform: the unit circle's is stable.
        unit = multiply(total, (r, 0.0, 0.0, r, cx, cy))
        matrix = " ".join(text_of(value, _DIGITS) for value in unit)
        focal = [] if centred or r == 0 else [("fx", (fx - cx) / r), ("fy", (fy - cy) / r)]
        return _attributes(("cx", 0.0), ("cy", 0.0), ("r", 1.0), *focal) + f' gradientTransform="matrix({matrix})"'


def _attributes(*numbers: tuple[str, float]) -> str:
    return "".join(f' {name}="{text_of(value, _DIGITS)}"' for name, value in numbers)


def _stop_text(stop: Element, color: str, alpha: float) -> str:
    text = stop.attrib.get("offset", "0").strip()
    offset = length(text[:-1], 0.0) / 100 if text.endswith("%") else length(text, 0.0)
    faint = f' stop-opacity="{text_of(alpha, 3)}"' if alpha < 1 else ""
    return f'<stop offset="{text_of(min(1.0, max(0.0, offset)), 4)}" stop-color="{color}"{faint}/>'
