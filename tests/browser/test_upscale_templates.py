"""The upscale templates in the real front-end: what their switches do to the body, and a run with tiny networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.tests.browser.test_templates import body, load, run
from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.browser

FAMILIES = ("sdxl", "flux")
MODE = "([title, mode]) => { app.graph.nodes.find(node => node.title === title).mode = mode; }"
BYPASS, ALWAYS = 4, 0

# The networks that the templates name are replaced by tiny ones, and the tiles made as small.
TINY = """async ([family, model, tile]) => {
    const graph = app.graph, find = title => graph.nodes.find(node => node.title === title);
    const widget = (title, name, value) => { find(title).widgets.find(one => one.name === name).value = value; };
    const add = (kind, title) => {
        const node = LiteGraph.createNode(kind);
        node.title = title;
        graph.add(node);
        return node;
    };
    const refine = find("Refine"), slot = name => refine.inputs.findIndex(input => input.name === name);
    const tiny = add(model, "Tiny"), control = add("VectraHubTest_TinyControlNet", "Tiny control");
    control.widgets.find(one => one.name === "family").value = family;
    ["model", "clip", "vae"].forEach((name, output) => tiny.connect(output, refine, slot(name)));
    control.connect(0, refine, slot("control_net"));
    for (const title of ["Checkpoint", "LoRA", "ControlNet"]) graph.remove(find(title));
    widget("Split", "upscale", "none"); widget("Split", "tile", tile); widget("Split", "overlap", 16);
    widget("Refine", "steps", 2);
}"""


def template(family: str) -> Path:
    return ROOT / "workflows" / f"upscale_{family}.json"


def titles(graph: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["_meta"]["title"]: node["inputs"] for node in graph.values()}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lora_comes_in_and_a_control_net_goes_out_by_bypassing(page: Any, family: str) -> None:
    load(page, template(family))
    shipped = titles(body(page))
    assert "LoRA" not in shipped and "control_net" in shipped["Refine"]
    page.evaluate(MODE, ["LoRA", ALWAYS])
    page.evaluate(MODE, ["ControlNet", BYPASS])
    graph = body(page)
    changed = titles(graph)
    assert graph[changed["Refine"]["model"][0]]["_meta"]["title"] == "LoRA"
    assert graph[changed["LoRA"]["model"][0]]["_meta"]["title"] == "Checkpoint"
    assert "ControlNet" not in changed and "control_net" not in changed["Refine"]


@pytest.mark.parametrize("family", FAMILIES)
def test_seeds_stay_so_that_finished_tiles_are_found_again(page: Any, family: str) -> None:
    load(page, template(family))
    before = body(page)
    page.evaluate("() => app.graph.nodes.forEach(node => node.widgets?.forEach(widget => widget.afterQueued?.()))")
    assert body(page) == before


@pytest.mark.parametrize("family", FAMILIES)
def test_one_click_refines_every_tile(page: Any, host: RunningHost, family: str) -> None:
    load(page, template(family))
    model = {"sdxl": "VectraHubTest_TinySDXL", "flux": "VectraHubTest_TinyFlux"}[family]
    page.evaluate(TINY, [family, model, 64])
    run(page)
    page.wait_for_function("app.graph.nodes.find(node => node.title === 'Save').imgs?.length")
    newest = max(httpx.get(f"{host.url}/history", timeout=60).json().values(), key=lambda job: job["prompt"][0])
    graph = newest["prompt"][2]
    # What a node shows that became others when it ran stands under the last of these: "8.0.0.finish".
    shown = {graph[key.split(".")[0]]["_meta"]["title"]: value for key, value in newest["outputs"].items()}
    figures = json.loads(shown["Refine"]["vectrahub_report"][0])["images"][0]
    assert (figures["rows"], figures["columns"], figures["refined"] + figures["kept"]) == (2, 2, 4)
    assert (shown["Plan"]["vectrahub_tiles"][0]["rows"], shown["Plan"]["vectrahub_tiles"][0]["columns"]) == (2, 2)
