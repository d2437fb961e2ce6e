"""CSS of a drawing turned into presentation attributes: simple selectors only, which is what exporters write."""

import re
from collections.abc import Collection
from xml.etree.ElementTree import Element

_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SELECTOR = re.compile(r"([a-zA-Z]*|\*)((?:[.#][\w-]+)*)")
_PART = re.compile(r"([.#])([\w-]+)")
_Rule = tuple[tuple[int, int], str, frozenset[str], frozenset[str], dict[str, str]]


def apply_styles(root: Element, properties: Collection[str]) -> None:
    """Write the cascade of `style` elements and `style` attributes into attributes of the elements.

    properties: the names that may be set. Selectors are a tag, classes and an id in any combination
    ("path", ".a", "rect.a.b", "#x"); others (descendants, pseudo-classes, at-rules) are left out, as a
    drawing of ours has no use for them. Order: attribute < style sheet by specificity < style attribute.
    """
    sheet = " ".join(style.text or "" for style in root.iter("style"))
    rules = _rules(sheet, properties) if sheet.strip() else []
    for element in root.iter():
        classes = frozenset(element.attrib.get("class", "").split())
        identity = element.attrib.get("id", "")
        for _, tag, wanted, ids, declarations in rules:
            if tag in ("", "*", element.tag) and wanted <= classes and ids <= {identity}:
                element.attrib.update(declarations)
        inline = element.attrib.get("style")
        if inline:
            element.attrib.update(_declarations(inline, properties))


def _rules(sheet: str, properties: Collection[str]) -> list[_Rule]:
    rules: list[_Rule] = []
    for selectors, body in _RULE.findall(_COMMENT.sub("", sheet.replace("<!--", "").replace("-->", ""))):
        declarations = _declarations(body, properties)
        for selector in selectors.split(","):
            match = _SELECTOR.fullmatch(selector.strip())
            if match is None or not selector.strip():
                continue
            parts = _PART.findall(match[2])
            classes = frozenset(name for kind, name in parts if kind == ".")
            ids = frozenset(name for kind, name in parts if kind == "#")
            rules.append(((len(ids), len(classes)), match[1], classes, ids, declarations))
    return sorted(rules, key=lambda rule: rule[0])  # stable: later rules of one rank win


def _declarations(body: str, properties: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for declaration in _COMMENT.sub("", body).split(";"):
        name, colon, value = declaration.partition(":")
        name = name.strip().lower()
        if colon and name in properties:
            found[name] = value.replace("!important", "").strip()
    return found
