"""What a person meets of a node: its texts, its help page, a workflow that uses it, a thumbnail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vectrahub.tests.contract.conftest import ROOT, Node, keep_in_step

WORKFLOWS = ROOT / "workflows"
TEMPLATES = sorted(WORKFLOWS.glob("*.json"))


def test_the_english_texts_are_those_of_the_schemas(nodes: list[Node]) -> None:
    keep_in_step(ROOT / "locales" / "en" / "nodeDefs.json", {node["id"]: _texts(node) for node in nodes})


def _texts(node: Node) -> dict[str, Any]:
    inputs = {one["id"]: {"name": one["id"], "tooltip": one["tooltip"]} for one in node["inputs"]}
    outputs = {str(i): {"name": one["name"], "tooltip": one["tooltip"]} for i, one in enumerate(node["outputs"])}
    return {
        "display_name": node["display_name"],
        "description": node["description"],
        "inputs": inputs,
        "outputs": outputs,
    }


def test_every_node_has_a_help_page_that_names_all_its_sockets(nodes: list[Node]) -> None:
    folder = ROOT / "js" / "docs"
    assert {path.stem for path in folder.glob("*.md")} == {node["id"] for node in nodes}
    for node in nodes:
        text = (folder / f"{node['id']}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {node['display_name']}\n"), node["id"]
        names = [one["id"] for one in node["inputs"]] + [one["name"] for one in node["outputs"]]
        assert not [name for name in names if f"**{name}**" not in text], node["id"]


def test_every_node_is_used_in_a_shipped_workflow(nodes: list[Node]) -> None:
    """By itself, or in what Tile Refine becomes when it runs."""
    graphs = [json.loads(path.read_text(encoding="utf-8")) for path in (WORKFLOWS / "api").glob("*.json")]
    used = {node["class_type"] for graph in graphs for node in graph.values()}
    expanded = (ROOT / "host" / "refinement.py").read_text(encoding="utf-8")
    assert [node["id"] for node in nodes if node["id"] not in used and f'"{node["id"]}"' not in expanded] == []


def test_every_template_has_its_prompt_body() -> None:
    assert {path.name for path in TEMPLATES} == {path.name for path in (WORKFLOWS / "api").glob("*.json")} != set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_has_a_small_thumbnail(template: Path) -> None:
    thumbnail = template.with_suffix(".jpg").read_bytes()
    assert thumbnail.startswith(b"\xff\xd8\xff") and len(thumbnail) < 60_000


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_nothing_overlaps_in_a_template(template: Path) -> None:
    graph = json.loads(template.read_text(encoding="utf-8"))
    boxes = [(n["title"], n["pos"][0], n["pos"][1] - 30, n["size"][0], n["size"][1] + 30) for n in graph["nodes"]]
    groups = [(g["title"], *g["bounding"]) for g in graph["groups"]]
    for several in (boxes, groups):
        pairs = [(a, b) for i, a in enumerate(several) for b in several[i + 1 :]]
        assert not [(a[0], b[0]) for a, b in pairs if _overlap(a, b)]
    outside = [box[0] for box in boxes if not any(_within(box, group) for group in groups)]
    assert not outside, "these lie in no group, or over its edge"


Box = tuple[str, float, float, float, float]


def _overlap(a: Box, b: Box) -> bool:
    return a[1] < b[1] + b[3] and b[1] < a[1] + a[3] and a[2] < b[2] + b[4] and b[2] < a[2] + a[4]


def _within(a: Box, b: Box) -> bool:
    return b[1] <= a[1] and b[2] <= a[2] and a[1] + a[3] <= b[1] + b[3] and a[2] + a[4] <= b[2] + b[4]


def test_no_folder_hides_the_templates() -> None:
    """ComfyUI mounts these names on the URL of workflows/, which then answers 404."""
    taken = ("example", "examples", "workflow", "example_workflows")
    assert not [name for name in taken if (ROOT / name).exists()]
