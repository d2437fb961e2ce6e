"""Our nodes as a designer meets them: the menu, the sockets, the help, the preview."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.browser

NODES = sorted(path.stem for path in (ROOT / "js" / "docs").glob("*.md"))


def test_the_menu_lists_every_stage(page: Any) -> None:
    found = page.evaluate("LiteGraph.getNodeTypesCategories().filter(name => name.startsWith('VectraHub'))")
    assert {f"VectraHub/{stage}" for stage in ("route", "upscale", "color", "vector")} <= set(found)


def test_the_route_fits_every_input_that_takes_one(page: Any) -> None:
    linked = page.evaluate(
        """async () => {
          const add = type => { const node = LiteGraph.createNode(type); app.graph.add(node); return node; };
          const router = add('VectraHub_ClipRouter');
          for (const type of ['VectraHub_VTracerTrace', 'VectraHub_SVGQualityGate']) {
            const node = add(type);
            router.connect(0, node, node.inputs.findIndex(input => input.name === 'route'));
          }
          await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())));
          return app.graph.nodes.filter(node => node.inputs.some(i => i.name === 'route' && i.link != null)).length;
        }"""
    )
    assert linked == 2


def test_a_new_node_has_the_defaults_of_its_schema(page: Any) -> None:
    schema = json.loads((ROOT / "tests" / "contract" / "schema.json").read_text(encoding="utf-8"))
    for node in schema:
        wanted = {one["id"]: one["default"] for one in node["inputs"] if one["type"] != "SVG" and "default" in one}
        found = page.evaluate(
            """async type => { const node = LiteGraph.createNode(type); app.graph.add(node);
            node.widgets?.forEach(widget => { widget.callback?.(widget.value); });
            return Object.fromEntries((node.widgets ?? []).map(widget => [widget.name, widget.value])); }""",
            node["id"],
        )
        assert {name: found.get(name) for name in wanted} == wanted, node["id"]


@pytest.mark.parametrize("node", NODES)
def test_a_help_page_is_served(host: RunningHost, node: str) -> None:
    answer = httpx.get(f"{host.url}/extensions/vectrahub/docs/{node}.md")
    assert answer.status_code == 200
    assert answer.text == (ROOT / "js" / "docs" / f"{node}.md").read_text(encoding="utf-8")


def test_english_texts_are_served(host: RunningHost) -> None:
    texts = httpx.get(f"{host.url}/i18n").json()["en"]["nodeDefs"]
    assert set(NODES) <= texts.keys()


SHOW = """([files, report]) => {
  const node = app.graph.nodes.find(node => node.type === 'VectraHub_SVGSave')
    ?? (() => { const made = LiteGraph.createNode('VectraHub_SVGSave'); app.graph.add(made); return made; })();
  node.onExecuted({images: files, vectrahub_report: [report]});
}"""
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10">'
    '<script>window.owned = 1</script><rect width="10" height="10"/></svg>'
)


def saved(host: RunningHost, *names: str) -> list[dict[str, str]]:
    host.output.mkdir(exist_ok=True)
    for name in names:
        (host.output / name).write_text(SVG)
    return [{"filename": name, "subfolder": "", "type": "output"} for name in names]


def test_a_batch_is_paged_and_downloaded(page: Any, host: RunningHost) -> None:
    files = saved(host, "one & <b>.svg", "two.svg")
    page.evaluate(SHOW, [files, json.dumps({"images": [{"shapes": 1}, {"shapes": 2, "bytes": 12_345}]})])
    view = page.locator("[data-vectrahub=svg-view]")
    figures = view.locator("[data-vectrahub=figures]")
    assert figures.text_content() == "1 shape"
    view.get_by_title("Next drawing").dispatch_event("click")
    assert figures.text_content() == "2 shapes \u00b7 12.3 kB"
    with page.expect_download() as download:
        view.get_by_title("Download this drawing").dispatch_event("click")
    assert download.value.suggested_filename == "two.svg"
    assert page.evaluate("window.owned") is None


def test_the_wheel_zooms_and_a_double_click_fits(page: Any, host: RunningHost) -> None:
    page.evaluate(SHOW, [saved(host, "zoom.svg"), "no json at all"])
    image = page.locator("[data-vectrahub=svg-view] img")
    stage = image.locator("..")
    width = "parseFloat(document.querySelector('[data-vectrahub=svg-view] img').style.width)"
    scale = page.evaluate("app.canvas.ds.scale")
    stage.dispatch_event("wheel", {"deltaY": -400, "clientX": 10, "clientY": 10})
    assert page.evaluate(width) > 200
    assert page.evaluate("app.canvas.ds.scale") == scale
    stage.dispatch_event("dblclick")
    assert page.evaluate(width) == 100


def test_a_result_from_before_comes_back(page: Any, host: RunningHost) -> None:
    """After a change of tab the front-end restores the outputs, but tells no node."""
    page.evaluate(
        """files => { const node = LiteGraph.createNode('VectraHub_SVGSave'); app.graph.add(node);
        app.nodeOutputs = {[node.id]: {images: files}}; app.canvas.setDirty(true, true); }""",
        saved(host, "before.svg"),
    )
    page.wait_for_selector("[data-vectrahub=svg-view] img[src*='before.svg']", state="attached")


def test_a_lost_file_is_said_so(page: Any) -> None:
    page.evaluate(SHOW, [[{"filename": "gone.svg", "subfolder": "", "type": "output"}], "{}"])
    page.get_by_text("The saved file is no longer there").wait_for(state="attached")


def test_a_removed_node_takes_its_view_along(page: Any, host: RunningHost) -> None:
    page.evaluate(SHOW, [saved(host, "bye.svg"), "{}"])
    page.evaluate("app.graph.remove(app.graph.nodes.find(node => node.type === 'VectraHub_SVGSave'))")
    page.wait_for_selector("[data-vectrahub=svg-view]", state="detached")
