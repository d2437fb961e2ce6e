"""SVG from strangers: an allow-list of elements and attributes, and caps on what a file may cost.

What comes out has no script, style sheet, text, image, filter, event handler or reference outside the
document. Tags are plain local names ("path"), attributes too; style sheets and `style` attributes are
turned into presentation attributes and `use` into copies, so that nothing common loses its looks.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from ..errors import BadInput
from .styles import apply_styles
from .uses import expand_uses
from .viewport import viewport_of

MAX_BYTES = 32_000_000
MAX_NODES = 250_000
MAX_DEPTH = 100

BASIC_SHAPES = frozenset({"rect", "circle", "ellipse", "line", "polyline", "polygon"})
DRAWN = BASIC_SHAPES | {"path"}
GRADIENTS = frozenset({"linearGradient", "radialGradient"})
CUTTERS = frozenset({"clipPath", "mask"})
_ELEMENTS = DRAWN | GRADIENTS | CUTTERS | {"svg", "g", "defs", "stop"}
_SOURCES = frozenset({"style", "use", "symbol"})  # read, then replaced by what they stand for

PAINT_ATTRIBUTES = frozenset(
    """fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin
    stroke-miterlimit stroke-dasharray stroke-dashoffset opacity color display visibility clip-path clip-rule
    mask mask-type paint-order shape-rendering vector-effect stop-color stop-opacity""".split()
)
_ATTRIBUTES = PAINT_ATTRIBUTES | frozenset(
    """id d x y width height rx ry cx cy r fx fy fr x1 y1 x2 y2 points offset transform viewBox
    preserveAspectRatio gradientUnits gradientTransform spreadMethod clipPathUnits maskUnits
    maskContentUnits inkscape:label inkscape:groupmode""".split()
)
_STYLE_INPUTS = frozenset({"style", "class"})
_XLINK = "{http://www.w3.org/1999/xlink}"
_SVG = "{http://www.w3.org/2000/svg}"
_INKSCAPE = "{http://www.inkscape.org/namespaces/inkscape}"
_BETWEEN_TAGS = re.compile(rb">\s+<")
_LOCAL_URL = re.compile(r"url\(\s*(['\"]?)#[^'\")\s]+\1\s*\)\s*(none|currentColor|#[0-9a-fA-F]{3,8}|[a-zA-Z]+)?")


@dataclass(frozen=True)
class SafeSvg:
    """A sanitised drawing and how many elements of each kind were taken out of it."""

    root: Element
    removed: Counter[str] = field(default_factory=Counter)


def parse_svg(data: bytes) -> Element:
    """The sanitised root element; see `read_svg`."""
    return read_svg(data).root


def read_svg(data: bytes, *, expand: bool = True) -> SafeSvg:
    """Parse and sanitise one SVG file.

    expand: replace `use` by copies of what it names (False drops `use` and keeps what is in `defs`).
    Raises BadInput for broken XML, entities, another root than svg, or more than MAX_BYTES, MAX_NODES,
    MAX_DEPTH or an own size above MAX_SIDE.
    """
    root = _tree(data)
    apply_styles(root, PAINT_ATTRIBUTES)
    if expand:
        expand_uses(root, MAX_NODES, MAX_DEPTH)
    removed: Counter[str] = Counter()
    _filter(root, removed)
    viewport_of(root)  # refuses a size that is no size
    return SafeSvg(root, removed)


def serialize(root: Element) -> bytes:
    """The file of a sanitised tree: UTF-8, attributes in document order, equal trees give equal bytes."""
    names = {"xmlns": "http://www.w3.org/2000/svg"}
    if any(name.startswith("inkscape:") for element in root.iter() for name in element.attrib):
        names["xmlns:inkscape"] = _INKSCAPE[1:-1]
    head = Element("svg", names | root.attrib)
    head.extend(root)
    # In attribute values '>' is written '&gt;', so that ' />' only ever ends a tag.
    return tostring(head, encoding="unicode").replace(" />", "/>").encode() + b"\n"


def safe_bytes(svg: bytes) -> bytes:
    """The drawing itself when there is nothing to sanitise in it, else its sanitised form. Raises BadInput."""
    clean = serialize(parse_svg(svg))
    untouched = _BETWEEN_TAGS.sub(b"><", svg).strip() == clean.strip()
    return svg if untouched else clean


def _tree(data: bytes) -> Element:
    if not data.strip():
        raise BadInput(
            "There is no drawing",
            value="an empty file",
            limit="an SVG file",
            remedy="The node that should have drawn it says in its report why it did not.",
        )
    if len(data) > MAX_BYTES:
        raise BadInput(
            "The SVG file is too large",
            value=f"{len(data)} bytes",
            limit=f"at most {MAX_BYTES} bytes",
            remedy="Simplify the drawing, or take embedded pictures out of it.",
        )
    parser = XMLParser(target=_CappedBuilder(), forbid_entities=True)
    try:
        parser.feed(data)
        root = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            "The file is not readable SVG",
            value=str(error) or type(error).__name__,
            limit="well-formed XML without entity declarations",
            remedy="Export it again as plain SVG.",
        ) from error
    if not isinstance(root, Element) or root.tag != "svg":
        raise BadInput(
            "The file is not an SVG drawing",
            value=f"root element {getattr(root, 'tag', None)!r}",
            limit="root element 'svg'",
            remedy="Give an SVG file.",
        )
    return root


class _CappedBuilder(TreeBuilder):
    """Builds the tree with local names, without text, and stops as soon as a cap is passed."""

    def __init__(self) -> None:
        super().__init__()
        self._nodes = 0
        self._depth = 0
        self._in_style = False

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._nodes += 1
        self._depth += 1
        if self._nodes > MAX_NODES:
            raise _too_much("elements", MAX_NODES)
        if self._depth > MAX_DEPTH:
            raise _too_much("levels of nesting", MAX_DEPTH)
        name = _local(tag)
        self._in_style = name == "style"
        return super().start(name, {_attribute(key): value for key, value in attrs.items()})

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        self._in_style = False
        return super().end(_local(tag))

    def data(self, data: str, /) -> None:
        if self._in_style:
            super().data(data)

    def comment(self, text: str | None, /) -> None:  # type: ignore[override]
        pass

    def pi(self, target: str, text: str | None = None, /) -> None:  # type: ignore[override]
        pass


def _too_much(what: str, limit: int) -> BadInput:
    return BadInput(
        f"The SVG has too many {what}",
        value=f"more than {limit}",
        limit=f"at most {limit}",
        remedy="Simplify the drawing.",
    )


def _local(tag: str) -> str:
    if tag.startswith(_SVG):
        tag = tag[len(_SVG) :]
    if tag == "a":
        return "g"  # a link is a group that leads outside
    return tag if "}" not in tag else "foreign:" + tag.rpartition("}")[2]


def _attribute(key: str) -> str:
    if not key.startswith("{"):
        return key if ":" not in key else "foreign:" + key
    if key.startswith(_XLINK):
        return key[len(_XLINK) :]
    if key.startswith(_INKSCAPE):
        return "inkscape:" + key[len(_INKSCAPE) :]
    return key[len(_SVG) :] if key.startswith(_SVG) else "foreign:" + key.rpartition("}")[2]


def _filter(root: Element, removed: Counter[str]) -> None:
    # A mask or clip path may not use another one: m1 of ten shapes each masked by m2 of ten shapes ...
    # would cost ten to the power of the chain.
    stack = [(root, False)]
    while stack:
        element, cutting = stack.pop()
        cutting = cutting or element.tag in CUTTERS
        _filter_attributes(element, cutting)
        kept = [child for child in element if child.tag in _ELEMENTS and child.tag != "svg"]
        for child in element:
            if child.tag == "svg":
                removed["nested svg"] += 1
            elif child.tag not in _ELEMENTS and child.tag not in _SOURCES:
                removed[child.tag.removeprefix("foreign:")] += 1
        element[:] = kept
        element.text = element.tail = None
        stack.extend((child, cutting) for child in reversed(kept))


def _filter_attributes(element: Element, cutting: bool) -> None:
    for name, value in list(element.attrib.items()):
        if not _allowed(element.tag, name, value) or (cutting and name in ("mask", "clip-path")):
            del element.attrib[name]


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag in GRADIENTS and value.startswith("#")
    if name not in _ATTRIBUTES:
        return False
    lowered = value.lower()
    if "url" in lowered or "\\" in value or "expression" in lowered or "javascript" in lowered:
        return name in ("id", "inkscape:label") or _LOCAL_URL.fullmatch(value.strip()) is not None
    return True
