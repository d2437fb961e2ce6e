"""Strokes that stay as wide as they are at every scale, for renderers that do not know `vector-effect`."""

from xml.etree.ElementTree import Element

from .geometry import Matrix, multiply, read_transform, scale_of
from .paint import inherited_paint
from .safe import DRAWN
from .viewport import length

NON_SCALING = "non-scaling-stroke"


def fix_widths(root: Element, scale: tuple[float, float]) -> None:
    """Give every `vector-effect="non-scaling-stroke"` of a tree the width that it has at one scale, in place.

    scale: pixels per user unit of the root, across and down; where they differ, strokes get the width that is
    right for the root of their product. Dashes follow. Elements without the effect are left as they are.
    """
    if any(element.attrib.get("vector-effect") == NON_SCALING for element in root.iter()):
        _fix(root, (scale[0], 0.0, 0.0, scale[1], 0.0, 0.0), {})


def _fix(element: Element, matrix: Matrix, paint: dict[str, str]) -> None:
    if "transform" in element.attrib:
        matrix = multiply(matrix, read_transform(element.attrib["transform"]))
    paint = inherited_paint(element, paint)
    if element.tag in DRAWN and element.attrib.get("vector-effect") == NON_SCALING:
        del element.attrib["vector-effect"]
        shrunk = 1 / max(scale_of(matrix), 1e-9)
        for name, default in (("stroke-width", 1.0), ("stroke-dashoffset", 0.0)):
            element.attrib[name] = f"{length(paint.get(name), default) * shrunk:.6g}"
        dashes = [length(part, -1.0) for part in paint.get("stroke-dasharray", "none").replace(",", " ").split()]
        if dashes and min(dashes) >= 0:
            element.attrib["stroke-dasharray"] = " ".join(f"{dash * shrunk:.6g}" for dash in dashes)
    for child in element:
        _fix(child, matrix, paint)
