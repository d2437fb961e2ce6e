"""Our nodes as a designer meets them: the menu, the sockets, the help, the preview."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from vectrahub.tests.browser.conftest import settle
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
    answer = httpx.get(f"{host.url}/extensions/vectrahub/docs/{node}.md", timeout=60)
    assert answer.status_code == 200
    assert answer.text == (ROOT / "js" / "docs" / f"{node}.md").read_text(encoding="utf-8")


def test_english_texts_are_served(host: RunningHost) -> None:
    texts = httpx.get(f"{host.url}/i18n", timeout=60).json()["en"]["nodeDefs"]
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


@pytest.mark.parametrize("modern", [False, True], ids=["canvas", "vue"])
def test_the_pointer_zooms_and_moves_in_both_kinds_of_node(page: Any, host: RunningHost, modern: bool) -> None:
    page.evaluate("async on => await app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", modern)
    try:
        page.evaluate(SHOW, [saved(host, "hand.svg"), "{}"])
        page.evaluate(
            """() => { app.graph.nodes[0].pos = [300, 250]; Object.assign(app.canvas.ds, {scale: 1, offset: [100, 0]});
            app.canvas.setDirty(true, true); document.activeElement?.blur(); }"""
        )
        settle(page)
        stage = page.locator("[data-vectrahub=svg-view] img").locator("..")
        box = stage.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 3, y)
        page.mouse.move(x, y)
        page.mouse.wheel(0, -600)
        style = "document.querySelector('[data-vectrahub=svg-view] img').style"
        page.wait_for_function(f"parseFloat({style}.width) > 200")
        left = page.evaluate(f"parseFloat({style}.left)")
        page.mouse.down()
        page.mouse.move(x + 20, y, steps=3)
        page.mouse.up()
        assert page.evaluate(f"parseFloat({style}.left)") == pytest.approx(left + 20, abs=2)
        assert page.evaluate("[app.canvas.ds.scale, [...app.graph.nodes[0].pos]]") == [1, [300, 250]]
    finally:
        page.evaluate("async () => await app.extensionManager.setting.set('Comfy.VueNodes.Enabled', false)")


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
