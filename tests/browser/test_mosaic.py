"""The mosaic editor of Tile Plan in the real front-end: what is clicked and typed there is in the next run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from vectrahub.engine.raster.tiles.grid import tile_grid
from vectrahub.engine.raster.tiles.plan import MAX_SEED, TilePlan, TileWork, make_plan, plan_json
from vectrahub.tests.browser.conftest import settle
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.browser

# A 200 x 150 picture in 3 x 4 tiles, with a caption each.
BUILD = """async edits => {
  const make = (type, pos, values) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = pos;
    for (const widget of node.widgets) if (widget.name in values) widget.value = values[widget.name];
    return node;
  };
  const image = make('LoadImage', [0, 60], {image: 'tiles.png'});
  const split = make('VectraHub_TileSplit', [350, 60], {upscale: 'none', tile: 64, overlap: 8});
  const words = make('VectraHubTest_Captions', [350, 500], {more: 0});
  const plan = make('VectraHub_TilePlan', [750, 60], {prompt: '', negative: '', edits});
  const text = make('PreviewAny', [1300, 60], {});
  const link = (from, output, to, name) =>
    from.connect(output, to, to.inputs.findIndex(input => input.name === name));
  link(image, 0, split, 'image');
  link(split, 0, plan, 'tiles');
  link(split, 1, plan, 'grid');
  link(split, 1, words, 'grid');
  link(words, 0, plan, 'captions');
  link(plan, 1, text, 'source');
  Object.assign(app.canvas.ds, {scale: 1, offset: [0, 40]});
  app.canvas.setDirty(true, true);
}"""
WATCH = """async () => {
  const { api } = await import('/scripts/api.js');
  window.ended = new Promise(done => { for (const event of ['execution_success', 'execution_error'])
    api.addEventListener(event, message => done(message.detail.exception_message ?? ''), {once: true}); });
  await app.queuePrompt(0, 1);
}"""
NODE = "app.graph.nodes.find(node => node.type === 'VectraHub_TilePlan')"
EDITS = {
    "rows": 3,
    "columns": 4,
    "tiles": [{"row": 0, "column": 1, "denoise": 0.5}, {"row": 2, "column": 3, "skip": True}],
}


@pytest.fixture
def build(page: Any, host: RunningHost) -> Iterator[Any]:
    """Puts the graph on the page, with these edits in the node."""
    Image.linear_gradient("L").resize((200, 150)).save(host.input / "tiles.png")

    def put(edits: str = "") -> Any:
        page.evaluate(BUILD, edits)
        reload(page)  # a workflow gets its id when it is loaded
        page.locator(".vh-tiles").wait_for(state="attached")
        return page

    yield put
    # Edits of which the front-end keeps no copy for the next node with the same number.
    page.evaluate(f"() => {{ const node = {NODE}; node.widgets.find(w => w.name === 'edits').value = ''; }}")


def run(page: Any) -> str:
    """Run the graph; gives the error's text, empty when it went well."""
    page.evaluate(WATCH)
    return page.evaluate("window.ended")


def edits(page: Any) -> Any:
    """What the front-end would send."""
    body = page.evaluate("async () => (await app.graphToPrompt()).output")
    (text,) = (node["inputs"]["edits"] for node in body.values() if node["class_type"] == "VectraHub_TilePlan")
    return json.loads(text or "{}")


def tile(page: Any, number: int) -> Any:
    return page.locator(f".vh-tile[data-index='{number - 1}']")


def labels(page: Any) -> list[str]:
    return page.eval_on_selector_all(".vh-tile", "tiles => tiles.map(tile => tile.getAttribute('aria-label'))")


def reload(page: Any) -> None:
    page.evaluate("async () => await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())))")


@pytest.mark.parametrize("modern", [False, True], ids=["canvas", "vue"])
def test_a_tile_is_clicked_and_edited_and_the_run_has_it(page: Any, build: Any, modern: bool) -> None:
    page.evaluate("async on => await app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", modern)
    try:
        build()
        page.get_by_text("Run once to see the tiles").wait_for()
        assert run(page) == ""
        page.locator(".vh-pictured").wait_for()
        tile(page, 6).click()
        field = page.get_by_label("Prompt of this tile")
        assert field.get_attribute("placeholder") == "caption 6"
        field.fill('a "red" door')
        page.get_by_label("Denoise, as a number").fill("0.6")
        page.get_by_label("Seed").fill(str(MAX_SEED))
        tile(page, 7).click()
        page.get_by_label("Refine this tile").uncheck()
        own = {"row": 1, "column": 1, "prompt": 'a "red" door', "denoise": 0.6, "seed": MAX_SEED}
        wanted = {"rows": 3, "columns": 4, "tiles": [own, {"row": 1, "column": 2, "skip": True}]}
        assert edits(page) == wanted
        assert run(page) == ""
        plan = json.loads(
            page.evaluate("app.nodeOutputs[app.graph.nodes.find(n => n.type === 'PreviewAny').id].text[0]")
        )
        assert {**plan["tiles"][5], "caption": ""} == {**own, "skip": False, "caption": ""}
        assert [number for number, one in enumerate(plan["tiles"], 1) if one["skip"]] == [7]
        reload(page)
        assert edits(page) == wanted
        page.locator(".vh-pictured").wait_for()  # the last run's thumbnails too
        assert labels(page)[5:7] == ["Tile 6, row 2, column 2, edited", "Tile 7, row 2, column 3, off"]
        page.get_by_text("3 \u00d7 4 tiles \u00b7 1 off \u00b7 1 edited").wait_for()
    finally:
        page.evaluate("async () => await app.extensionManager.setting.set('Comfy.VueNodes.Enabled', false)")


def test_the_keyboard_alone_is_enough(page: Any, build: Any) -> None:
    build(json.dumps(EDITS))
    page.evaluate(f"() => app.canvas.select({NODE})")
    tile(page, 1).click()
    for key in ("ArrowUp", "ArrowLeft", "ArrowRight", "ArrowDown", "Space", "End", "Home", "ArrowRight", "Space"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Tile 6, row 2, column 2"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Delete")  # resets the tile; the selected node is not deleted, moved or panned
    page.keyboard.press("Enter")
    page.keyboard.type("ab ")
    page.keyboard.press("Backspace")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.index") == "2"
    assert edits(page)["tiles"] == [{"row": 0, "column": 1, "prompt": "ab"}, {"row": 2, "column": 3, "skip": True}]
    assert page.evaluate(f"[[...{NODE}.pos], app.canvas.ds.scale, [...app.canvas.ds.offset]]") == [
        [750, 60],
        1,
        [0, 40],
    ]


def test_tiles_are_switched_reset_and_cleared(page: Any, build: Any) -> None:
    build(json.dumps(EDITS))
    page.get_by_role("button", name="All off").click()
    assert sum(one["skip"] for one in edits(page)["tiles"]) == 12
    page.get_by_role("button", name="All on").click()
    assert edits(page)["tiles"] == [{"row": 0, "column": 1, "denoise": 0.5}]
    tile(page, 2).click()
    same = page.get_by_role("button", name="Same as others")
    assert same.get_attribute("aria-pressed") == "false"
    page.get_by_role("button", name="Reset tile").click()
    assert same.get_attribute("aria-pressed") == "true" and edits(page) == {}
    same.click()
    assert edits(page)["tiles"] == [{"row": 0, "column": 1, "denoise": 0.35}]
    page.get_by_role("button", name="Clear edits").click()
    assert edits(page) == {}


def test_an_edit_is_undone_and_done_again(page: Any, build: Any) -> None:
    build(json.dumps(EDITS))
    page.evaluate("() => { app.canvas.emitBeforeChange(); app.canvas.emitAfterChange(); }")
    tile(page, 3).click()
    page.keyboard.press("Space")
    after = edits(page)
    assert len(after["tiles"]) == 3
    page.keyboard.press("Control+z")
    page.wait_for_function("document.querySelectorAll('.vh-tile.vh-off').length === 1")
    assert edits(page) == EDITS
    page.keyboard.press("Control+y")
    page.wait_for_function("document.querySelectorAll('.vh-tile.vh-off').length === 2")
    assert edits(page) == after


def test_another_grid_is_said_and_nothing_is_lost(page: Any, build: Any) -> None:
    build(json.dumps(EDITS))
    page.evaluate(
        "app.graph.nodes.find(n => n.type === 'VectraHub_TileSplit').widgets.find(w => w.name === 'tile').value = 128"
    )
    assert "3 x 4" in run(page)
    banner = page.locator(".vh-banner")
    banner.get_by_text("You edited 3 \u00d7 4 tiles, but the picture now has 2 \u00d7 2").wait_for()
    assert edits(page) == EDITS and page.get_by_label("Prompt of this tile").is_disabled()
    tile(page, 1).dispatch_event("keydown", {"key": " "})
    assert edits(page) == EDITS
    banner.get_by_role("button", name="Keep 1 of 2 edits").dispatch_event("click")
    assert edits(page) == {"rows": 2, "columns": 2, "tiles": [{"row": 0, "column": 1, "denoise": 0.5}]}
    assert banner.is_hidden() and run(page) == ""


def test_a_text_that_cannot_be_read_is_kept(page: Any, build: Any) -> None:
    build('{"tiles": [{"row": 0,')
    page.locator(".vh-banner").get_by_text("The edits cannot be read").wait_for()
    page.get_by_role("button", name="Edit as text").click()
    text = page.get_by_label("Edits as JSON")
    assert text.input_value() == '{"tiles": [{"row": 0,'
    text.fill(json.dumps(EDITS))
    page.get_by_role("button", name="Edit as text").click()
    assert labels(page)[11] == "Tile 12, row 3, column 4, off" and page.locator(".vh-banner").is_hidden()


def test_more_tiles_than_can_be_shown_are_said(page: Any, build: Any) -> None:
    build(json.dumps({**EDITS, "rows": 1_000_000, "columns": 1_000_000}))
    page.get_by_text("1000000 \u00d7 1000000 tiles are too many to show").wait_for()
    page.get_by_role("button", name="Clear edits").click()
    page.get_by_text("Run once to see the tiles").wait_for()
    assert edits(page) == {}


def test_connected_edits_are_not_overwritten(page: Any, build: Any) -> None:
    build()
    page.evaluate(
        f"""() => {{ const text = LiteGraph.createNode('PrimitiveStringMultiline'); app.graph.add(text);
        const node = {NODE}; text.connect(0, node, node.inputs.findIndex(input => input.name === 'edits')); }}"""
    )
    page.get_by_text("The edits come from the node that is connected to them").wait_for()
    assert page.get_by_role("button", name="Clear edits").is_disabled()


def test_the_wheel_and_the_middle_button_are_the_canvas_s(page: Any, build: Any) -> None:
    build(json.dumps(EDITS))
    box = tile(page, 1).bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.wheel(0, 200)
    page.wait_for_function("app.canvas.ds.scale < 1")
    left = page.evaluate("app.canvas.ds.offset[0]")
    page.mouse.down(button="middle")
    page.mouse.move(box["x"] + 49, box["y"] + 9, steps=3)
    page.mouse.up(button="middle")
    assert page.evaluate("app.canvas.ds.offset[0]") > left


@pytest.mark.parametrize("kind", ["VectraHub_TilePlan", "VectraHub_SVGSave"])
def test_the_side_panel_leaves_our_widgets_their_width(page: Any, kind: str) -> None:
    page.evaluate(
        """kind => { const node = LiteGraph.createNode(kind); app.graph.add(node); node.pos = [400, 100];
        Object.assign(app.canvas.ds, {scale: 1, offset: [0, 40]}); app.canvas.setDirty(true, true); }""",
        kind,
    )
    widget = page.locator("[data-vectrahub=tile-editor], [data-vectrahub=svg-view]")
    widget.wait_for()
    width = widget.bounding_box()["width"]
    panel = "async open => await app.extensionManager.setting.set('Comfy.RightSidePanel.IsOpen', open)"
    try:
        page.evaluate(panel, True)
        page.mouse.click(540, 125)
        page.get_by_text("Info", exact=True).first.wait_for()  # it shows the node
        settle(page)
        assert widget.bounding_box()["width"] == width > 300
    finally:
        page.evaluate(panel, False)


@pytest.mark.parametrize("seed", ["-1", "1e3", str(MAX_SEED + 1), "x"])
def test_a_seed_that_is_none_is_not_taken(page: Any, build: Any, seed: str) -> None:
    build(json.dumps(EDITS))
    field = page.get_by_label("Seed")
    field.fill(seed)
    assert field.get_attribute("aria-invalid") == "true" and edits(page) == EDITS
    field.blur()
    assert field.input_value() == ""


def test_what_the_editor_writes_is_the_plan_that_it_read(page: Any) -> None:
    chance = random.Random(2)
    grid = tile_grid(300, 200, 64, 8)
    words = ["", 'a "b" \\ c', "\u4e2d\U0001f600\ud800", "1234567890123456789", "\x00", "{}"]
    plans = [
        TilePlan(
            grid,
            chance.choice(words),
            chance.choice(words),
            tuple(
                TileWork(
                    chance.choice(words),
                    chance.choice([None, *words]),
                    chance.choice([None, 0.0, 1.0, chance.random()]),
                    chance.choice([None, 0, 2**53 + 1, MAX_SEED]),
                    chance.random() < 0.5,
                )
                for _ in range(grid.count)
            ),
        )
        for _ in range(20)
    ]
    texts = page.evaluate(
        """async plans => { const { Edits } = await import('/extensions/vectrahub/tile_edits.js');
        return plans.map(plan => new Edits(plan).text()); }""",
        [plan_json(plan) for plan in plans],
    )
    assert [make_plan(grid, edits=text) for text in texts] == plans
