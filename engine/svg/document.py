"""A drawing as data: shapes in painting order, and the writer that turns them into an SVG file."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal
from xml.sax.saxutils import quoteattr

from .path import Contour, path_data

Rule = Literal["evenodd", "nonzero"]


@dataclass(frozen=True)
class Shape:
    """One filled compound path.

    fill: '#RRGGBB'; opacity: 0..1. rule: what is inside. By 'evenodd' holes need no direction; by 'nonzero' a
    contour is a hole only where it runs against the one around it.
    """

    contours: tuple[Contour, ...]
    fill: str
    opacity: float = 1.0
    rule: Rule = "evenodd"


@dataclass(frozen=True)
class Drawing:
    """A flat picture: size in user units and shapes from bottom to top."""

    width: float
    height: float
    shapes: tuple[Shape, ...]

    def resized(self, width: float, height: float) -> "Drawing":
        """The drawing with its coordinates stretched to `width` x `height` (no transform is written)."""
        sx, sy = width / self.width, height / self.height
        shapes = (replace(s, contours=tuple(c.scaled(sx, sy) for c in s.contours)) for s in self.shapes)
        return Drawing(width, height, tuple(shapes))


def write_svg(drawing: Drawing, decimals: int = 2) -> bytes:
    """The drawing as an SVG file (UTF-8): viewBox, width and height, one named group per run of a colour."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
        f' width="{drawing.width:g}" height="{drawing.height:g}"'
        f' viewBox="0 0 {drawing.width:g} {drawing.height:g}">'
    ]
    names = _GroupNames()
    for (fill, opacity, rule), run in groupby(
        drawing.shapes, key=lambda shape: (shape.fill, shape.opacity, shape.rule)
    ):
        lines.extend(_group(names.next(fill, opacity), fill, opacity, rule, run, decimals))
    lines.append("</svg>\n")
    return "\n".join(lines).encode()


def _group(name: str, fill: str, opacity: float, rule: Rule, shapes: Iterable[Shape], decimals: int) -> list[str]:
    faint = f' fill-opacity="{opacity:.3g}"' if opacity < 1 else ""
    label = quoteattr(name)
    head = f'<g id={label} inkscape:groupmode="layer" inkscape:label={label}'
    paths = [f'<path d="{path_data(shape.contours, decimals)}"/>' for shape in shapes]
    return [f'{head} fill="{fill}"{faint} fill-rule="{rule}">', *paths, "</g>"]


class _GroupNames:
    """Stable ids: the colour, its opacity when below 1, and a number from its second group on."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def next(self, fill: str, opacity: float) -> str:
        name = "color-" + fill.lstrip("#").lower() + (f"-{round(opacity * 100)}" if opacity < 1 else "")
        self._seen[name] = self._seen.get(name, 0) + 1
        return name if self._seen[name] == 1 else f"{name}-{self._seen[name]}"
