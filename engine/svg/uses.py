"""`use` and `symbol` replaced by copies of what they show."""

from copy import deepcopy
from xml.etree.ElementTree import Element

from ..errors import BadInput
from .viewport import box_of, fit_matrix, length

_PLACING = frozenset({"x", "y", "width", "height", "href", "transform"})


def expand_uses(root: Element, max_nodes: int, max_depth: int) -> None:
    """Replace each `use` by a group with a copy of its target; unknown or outside targets disappear.

    Raises BadInput when the copies make more than `max_nodes` elements or reach `max_depth` levels
    (a `use` inside its own target never ends).
    """
    named: dict[str, Element] = {}
    for element in root.iter():
        named.setdefault(element.attrib.get("id", ""), element)
    if next(root.iter("use"), None) is None:
        _drop_symbols(root)
        return
    budget = _Budget(max_nodes, sum(1 for _ in root.iter()))
    stack = [(root, 0)]
    while stack:
        parent, depth = stack.pop()
        if depth > max_depth:
            raise _endless(f"more than {max_depth} levels", f"{max_depth} levels")
        for index, child in enumerate(parent):
            shown = _copy(child, named, budget) if child.tag == "use" else child
            parent[index] = shown
            stack.append((shown, depth + 1))
    _drop_symbols(root)


class _Budget:
    def __init__(self, limit: int, used: int) -> None:
        self._limit = limit
        self._used = used

    def spend(self, element: Element) -> None:
        self._used += sum(1 for _ in element.iter())
        if self._used > self._limit:
            raise _endless(f"more than {self._limit} elements", f"{self._limit} elements")


def _endless(value: str, limit: str) -> BadInput:
    return BadInput(
        "The copies made by 'use' are too many", value=value, limit=limit, remedy="Export the SVG without symbols."
    )


def _copy(use: Element, named: dict[str, Element], budget: _Budget) -> Element:
    group = Element("g", {name: value for name, value in use.attrib.items() if name not in _PLACING})
    href = use.attrib.get("href", "")
    target = named.get(href[1:]) if href.startswith("#") and len(href) > 1 else None
    if target is None or target.tag == "svg":
        return group
    budget.spend(target)
    content = deepcopy(target)
    x, y = length(use.attrib.get("x"), 0.0), length(use.attrib.get("y"), 0.0)
    place = [use.attrib.get("transform", ""), f"translate({x:.9g},{y:.9g})" if x or y else ""]
    if content.tag == "symbol":
        box = box_of(content)
        content.tag = "g"
        if box is not None:
            width = length(use.attrib.get("width"), length(content.attrib.get("width"), box[2]))
            height = length(use.attrib.get("height"), length(content.attrib.get("height"), box[3]))
            fit = fit_matrix(box, width, height, content.attrib.get("preserveAspectRatio", ""))
            place.append("matrix(" + ",".join(f"{value:.9g}" for value in fit) + ")")
        for name in ("viewBox", "width", "height", "preserveAspectRatio", "x", "y"):
            content.attrib.pop(name, None)
    for element in content.iter():
        element.attrib.pop("id", None)
    transform = " ".join(part for part in place if part)
    if transform:
        group.attrib["transform"] = transform
    group.append(content)
    return group


def _drop_symbols(root: Element) -> None:
    for parent in list(root.iter()):
        if any(child.tag in ("symbol", "use") for child in parent):
            parent[:] = [child for child in parent if child.tag not in ("symbol", "use")]
