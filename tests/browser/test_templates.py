"""The shipped templates in the real front-end: listed, complete, equal to their /prompt bodies, runnable."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from vectrahub.engine.networks.omnisvg.vocabulary import BASES, Vocabulary
from vectrahub.tests.host_fixture import ROOT, RunningHost
from vectrahub.tests.tiny_omnisvg import stream, teach, write_tiny_omnisvg

pytestmark = pytest.mark.browser

TEMPLATES = sorted((ROOT / "workflows").glob("*.json"))
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="32"><rect width="32" height="32" fill="#E30613"/></svg>'
)
PROMPT = "a red square"
SQUARE = "M 0,0 40,40 L 160,40 L 160,160 L 40,160 Z 40,40 #E01"


@pytest.fixture
def tiny_omnisvg(host: RunningHost, tmp_path: Path) -> Iterator[None]:
    """A network in the shared host that draws SQUARE for PROMPT; gone afterwards, lest other tests draw with it."""
    made = write_tiny_omnisvg(tmp_path / "tiny", safetensors=True)
    teach(made, stream(Vocabulary(BASES[0]), SQUARE), prompt=PROMPT)
    place = host.models / "omnisvg" / "tiny"
    shutil.copytree(made, place)
    try:
        yield
    finally:
        shutil.rmtree(place)


def load(page: Any, template: Path) -> None:
    page.evaluate("async text => await app.loadGraphData(JSON.parse(text))", template.read_text(encoding="utf-8"))


def body(page: Any) -> dict[str, Any]:
    return page.evaluate("async () => (await app.graphToPrompt()).output")


def run(page: Any) -> None:
    taken = page.evaluate("async () => await app.queuePrompt(0, 1)")
    assert taken, page.evaluate("JSON.stringify(app.lastNodeErrors)")


def without_order(graph: dict[str, Any]) -> dict[str, Any]:
    return {key: {name: node[name] for name in ("class_type", "inputs", "_meta")} for key, node in graph.items()}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_is_its_prompt_body(page: Any, template: Path) -> None:
    load(page, template)
    wanted = json.loads((template.parent / "api" / template.name).read_text(encoding="utf-8"))
    assert without_order(body(page)) == without_order(wanted)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_is_listed_with_its_picture(host: RunningHost, template: Path) -> None:
    assert template.stem in httpx.get(f"{host.url}/workflow_templates", timeout=60).json()["vectrahub"]
    base = f"{host.url}/api/workflow_templates/vectrahub/{template.stem}"
    assert httpx.get(f"{base}.json", timeout=60).json() == json.loads(template.read_text(encoding="utf-8"))
    assert httpx.get(f"{base}.jpg", timeout=60).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_survives_saving_and_loading(page: Any, template: Path) -> None:
    load(page, template)
    before = body(page)
    page.evaluate("async () => await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())))")
    assert body(page) == before
    missing = page.evaluate("app.graph.nodes.filter(node => !LiteGraph.registered_node_types[node.type]).length")
    assert missing == 0


def test_one_click_makes_a_drawing_and_shows_it(page: Any, host: RunningHost) -> None:
    load(page, ROOT / "workflows" / "vectorize.json")
    page.evaluate(
        "app.graph.nodes.find(node => node.title === 'Upscale').widgets.find(w => w.name === 'megapixels').value = 0.5"
    )
    run(page)
    image = page.wait_for_selector("[data-vectrahub=svg-view] img[src*='/view']", state="attached")
    page.wait_for_function("image => image.naturalWidth > 0", arg=image)
    figures = page.text_content("[data-vectrahub=figures]")
    assert "96 \u00d7 96 px" in figures and "segments" in figures and "bytes" in figures
    assert list((host.output / "vectrahub").glob("drawing_*.svg"))


def test_a_drawing_becomes_a_png(page: Any, host: RunningHost) -> None:
    (host.input / "drawing.svg").write_text(DRAWING)
    load(page, ROOT / "workflows" / "svg_to_png.json")
    run(page)
    page.wait_for_function("app.graph.nodes.find(node => node.title === 'Save').imgs?.length")
    picture = Image.open(next((host.output / "vectrahub").glob("render_*.png")))
    assert picture.size == (2048, 1024) and picture.mode == "RGBA"
    assert picture.getpixel((100, 100)) == (0xE3, 0x06, 0x13, 255) and picture.getpixel((1900, 100))[3] == 0


def test_words_become_a_drawing_that_is_shown_while_it_is_written(
    page: Any, host: RunningHost, tiny_omnisvg: None
) -> None:
    load(page, ROOT / "workflows" / "text_to_svg.json")
    page.evaluate(
        """prompt => { const node = app.graph.nodes.find(node => node.title === 'OmniSVG');
        node.widgets.find(widget => widget.name === 'prompt').value = prompt; }""",
        PROMPT,
    )
    run(page)
    image = page.wait_for_selector("[data-vectrahub=svg-view] img[src*='/view']", state="attached")
    page.wait_for_function("image => image.naturalWidth > 0", arg=image)
    assert "200 \u00d7 200 px \u00b7 1 colour \u00b7 1 shape" in page.text_content("[data-vectrahub=figures]")
    page.wait_for_function("app.graph.nodes.find(node => node.title === 'OmniSVG').imgs?.[0]?.naturalWidth === 256")


def test_without_weights_the_error_says_how_to_get_them(own_page: Any) -> None:
    load(own_page, ROOT / "workflows" / "text_to_svg.json")
    run(own_page)
    own_page.get_by_text("View details").click()
    told = re.compile(
        r"17\.2 GB, Apache-2\.0.* is not installed here\..*python install\.py models get omnisvg-8b", re.DOTALL
    )
    own_page.get_by_text(told).first.wait_for()
