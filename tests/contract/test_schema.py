"""Every node's schema is complete, fits its functions, and is the one that was agreed on."""

from __future__ import annotations

import math
from typing import Any

from vectrahub.tests.contract.conftest import HERE, ROOT, Node, keep_in_step

STAGES = {"route", "upscale", "color", "vector", "tiles", "logo", "try-on", "vehicle"}
NUMBERS = {"INT", "FLOAT"}


def inputs_of(nodes: list[Node]) -> list[tuple[str, Node]]:
    return [(f"{node['id']}.{one['id']}", one) for node in nodes for one in node["inputs"]]


def test_ids_and_categories(nodes: list[Node]) -> None:
    assert len({node["id"] for node in nodes}) == len(nodes) > 0
    for node in nodes:
        assert node["id"] == f"VectraHub_{node['class']}"
        pack, _, stage = node["category"].partition("/")
        assert (pack, stage in STAGES) == ("VectraHub", True), node["category"]


def test_every_text_is_there(nodes: list[Node]) -> None:
    for node in nodes:
        assert node["display_name"] and node["search_aliases"], node["id"]
        assert len(node["description"] or "") >= 40, node["id"]
    missing = [name for name, one in inputs_of(nodes) if not one.get("tooltip", "").strip()]
    missing += [f"{n['id']} -> {o['name']}" for n in nodes for o in n["outputs"] if not (o["name"] and o["tooltip"])]
    assert not missing


def test_the_functions_take_what_the_schema_gives(nodes: list[Node]) -> None:
    for node in nodes:
        names = [one["id"] for one in node["inputs"]]
        call = node["calls"]["execute"]
        assert sorted(call["names"]) == sorted(names) and not call["takes_rest"], node["id"]
        optional = {one["id"] for one in node["inputs"] if one.get("optional")}
        assert optional <= set(call["with_default"]), f"{node['id']}: optional inputs need a default in execute"
        for name, other in node["calls"].items():
            assert set(other["names"]) <= set(names), f"{node['id']}.{name}"


def test_parts_are_made_by_an_expansion(parts: list[Node]) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "host").glob("*.py"))
    assert parts
    for part in parts:
        assert part["id"] == f"VectraHub_{part['class']}"
        assert f'"{part["id"]}"' in code
        given, call = {one["id"] for one in part["inputs"]}, part["calls"]["execute"]
        assert given == set(call["names"]) or (call["takes_rest"] and given > set(call["names"])), "numbered inputs"


def test_lazy_inputs_are_asked_for(nodes: list[Node]) -> None:
    """Those that are only passed on as links are asked for by the graph that they go into."""
    for node in nodes:
        lazy = any(one.get("lazy") and not one.get("rawLink") for one in node["inputs"])
        assert lazy == ("check_lazy_status" in node["calls"]), node["id"]


def test_numbers_have_a_range_and_a_default_in_it(nodes: list[Node]) -> None:
    for name, one in inputs_of(nodes):
        if one["type"] in NUMBERS:
            assert {"min", "max", "default"} <= one.keys(), name
            assert one["min"] <= one["default"] <= one["max"], name


def test_the_front_end_does_not_round_a_default(nodes: list[Node]) -> None:
    """It shows and keeps as many digits as the step's size has: a step of 0.25 would turn 1.25 into 1.3."""
    for name, one in inputs_of(nodes):
        if one["type"] == "FLOAT":
            digits = max(0, -math.floor(math.log10(one["step"])))
            for figure in ("default", "min", "max", "step"):
                assert round(one[figure], digits) == one[figure], f"{name}: {figure} {one[figure]}, step {one['step']}"


def test_choices_have_a_default_among_them(nodes: list[Node]) -> None:
    for name, one in inputs_of(nodes):
        if one["type"] == "COMBO" and "upload" not in one:
            assert one["default"] in one["options"], name


def test_the_schema_is_the_agreed_one(nodes: list[Node]) -> None:
    """Saved workflows hold widget values by position: inputs are only ever appended, with a default."""
    keep_in_step(HERE / "schema.json", [_agreed(node) for node in nodes])


def _agreed(node: Node) -> dict[str, Any]:
    texts = {"tooltip", "description", "search_aliases", "display_name", "calls", "dev_only"}
    parts = {key: value for key, value in node.items() if key not in texts}
    for key in ("inputs", "outputs"):
        parts[key] = [{k: v for k, v in one.items() if k not in texts} for one in node[key]]
    return parts
