"""The vehicle template in the real front-end: groups of a phase bypassed as a designer does it who lacks its files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vectrahub.tests.browser.test_logo_and_tryon_templates import newest
from vectrahub.tests.browser.test_templates import body, load, run
from vectrahub.tests.host.runs import post
from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.browser

VEHICLE = ROOT / "workflows" / "vehicle_to_vector.json"
# Groups of the template, and nodes of each.
GROUPS = {
    "1 Sanitize": {"SAM3", "Detect", "Inpaint"},
    "2 Stylize": {"Checkpoint", "BiRefNet", "Sample", "Gate"},
    "3 Quantize": {"Upscale", "Palette"},
    "4 Vectorize": {"Trace", "Outline"},
    "Sanitized": {"Sanitize"},
    "Stylized": {"Stylize"},
    "Quantized": {"Quantize"},
}

# Every node whose corner lies in one of the groups, as the group's own Ctrl+B takes them.
BYPASS = """titles => {
    const inside = (node, [x, y, w, h]) =>
        node.pos[0] >= x && node.pos[0] < x + w && node.pos[1] >= y && node.pos[1] < y + h;
    for (const group of app.graph.groups.filter(one => titles.includes(one.title)))
        for (const node of app.graph.nodes.filter(one => inside(one, [...group.pos, ...group.size]))) node.mode = 4;
}"""


@pytest.mark.parametrize("group", GROUPS)
def test_a_bypassed_group_leaves_a_sound_workflow(page: Any, host: RunningHost, sample: str, group: str) -> None:
    """The host finds nothing wrong with it but the model files that are not here."""
    load(page, VEHICLE)
    whole = {node["_meta"]["title"] for node in body(page).values()}
    page.evaluate(BYPASS, [group])
    graph = body(page)
    assert whole - {node["_meta"]["title"] for node in graph.values()} >= GROUPS[group]
    answer = post(host, graph).json()
    kinds = {error["type"] for node in answer["node_errors"].values() for error in node["errors"]}
    assert kinds == {"value_not_in_list"}, "loaders of the phases that are on"
    figures = [node["inputs"]["figures"] for node in graph.values() if "figures" in node["inputs"]]
    assert all(graph[number]["class_type"] == "VectraHub_Phase" and slot == 2 for number, slot in figures)


def test_without_any_weights_a_photo_becomes_a_drawing(page: Any, host: RunningHost, sample: str) -> None:
    load(page, VEHICLE)
    page.evaluate(BYPASS, ["1 Sanitize", "2 Stylize"])
    page.evaluate(
        """() => { const widget = (title, name) => app.graph.nodes.find(node => node.title === title).widgets
            .find(one => one.name === name);
        widget('Upscale', 'megapixels').value = 0.5; widget('Palette', 'palette').value = '#E30613, #FFFFFF'; }"""
    )
    run(page)
    image = page.wait_for_selector("[data-vectrahub=svg-view] img[src*='/view']", state="attached")
    page.wait_for_function("image => image.naturalWidth > 0", arg=image)
    assert "96 \u00d7 96 px" in page.text_content("[data-vectrahub=figures]")
    job = newest(host)
    (report,) = [
        json.loads(output["vectrahub_report"][0])
        for number, output in job["outputs"].items()
        if job["prompt"][2].get(number, {}).get("class_type") == "VectraHub_PhaseReport"
    ]
    rows = {row["phase"]: row["enabled"] for row in report["images"][0]["phases"]}
    assert rows == {"sanitize": False, "stylize": False, "quantize": True, "vectorize": True}
    table = "app.nodeOutputs[app.graph.nodes.find(node => node.title === 'What it took').id]?.text?.[0]"
    page.wait_for_function(f"{table}?.includes('vectorize')")
