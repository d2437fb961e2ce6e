"""Any safe drawing made clean: ground off, exact colours, one named group per colour, plain coordinates."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from ..errors import BadInput
from ..progress import Progress, silent
from .background import remove_background
from .coverage import Grid
from .flatten import Flattener, NotFlat, Painted
from .geometry import Matrix, tidied
from .gradients import Gradients
from .grouping import grouped
from .numbers import text_of
from .paint import hex_color
from .path import path_data
from .pathdata import read_contours
from .primitives import shape_path
from .render import render
from .safe import read_svg, serialize
from .viewport import Viewport, viewport_of

MAX_DECIMALS = 6
SNAP_FILL = 10.0  # CIEDE2000 within which a fill or stroke takes a palette colour
SNAP_STOP = 3.0  # a gradient's stops are often between palette colours, and stay there
_DETAIL = 512  # px; see `automatic_decimals`
_LOOK = 256  # px of the longest side when the border is looked at
_SLICE = 64  # shapes that are written between two calls of progress
_OWN = frozenset({"opacity", "vector-effect"})  # not inherited: on a group they would say something else
_HEAD = 'xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'


@dataclass(frozen=True)
class Finished:
    """svg: the file. background: what happened to the ground, in words. structured: clip paths, masks or group
    opacity made it keep its groups and transforms. removed: elements left out by the sanitiser, by kind."""

    svg: bytes
    background: str
    groups: int
    shapes: int
    snapped: int
    decimals: int
    structured: bool
    removed: dict[str, int]


def finish(
    svg: bytes,
    *,
    background: str = "remove",
    decimals: int = -1,
    palette: Sequence[str] = (),
    size: tuple[int, int] | None = None,
) -> Finished:
    """Clean up one drawing; finishing a finished drawing gives the same bytes.

    background: 'remove' or 'keep'. decimals: 0..6 digits after the point, -1 = `automatic_decimals`.
    palette: '#RRGGBB' to which near colours are snapped. size: (width, height) in px of the picture that
    it was made from; coordinates are scaled into it. Without it the drawing's own size stays.
    Raises BadInput for unsafe or broken drawings and values out of range.
    """
    if background not in ("remove", "keep"):
        raise BadInput("Background", value=background, limit="'remove' or 'keep'", remedy="Choose one of them.")
    if not -1 <= decimals <= MAX_DECIMALS:
        raise BadInput("Precision", value=decimals, limit=f"-1..{MAX_DECIMALS}", remedy="Use -1 for automatic.")
    safe = read_svg(svg)
    view = viewport_of(safe.root)
    width, height = size or (view.width, view.height)
    digits = automatic_decimals(width, height) if decimals < 0 else decimals
    snap = Snapper(palette)
    matrix = onto(view, width, height)
    flattener = Flattener(safe.root, view, matrix, snap)
    try:
        items = rounded(flattener.painted(safe.root), digits)
    except NotFlat:
        return _structured(safe.root, view, width, height, Snapper(palette), dict(safe.removed))
    grid = Grid(width, height)
    note = "kept: asked for"
    if background == "remove":
        note = "kept: the drawing is empty"
        if items:
            items, note = remove_background(items, grid, _drawer(width, height, digits, flattener.gradients))
    groups = grouped(items, grid)
    return Finished(
        write(groups, width, height, digits, flattener.gradients),
        note,
        len(groups),
        len(items),
        snap.changed,
        digits,
        False,
        dict(sorted(safe.removed.items())),
    )


def automatic_decimals(width: float, height: float) -> int:
    """The digits that keep rounding within 1/20 of a pixel of the picture.

    One unit is one pixel when the size is the picture's; a drawing below 512 units is taken to be looked at
    at 512 px at least: 1 digit from 512 up, 2 from 52, 3 for an icon of 24.
    """
    allowed = min(1.0, max(width, height) / _DETAIL) / 20
    return min(MAX_DECIMALS, max(1, math.ceil(math.log10(0.5 / allowed) - 1e-9)))


class Snapper:
    """Nearest palette colour within a tolerance; counts the different colours that it changed."""

    def __init__(self, palette: Sequence[str]) -> None:
        self._palette = [color.upper() for color in palette]
        self._lab = _lab(self._palette) if palette else None
        self._known: dict[tuple[str, bool], str] = {}

    def __call__(self, color: str, is_stop: bool) -> str:
        if self._lab is None or color in self._palette:
            return color
        key = (color, is_stop)
        if key not in self._known:
            distance = deltaE_ciede2000(_lab([color]), self._lab)
            nearest = int(distance.argmin())
            limit = SNAP_STOP if is_stop else SNAP_FILL
            self._known[key] = self._palette[nearest] if distance[nearest] <= limit else color
        return self._known[key]

    @property
    def changed(self) -> int:
        """Colours that became a palette colour."""
        return sum(1 for (color, _), snapped in self._known.items() if color != snapped)


def write(
    groups: Sequence[tuple[str, Sequence[Painted]]],
    width: float,
    height: float,
    digits: int,
    gradients: Gradients,
    progress: Progress = silent,
) -> bytes:
    """The file: viewBox, width and height, gradients, one group per colour with an Inkscape layer label."""
    shapes = [item for _, items in groups for item in items]
    names, definitions = gradients.markup(paint for item in shapes for paint in (item.get("fill"), item.get("stroke")))
    size = f"{width:.9g}", f"{height:.9g}"
    lines = [f'<svg {_HEAD} width="{size[0]}" height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}">']
    if definitions:
        lines += ["<defs>", *definitions, "</defs>"]
    seen: dict[str, int] = {}
    for color, items in groups:
        seen[color] = seen.get(color, 0) + 1
        label = quoteattr(color if seen[color] == 1 else f"{color}-{seen[color]}")
        common = [pair for pair in items[0].paint if all(pair in item.paint for item in items)]
        shared = [pair for pair in common if pair[0] not in _OWN]
        head = f'<g id={label} inkscape:groupmode="layer" inkscape:label={label}'
        lines.append(head + _paint(shared, names) + ">")
        for item in items:
            if len(lines) % _SLICE == 0:
                progress(min(1.0, len(lines) / (len(shapes) + 2 * len(groups) + 2)))
            lines.append(_shape(item, [pair for pair in item.paint if pair not in shared], names, digits))
        lines.append("</g>")
    return "\n".join([*lines, "</svg>\n"]).encode()


def _shape(item: Painted, own: Iterable[tuple[str, str]], names: dict[str, str], digits: int) -> str:
    if item.tag == "path":
        geometry = f' d="{path_data(item.contours, digits)}"'
    else:
        geometry = "".join(f' {name}="{text_of(value, digits)}"' for name, value in item.numbers)
    return f"<{item.tag}{geometry}{_paint(own, names)}/>"


def _paint(pairs: Iterable[tuple[str, str]], names: dict[str, str]) -> str:
    return "".join(f' {name}="{names.get(value, value)}"' for name, value in pairs)


def onto(view: Viewport, width: float, height: float) -> Matrix:
    """From the root's user units into a canvas of `width` x `height`."""
    a, _, _, d, e, f = view.matrix
    sx, sy = width / view.width, height / view.height
    matrix = (a * sx, 0.0, 0.0, d * sy, e * sx, f * sy)
    return (1.0, 0.0, 0.0, 1.0, 0.0, 0.0) if np.allclose(matrix, (1, 0, 0, 1, 0, 0), atol=1e-12) else matrix


def rounded(items: Iterable[Painted], digits: int) -> list[Painted]:
    """The shapes on the grid of `digits` digits, without those of which nothing is left."""
    on_grid = (_on_grid(item, digits) for item in items)
    return [item for item in on_grid if item.contours]


def _on_grid(item: Painted, digits: int) -> Painted:
    contours, numbers = item.contours, item.numbers
    if item.tag != "path":
        numbers = tuple((name, round(value, digits)) for name, value in numbers)
        if any(name in ("rx", "ry") and value == 0 for name, value in numbers) and item.tag == "rect":
            numbers = numbers[:4]
        primitive = Element(item.tag, {name: text_of(value, digits) for name, value in numbers})
        contours = tuple(read_contours(shape_path(primitive, (0.0, 0.0, 0.0, 0.0))))
    return replace(item, contours=tidied(contours, digits, stroked=bool(item.get("stroke"))), numbers=numbers)


def _drawer(
    width: float, height: float, digits: int, gradients: Gradients
) -> Callable[[Sequence[Painted]], NDArray[np.uint8]]:
    scale = _LOOK / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))

    def draw(items: Sequence[Painted]) -> NDArray[np.uint8]:
        return render(write([("all", [item]) for item in items], width, height, digits, gradients), *size)

    return draw


def _structured(
    root: Element, view: Viewport, width: float, height: float, snap: Snapper, removed: dict[str, int]
) -> Finished:
    shapes = 0
    for element in root.iter():
        shapes += "d" in element.attrib
        for name in ("fill", "stroke", "stop-color"):
            color = hex_color(element.attrib.get(name, ""))
            if color is not None:
                element.attrib[name] = snap(color, name == "stop-color")
    box = " ".join(f"{value:.9g}" for value in view.box)
    root.attrib |= {"width": f"{width:.9g}", "height": f"{height:.9g}", "viewBox": box}
    root.attrib.pop("preserveAspectRatio", None)
    if not math.isclose(view.box[2] / view.box[3], width / height, rel_tol=1e-6):
        root.attrib["preserveAspectRatio"] = "none"
    note = "kept: clip paths, masks or group opacity"
    return Finished(serialize(root), note, 0, shapes, snap.changed, -1, True, removed)


def _lab(colors: Sequence[str]) -> NDArray[np.float64]:
    channels = np.array([list(bytes.fromhex(color[1:])) for color in colors]) / 255.0
    return rgb2lab(channels[None])[0]
