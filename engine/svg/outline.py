"""An illustration's lines: shapes with an outline, thin shapes with a line through their middle, nothing twice."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from xml.etree.ElementTree import Element

import numpy as np

from ..color.spaces import parse_hex
from ..errors import BadInput
from ..progress import Progress, part, silent
from ..trace.centrelines import LEAST, SHARE, centrelines
from .finish import automatic_decimals, onto, rounded, write
from .flatten import Flattener, NotFlat, Painted, share
from .geometry import bounds, encloses, tidied
from .gradients import Gradients
from .grouping import color_of
from .hidden import drop_hidden
from .ink import seen_colors
from .non_scaling import NON_SCALING
from .numbers import text_of
from .paint import NO_PAINT, color_and_alpha, inherited_paint
from .path import Contour
from .pathdata import read_contours
from .primitives import shape_path
from .safe import CUTTERS, DRAWN, read_svg, serialize
from .viewport import Box, viewport_of

MAX_WIDTH = 100.0  # px
LAYER = "centrelines"
_PIXELS = 4_000_000  # at which lines are looked for
_FINEST = 4.0  # pixels per px of a small drawing
_MOST_DECIMALS = 4
_SLICE = 64  # shapes that are rounded between two calls of progress
_SURE = 0.8  # of a line's width that its thin shape has everywhere
_THINNEST = 0.5  # px: a centreline between two outlines keeps this
_STROKE = re.compile("stroke|vector-effect")
# What this node says about its strokes: what has more, or less, is somebody else's.
_CENTRELINE = frozenset({"stroke", "stroke-width", "stroke-linejoin"})
_OUTLINE = _CENTRELINE | {"vector-effect"}
_PLAIN = {"stroke-dasharray": "none", "stroke-opacity": "1", "stroke-linecap": "butt"}
_FRACTION = re.compile(r"\.(\d+)")


@dataclass(frozen=True)
class Outlined:
    """svg: the file. duplicates, contained: shapes dropped. outlined: shapes with an outline. replaced: outlines and
    centrelines of an earlier run that were taken off first. centrelines: how many, centreline_px: their length.
    structured: clip paths, masks or group opacity allowed only the outline."""

    svg: bytes
    shapes: int
    duplicates: int
    contained: int
    outlined: int
    replaced: int
    centrelines: int
    centreline_px: float
    structured: bool
    removed: dict[str, int]


def draw_outlines(
    svg: bytes,
    *,
    width: float = 2.0,
    color: str = "#000000",
    centrelines: bool = False,
    hidden: bool = True,
    progress: Progress = silent,
) -> Outlined:
    """Lines for one drawing; doing it again replaces them.

    width: px of the outline at every scale, 0 = none. color: '#RRGGBB'. centrelines: lines through thin shapes, as a
    group of that name on top. hidden: drop what `drop_hidden` drops. Fills stay what they were, in their order.
    The outline is a stroke of each filled shape, under the shapes above it: what is hidden of a shape has none.
    Raises BadInput for unsafe or broken drawings and values out of range.
    """
    if not (math.isfinite(width) and 0 <= width <= MAX_WIDTH):
        raise BadInput(
            "The width of the outline", value=width, limit=f"0..{MAX_WIDTH:g} px", remedy="Use 2, or 0 for none."
        )
    color = parse_hex(color)
    safe = read_svg(svg)
    view = viewport_of(safe.root)
    removed = dict(sorted(safe.removed.items()))
    flattener = Flattener(safe.root, view, onto(view, view.width, view.height), lambda color, _is_stop: color)
    digits = _digits(safe.root, automatic_decimals(view.width, view.height))
    progress(0.0)
    try:
        found = _rounded(flattener.painted(safe.root, part(progress, 0.0, 0.06)), digits, part(progress, 0.06, 0.09))
    except NotFlat:
        return _structured(safe.root, view.box, width, color, removed)
    shapes = [item for item in found if not _is_own_line(item)]
    bare = [_bare(item) for item in shapes]
    taken = sum(1 for item, before in zip(bare, shapes, strict=True) if item.get("stroke") != before.get("stroke"))
    replaced = len(found) - len(shapes) + taken
    size = (view.width, view.height)
    items = [_ready(item, digits) if width and _gets_outline(item, size) else item for item in bare]
    progress(0.1)
    kept = drop_hidden(items, part(progress, 0.1, 0.3)) if hidden else None
    items = kept.items if kept else items
    lines = _centrelines(items, size, flattener.gradients, part(progress, 0.3, 0.9)) if centrelines and items else []
    wanted = [bool(width) and _gets_outline(item, size) for item in items]
    drawn = [_with_outline(item, width, color) if want else item for item, want in zip(items, wanted, strict=True)]
    covered = width if lines and width else 0.0
    strokes = [_line(contour, wide, ink, 0.0 if ink == color else covered) for contour, wide, _, ink in lines]
    everything = [*drawn, *rounded(strokes, digits)]
    groups = [(name, list(run)) for name, run in groupby(everything, color_of)]
    return Outlined(
        write(groups, *size, digits, flattener.gradients, part(progress, 0.9, 1.0)),
        len(items),
        kept.duplicates if kept else 0,
        kept.contained if kept else 0,
        sum(wanted),
        replaced,
        len(lines),
        round(sum(length for *_, length, _ in lines), 1),
        False,
        removed,
    )


def _rounded(items: Sequence[Painted], digits: int, progress: Progress) -> list[Painted]:
    out: list[Painted] = []
    for start in range(0, len(items), _SLICE):
        progress(start / len(items))
        out += rounded(items[start : start + _SLICE], digits)
    return out


def _digits(root: Element, least: int) -> int:
    """Digits after the point: never fewer than in the file's paths, within reason."""
    most = max((len(d) for e in root.iter() for d in _FRACTION.findall(e.attrib.get("d", ""))), default=0)
    return max(least, min(most, _MOST_DECIMALS))


def _bare(item: Painted) -> Painted:
    """The shape without an outline of an earlier run, and out of the layer that is for lines of this node."""
    if item.get("fill") != "none" and _names(item) == _OUTLINE and item.get("stroke-linejoin") == "round":
        if all(contour.closed for contour in item.contours):
            return _without_stroke(item)
    return replace(item, layer="") if item.layer == LAYER else item


def _is_own_line(item: Painted) -> bool:
    """Whether the shape is a centreline of an earlier run."""
    own = item.layer == LAYER and _names(item) == _CENTRELINE and item.get("stroke-linejoin") == "round"
    return own and len(item.contours) == 1 and len(item.paint) == 1 + len(_CENTRELINE)


def _names(item: Painted) -> frozenset[str]:
    """What is said about its stroke, and the opacity of the whole."""
    return frozenset(name for name, _ in item.paint if _STROKE.match(name) or name == "opacity")


def _without_stroke(item: Painted) -> Painted:
    """Only the fill, with the opacity that both had."""
    paint = {name: value for name, value in item.paint if not _STROKE.match(name)}
    clear = float(paint.pop("opacity", 1)) * float(paint.pop("fill-opacity", 1))
    faint = {"fill-opacity": text_of(clear, 3)} if clear < 1 else {}
    return replace(item, paint=tuple(({"fill": paint["fill"]} | faint | paint).items()))


def _gets_outline(item: Painted, size: tuple[float, float]) -> bool:
    """Not a line, and not a plain ground."""
    return item.get("fill") != "none" and not _is_ground(item, size) and encloses(item.contours)


def _ready(item: Painted, digits: int) -> Painted:
    """A shape that gets an outline without its own stroke, and closed: as it will be found the next time."""
    item = _without_stroke(item)
    if all(contour.closed for contour in item.contours):
        return item
    contours = tuple(replace(contour, closed=True) for contour in item.contours)
    return replace(item, contours=tidied(contours, digits, stroked=True))


def _with_outline(item: Painted, width: float, color: str) -> Painted:
    paint = [("stroke", color), ("stroke-width", text_of(width, 3)), ("stroke-linejoin", "round")]
    return replace(item, paint=(*item.paint, *paint, ("vector-effect", NON_SCALING)))


def _is_ground(item: Painted, size: tuple[float, float]) -> bool:
    """Whether the shape is a rectangle over the whole canvas: its outline would be a frame, half of it cut off."""
    box = bounds(item.contours)
    if box is None or len(item.contours) != 1 or not item.contours[0].lines.all() or item.contours[0].segments > 5:
        return False
    slack = 0.005 * max(size)
    return box[0] <= slack and box[1] <= slack and box[2] >= size[0] - slack and box[3] >= size[1] - slack


def _centrelines(
    items: Sequence[Painted], size: tuple[float, float], gradients: Gradients, progress: Progress
) -> list[tuple[Contour, float, float, str]]:
    """(contour, width, length, colour) of the lines that are seen, in px, by colour in painting order."""
    scale = min(_FINEST, math.sqrt(_PIXELS / (size[0] * size[1])))
    pixels = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    seen, colors = seen_colors(items, size, pixels, gradients, part(progress, 0.0, 0.2))
    limit = scale * max(LEAST, SHARE * max(size))
    across, down = size[0] / pixels[0], size[1] / pixels[1]
    found = []
    for index, color in enumerate(colors):
        step = part(progress, 0.2 + 0.8 * index / len(colors), 0.2 + 0.8 * (index + 1) / len(colors))
        for line in centrelines(seen == index, limit, step):
            found.append((line.contour.scaled(across, down), line.width / scale, line.length / scale, color))
    return found


def _line(contour: Contour, width: float, color: str, covered: float) -> Painted:
    """A stroke of the measured width; between outlines, only so wide and long that it covers nothing of them."""
    shown = max(_SURE * width - covered, min(width, _THINNEST)) if covered else width
    paint = [("fill", "none"), ("stroke", color), ("stroke-width", text_of(shown, 2)), ("stroke-linejoin", "round")]
    if covered and not contour.closed:
        contour = _turned(_later(_turned(_later(contour, covered / 2)), covered / 2))
    return Painted((contour,), tuple(paint), layer=LAYER)


def _later(contour: Contour, by: float) -> Contour:
    """The open contour without its first `by` px, or the first half of its first segment if that is less."""
    first = np.concatenate([contour.start[None], contour.curves[0]])
    if contour.lines[0]:
        first = np.linspace(first[0], first[3], 4)
    t = min(0.5, by / max(float(np.linalg.norm(first[3] - first[0])), 1e-9))
    second = first[:-1] + t * np.diff(first, axis=0)  # de Casteljau's construction
    third = second[:-1] + t * np.diff(second, axis=0)
    start = third[0] + t * (third[1] - third[0])
    rest = np.stack([third[1], second[2], first[3]])
    return replace(contour, start=start, curves=np.concatenate([rest[None], contour.curves[1:]]))


def _turned(contour: Contour) -> Contour:
    """The open contour from its end to its start."""
    points = np.concatenate([contour.start[None], contour.curves.reshape(-1, 2)])[::-1]
    return Contour(points[0], points[1:].reshape(-1, 3, 2), contour.lines[::-1], contour.closed)


def _structured(root: Element, box: Box, width: float, color: str, removed: dict[str, int]) -> Outlined:
    """Only the outline, on the elements as they are: what is hidden, or thin, depends on the clip paths."""
    shapes = outlined = replaced = 0
    stack: list[tuple[Element, dict[str, str]]] = [(root, {})]
    while stack:
        element, inherited = stack.pop()
        if element.tag in CUTTERS or element.tag == "defs" or element.attrib.get("display") == "none":
            continue
        paint = inherited_paint(element, inherited)
        stack.extend((child, paint) for child in element)
        if element.tag not in DRAWN:
            continue
        shapes += 1
        own = {name: value for name, value in element.attrib.items() if _STROKE.match(name)}
        if own.keys() - _PLAIN == _OUTLINE and own.items() >= {"vector-effect": NON_SCALING}.items():
            resets = {name: value for name, value in own.items() if name in _PLAIN}
            if own["stroke-linejoin"] == "round" and resets.items() <= _PLAIN.items():
                replaced += 1
                _take(element, own)
        if width and _is_seen(element, paint) and encloses(read_contours(shape_path(element, box))):
            outlined += 1
            _take(element, own)
            element.attrib |= {"stroke": color, "stroke-width": text_of(width, 3), "stroke-linejoin": "round"}
            element.attrib |= {name: plain for name, plain in _PLAIN.items() if inherited.get(name, plain) != plain}
            element.attrib["vector-effect"] = NON_SCALING
    return Outlined(serialize(root), shapes, 0, 0, outlined, replaced, 0, 0.0, True, removed)


def _take(element: Element, names: Iterable[str]) -> None:
    for name in names:
        element.attrib.pop(name, None)


def _is_seen(element: Element, paint: dict[str, str]) -> bool:
    """Whether the element has a fill that is painted."""
    fill = paint.get("fill", "#000000")
    solid = color_and_alpha(fill)
    clear = fill.strip().lower() in NO_PAINT or (solid is not None and solid[1] == 0)
    visible = paint.get("visibility", "visible") == "visible" and element.tag != "line"
    return visible and not clear and share(paint.get("fill-opacity")) > 0
