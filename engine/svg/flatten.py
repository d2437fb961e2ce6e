"""A sanitised SVG tree as a list of painted shapes in final coordinates, without groups and transforms."""

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ..progress import Progress, silent
from .geometry import Bounds, Matrix, apply, bounds, multiply, read_transform, scale_of, transformed
from .gradients import Gradients
from .numbers import text_of
from .paint import color_and_alpha, inherited_paint
from .path import Contour
from .pathdata import read_contours
from .primitives import primitive_numbers, shape_path
from .safe import BASIC_SHAPES, CUTTERS, DRAWN, GRADIENTS
from .viewport import Box, Viewport, length

# Groups that keep their name when a drawing is flattened; only lines without a fill belong to one.
LAYERS = frozenset({"centrelines"})
_STROKE_STYLE = ("stroke-linecap", "stroke-linejoin", "stroke-miterlimit")
_KEPT = ("paint-order", "shape-rendering")
_SLICE = 64  # shapes between two calls of progress
_DEFAULTS = {
    "stroke-linecap": "butt",
    "stroke-linejoin": "miter",
    "stroke-miterlimit": "4",
    "paint-order": "normal",
    "shape-rendering": "auto",
}


@dataclass(frozen=True)
class Painted:
    """One visible shape.

    contours: its geometry in final coordinates. paint: attributes in a fixed order; 'fill' is always there:
    '#RRGGBB', 'none' or 'url(#id)'. tag, numbers: a circle, ellipse or rect that stayed one, else 'path'.
    layer: the group of LAYERS that it stood in, or ''.
    """

    contours: tuple[Contour, ...]
    paint: tuple[tuple[str, str], ...]
    tag: str = "path"
    numbers: tuple[tuple[str, float], ...] = ()
    layer: str = ""

    def get(self, name: str, default: str = "") -> str:
        """One attribute of the paint."""
        return dict(self.paint).get(name, default)


class NotFlat(Exception):
    """The drawing uses a clip path, mask or group opacity that cannot be written without its structure."""


class Flattener:
    """Walks one tree; `gradients` holds what the painted shapes refer to."""

    def __init__(self, root: Element, view: Viewport, matrix: Matrix, snap: Callable[[str, bool], str]) -> None:
        self._box: Box = view.box
        self._matrix = matrix
        self._snap = snap
        self._cutters = {e.attrib.get("id", ""): e for e in root.iter() if e.tag in CUTTERS}
        self._items: list[Painted] = []
        self._progress: Progress = silent
        self._drawn, self._amount = 0, 1
        self.gradients = Gradients(root, view.box, snap)

    def painted(self, root: Element, progress: Progress = silent) -> list[Painted]:
        """Shapes from bottom to top. Raises NotFlat."""
        self._progress, self._drawn = progress, 0
        self._amount = max(1, sum(1 for element in root.iter() if element.tag in DRAWN))
        for child in root:
            self._walk(child, self._matrix, inherited_paint(root, {}), 1.0, "")
        return self._items

    def _walk(self, element: Element, matrix: Matrix, paint: dict[str, str], opacity: float, layer: str) -> None:
        if element.tag == "defs" or element.tag in GRADIENTS or element.tag in CUTTERS:
            return
        if element.attrib.get("display") == "none":
            return
        own = share(element.attrib.get("opacity"))
        if "transform" in element.attrib:
            matrix = multiply(matrix, read_transform(element.attrib["transform"]))
        self._check_cutters(element, matrix)
        paint = inherited_paint(element, paint)
        if element.tag in DRAWN:
            self._draw(element, matrix, paint, opacity * own, layer)
            return
        if own < 1 and sum(1 for inner in element.iter() if inner.tag in DRAWN) > 1:
            raise NotFlat
        name = element.attrib.get("id", "")
        for child in element:
            self._walk(child, matrix, paint, opacity * own, name if name in LAYERS else layer)

    def _check_cutters(self, element: Element, matrix: Matrix) -> None:
        if element.attrib.get("mask", "none") != "none":
            raise NotFlat
        clip = element.attrib.get("clip-path", "none")
        if clip != "none" and not self._clips_nothing(clip, matrix):
            raise NotFlat

    def _clips_nothing(self, clip: str, matrix: Matrix) -> bool:
        """Whether a clip path is one rectangle around the whole canvas, as Figma writes around everything."""
        cutter = self._cutters.get(reference(clip) or "")
        if cutter is None:
            return True
        if len(cutter) != 1 or cutter[0].tag != "rect" or cutter.attrib.get("clipPathUnits") == "objectBoundingBox":
            return False
        matrix = multiply(matrix, read_transform(cutter.attrib.get("transform", "")))
        matrix = multiply(matrix, read_transform(cutter[0].attrib.get("transform", "")))
        if abs(matrix[1]) + abs(matrix[2]) > 1e-9 or "rx" in cutter[0].attrib or "ry" in cutter[0].attrib:
            return False
        box = bounds(tuple(transformed(c, matrix) for c in read_contours(shape_path(cutter[0], self._box))))
        return box is not None and _contains(box, self._canvas())

    def _canvas(self) -> Bounds:
        x, y, width, height = self._box
        left, top = apply(self._matrix, x, y)
        right, bottom = apply(self._matrix, x + width, y + height)
        return (left, top, right, bottom)

    def _draw(self, element: Element, matrix: Matrix, paint: dict[str, str], opacity: float, layer: str) -> None:
        if self._drawn % _SLICE == 0:
            self._progress(min(1.0, self._drawn / self._amount))
        self._drawn += 1
        if paint.get("visibility", "visible") != "visible":
            return
        local = tuple(read_contours(shape_path(element, self._box)))
        contours = tuple(transformed(contour, matrix) for contour in local)
        attributes = self._paint(element, paint, opacity, matrix, bounds(local))
        if not contours or not attributes:
            return
        kind = primitive_numbers(element, matrix, self._box) if element.tag in BASIC_SHAPES else None
        tag, numbers = kind or ("path", ())
        layer = layer if attributes["fill"] == "none" else ""
        self._items.append(Painted(contours, tuple(attributes.items()), tag, numbers, layer))

    def _paint(
        self, element: Element, paint: dict[str, str], opacity: float, matrix: Matrix, box: Bounds | None
    ) -> dict[str, str]:
        fill, fill_share = self._color(paint.get("fill", "#000000"), paint, matrix, box)
        stroke, stroke_share = self._color(paint.get("stroke", "none"), paint, matrix, box)
        fill_share *= share(paint.get("fill-opacity"))
        stroke_share *= share(paint.get("stroke-opacity"))
        steady = element.attrib.get("vector-effect") == "non-scaling-stroke"
        scale = 1.0 if steady else scale_of(matrix)
        width = length(paint.get("stroke-width"), 1.0) * scale
        if stroke == "none" or width <= 0 or stroke_share <= 0:
            stroke = "none"
        if fill_share <= 0 or element.tag == "line":  # a line has no inside
            fill = "none"
        if opacity <= 0 or (fill == "none" and stroke == "none"):
            return {}
        out = {"fill": fill}
        together = fill != "none" and stroke != "none" and opacity < 1
        if not together:
            fill_share, stroke_share = fill_share * opacity, stroke_share * opacity
        if fill != "none" and fill_share < 1:
            out["fill-opacity"] = text_of(fill_share, 3)
        if fill != "none" and paint.get("fill-rule") == "evenodd":
            out["fill-rule"] = "evenodd"
        if stroke != "none":
            out |= self._stroke(paint, stroke, stroke_share, width, scale)
            if steady:
                out["vector-effect"] = "non-scaling-stroke"
        if together:
            out["opacity"] = text_of(opacity, 3)
        return out | {name: paint[name] for name in _KEPT if paint.get(name, _DEFAULTS[name]) != _DEFAULTS[name]}

    def _stroke(self, paint: dict[str, str], stroke: str, opacity: float, width: float, scale: float) -> dict[str, str]:
        out = {"stroke": stroke, "stroke-width": f"{width:.6g}"}
        if opacity < 1:
            out["stroke-opacity"] = text_of(opacity, 3)
        out |= {name: paint[name] for name in _STROKE_STYLE if paint.get(name, _DEFAULTS[name]) != _DEFAULTS[name]}
        dashes = [length(part, -1.0) for part in paint.get("stroke-dasharray", "none").replace(",", " ").split()]
        if dashes and min(dashes) >= 0 and sum(dashes) > 0:
            out["stroke-dasharray"] = " ".join(f"{dash * scale:.6g}" for dash in dashes)
            offset = length(paint.get("stroke-dashoffset"), 0.0) * scale
            if offset:
                out["stroke-dashoffset"] = f"{offset:.6g}"
        return out

    def _color(self, text: str, paint: dict[str, str], matrix: Matrix, box: Bounds | None) -> tuple[str, float]:
        if text.strip().lower() == "currentcolor":
            text = paint.get("color", "#000000")
        name = reference(text)
        if name is not None:
            resolved = self.gradients.paint(name, matrix, box)
            if resolved is not None:
                return resolved
            text = text.rpartition(")")[2].strip() or "none"
        color = color_and_alpha(text)
        return ("none", 1.0) if color is None else (self._snap(color[0], False), color[1])


def reference(text: str) -> str | None:
    """The id in 'url(#id)', or None."""
    inner = text.strip()
    if not inner.startswith("url("):
        return None
    return inner[4:].partition(")")[0].strip().strip("'\"").removeprefix("#")


def share(text: str | None) -> float:
    """An opacity, '0.5' or '50%', clipped to 0..1; 1 for none or what cannot be read."""
    try:
        value = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1) if text else 1.0
    except ValueError:
        return 1.0
    return min(1.0, max(0.0, value)) if value == value else 1.0


def _contains(outer: Bounds, inner: Bounds) -> bool:
    slack = 0.01 * max(inner[2] - inner[0], inner[3] - inner[1])
    return (
        outer[0] <= inner[0] + slack
        and outer[1] <= inner[1] + slack
        and outer[2] >= inner[2] - slack
        and outer[3] >= inner[3] - slack
    )
