"""The logo and try-on templates in the real front-end: one click with tiny networks, and what their switches do."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from vectrahub.tests.browser.test_templates import body, load, run
from vectrahub.tests.browser.test_upscale_templates import ALWAYS, MODE, titles
from vectrahub.tests.host.runs import busy
from vectrahub.tests.host.tryon_graphs import BLUE, new_picture
from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.browser

LOGO, TRYON = ROOT / "workflows" / "logo_flux.json", ROOT / "workflows" / "tryon_qwen_edit_2511.json"

# values: {title: {widget: value}}. to: {title: [inputs of a node that take the tiny networks, by output]}
SET = """async ([values, kind, to, gone]) => {
    const graph = app.graph, find = title => graph.nodes.find(node => node.title === title);
    for (const [title, widgets] of Object.entries(values))
        for (const [name, value] of Object.entries(widgets))
            find(title).widgets.find(one => one.name === name).value = value;
    const tiny = LiteGraph.createNode(kind);
    tiny.title = "Tiny";
    graph.add(tiny);
    for (const [title, input, output] of to) {
        const node = find(title);
        tiny.connect(output, node, node.inputs.findIndex(one => one.name === input));
    }
    for (const title of gone) graph.remove(find(title));
}"""
SHOWN = "title => app.graph.nodes.find(node => node.title === title).imgs?.length"


def newest(host: RunningHost) -> dict[str, Any]:
    """The latest job's history, once it has ended."""
    deadline = time.monotonic() + 240
    while busy(host) and time.monotonic() < deadline:
        time.sleep(0.1)
    return max(httpx.get(f"{host.url}/history", timeout=60).json().values(), key=lambda job: job["prompt"][0])


def saved(job: dict[str, Any]) -> dict[str, list[str]]:
    """Title of each node of the job -> the files that it saved."""
    graph = job["prompt"][2]
    return {
        graph[number]["_meta"]["title"]: [file["filename"] for file in output["images"]]
        for number, output in job["outputs"].items()
        if number in graph and "images" in output
    }


def test_one_click_makes_pngs_of_every_size_and_an_svg(page: Any, host: RunningHost) -> None:
    load(page, LOGO)
    values = {
        **{"Sizes": {"sizes": "32, 96"}, "Sample": {"steps": 1, "seed": 5}},
        **{"Upscale": {"megapixels": 0.25}, "Palette": {"colors": 4}},
    }
    to = [["Words", "clip", 1], ["Sample", "model", 0], ["Decode", "vae", 2]]
    page.evaluate(SET, [values, "VectraHubTest_TinyFlux", to, ["Checkpoint", "LoRA"]])
    run(page)
    page.wait_for_function(SHOWN, arg="Save")
    files = saved(newest(host))
    assert sorted(name.split("_")[1] for name in files["Save"]) == ["32", "96"]
    assert [name[-4:] for name in files["Save SVG"]] == [".svg"]


def test_one_click_dresses_a_person_and_saves_no_comparison_unasked(page: Any, host: RunningHost) -> None:
    load(page, TRYON)
    person, garment = new_picture(host, 300, 400), new_picture(host, 400, 200, BLUE)
    values = {
        **{"Person": {"image": person}, "Garment": {"image": garment}},
        **{"Prepare": {"resolution": "480p"}, "Try on": {"steps": 1}},
    }
    to = [["Try on", name, output] for output, name in enumerate(("model", "clip", "vae"))]
    page.evaluate(SET, [values, "VectraHubTest_TinyQwenImage", to, []])
    run(page)
    page.wait_for_function(SHOWN, arg="Save")
    assert list(saved(newest(host))) == ["Save"]


def test_the_mask_comes_in_when_its_node_is_switched_on(page: Any) -> None:
    load(page, TRYON)
    assert "mask" not in titles(body(page))["Try on"]
    page.evaluate(MODE, ["Mask", ALWAYS])
    graph = body(page)
    assert graph[titles(graph)["Try on"]["mask"][0]]["_meta"]["title"] == "Mask"


def test_the_seed_of_a_try_on_stays(page: Any) -> None:
    load(page, TRYON)
    before = body(page)
    page.evaluate("() => app.graph.nodes.forEach(node => node.widgets?.forEach(widget => widget.afterQueued?.()))")
    assert body(page) == before
