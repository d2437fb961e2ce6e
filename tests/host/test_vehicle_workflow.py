"""A photo through the whole shipped workflow in the real host, on stand-ins for its large networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.host.events import listen
from vectrahub.tests.host.runs import Graph, Outcome, run
from vectrahub.tests.host.vehicle_graphs import (
    MAGENTA,
    PHASES,
    drawing,
    fills,
    phases,
    photo,
    rendered,
    said,
    vehicle,
)
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.tiny_lama import write_lama
from vectrahub.vectrahub_client import Client
from vectrahub.vectrahub_client._graph_edit import without_previews
from vectrahub.vectrahub_client.warmup import make_small

pytestmark = pytest.mark.host

PALETTE = "#E01E1E, #FFFFFF, #202020"


@pytest.fixture(scope="module")
def car(host: RunningHost) -> Iterator[str]:
    folder = host.models / "inpaint"
    folder.mkdir(parents=True, exist_ok=True)
    network = write_lama(folder / "big-lama.safetensors")
    yield photo(host, "car.png")
    network.unlink()


def test_from_photo_to_drawing(host: RunningHost, car: str) -> None:
    """The sampler loses the silhouette twice; the plate is only seen at a lower threshold."""
    graph = vehicle(car, enough=0.8, SAM3__confidence=0.45, Palette__palette=PALETTE, Outline__centrelines=True)
    seen(graph)
    heard = listen(host, graph, 200)
    svg = drawing(heard.outcome, graph)
    assert fills(svg) == {"#E01E1E"}, "the white ground is taken off, the unused colour is not drawn"
    assert said(heard.outcome, graph, "Palette")["unused"] == ["#202020"]
    assert said(heard.outcome, graph, "Gate")["chosen"] == 3
    assert said(heard.outcome, graph, "Found")["which"] == 2
    assert "Detect lowest" not in heard.ran
    rows = phases(heard.outcome, graph)
    assert list(rows) == ["sanitize", "stylize", "quantize", "vectorize"]
    assert all(row["enabled"] and row["ms"] > 0 and row["report"] for row in rows.values())
    picture = rendered(svg, 320, 192)
    inside, outside = picture[96, 160], picture[20, 20]
    assert tuple(inside[:3]) == (0xE0, 0x1E, 0x1E) and inside[3] == 255
    assert outside[3] == 0
    without_plate(pixels(host.input / car), pixels(shown(heard.outcome)))
    (preview,) = heard.outcome.entry["outputs"][_id(graph, "Save preview")]["images"]
    assert Image.open(host.output / preview["subfolder"] / preview["filename"]).mode == "RGBA"


def test_nothing_found_is_the_original_and_says_so(host: RunningHost) -> None:
    """LaMa's file is no file that could be loaded: it is not even asked for."""
    (host.models / "inpaint").mkdir(parents=True, exist_ok=True)
    (host.models / "inpaint" / "lama_broken.safetensors").write_bytes(b"no weights")
    name = photo(host, "no_plate.png", plate=False)
    graph = vehicle(name, off=("Stylize", "Quantize", "Vectorize"), Inpaint__model="lama_broken.safetensors")
    seen(graph)
    outcome = run(host, graph, 200)
    assert said(outcome, graph, "Found")["which"] == 0
    assert "nothing" in str(said(outcome, graph, "Inpaint")).lower()
    assert (pixels(shown(outcome)) == pixels(host.input / name)).all()
    (host.models / "inpaint" / "lama_broken.safetensors").unlink()


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_can_be_left_out(host: RunningHost, car: str, phase: str) -> None:
    off = ("Sanitize",) if phase == "Sanitize" else ("Sanitize", phase)  # LaMa takes seconds on a processor
    graph = vehicle(car, off=off, Palette__palette=PALETTE)
    heard = listen(host, graph, 200)
    assert heard.outcome.problem is None, heard.outcome.error
    own = {"Sanitize": "Inpaint", "Stylize": "Sample", "Quantize": "Palette", "Vectorize": "Trace"}[phase]
    assert own not in heard.ran
    assert (_id(graph, "Save SVG") in heard.outcome.entry["outputs"]) == (phase != "Vectorize")
    named = [name for name, row in phases(heard.outcome, graph).items() if not row["enabled"]]
    assert named == [title.lower() for title in off]


def test_a_vehicle_that_fills_the_frame(host: RunningHost) -> None:
    """Foreground everywhere but in the corner, in the photo and in what is made of it."""
    full = np.full((192, 320, 3), (225, 30, 30), np.uint8)
    full[:2, :2] = 255
    Image.fromarray(full).save(host.input / "full_frame.png")
    graph = vehicle("full_frame.png", Palette__palette=PALETTE, off=("Sanitize",))
    cut_short = run(host, graph, 200)
    report = said(cut_short, graph, "Gate")
    assert not report["passed"] and report["attempts"][0]["iou"][0] == pytest.approx(0.25, abs=0.02)
    graph[_id(graph, "Result silhouette")]["inputs"]["image"] = [_id(graph, "Fit"), 0]
    report = said(run(host, graph, 200), graph, "Gate")
    assert report["passed"] and report["iou"] == pytest.approx(1.0, abs=0.01)


def test_a_grey_photo(host: RunningHost) -> None:
    """Its silhouette is a real mask, not what is darker than some grey; colours come only from the palette."""
    Image.open(host.input / photo(host, "colored.png", plate=False)).convert("L").save(host.input / "grey.png")
    graph = vehicle("grey.png", off=("Sanitize",), Palette__palette="#000000, #808080, #E01E1E, #FFFFFF")
    outcome = run(host, graph, 200)
    report = said(outcome, graph, "Gate")
    assert report["passed"] and report["attempts"][0]["original"][0] == pytest.approx(0.25, abs=0.02)
    assert said(outcome, graph, "De-shine")
    assert fills(drawing(outcome, graph)) == {"#E01E1E"}


def test_several_photos_at_once(host: RunningHost) -> None:
    graph = vehicle(photo(host, "one.png", plate=False), off=("Sanitize",), Palette__palette=PALETTE)
    graph["twice"] = {
        "class_type": "RepeatImageBatch",
        "inputs": {"image": [_id(graph, "Photo"), 0], "amount": 2},
        "_meta": {"title": "Twice"},
    }
    graph[_id(graph, "Sanitize")]["inputs"]["before"] = ["twice", 0]
    heard = listen(host, graph, 200)
    assert heard.outcome.problem is None, heard.outcome.error
    assert len(heard.outcome.entry["outputs"][_id(graph, "Save SVG")]["images"]) == 2


def test_a_warm_up_samples_once_and_saves_nothing(host: RunningHost) -> None:
    """Its drawing keeps no silhouette, and that is no reason to sample again or to fail."""
    graph = without_previews(vehicle("example.png", enough=2.0))
    with Client(host.url) as client:
        make_small(graph, photo(host, "warm.png", (256, 256), plate=False), "", 1, client.schema)
    heard = listen(host, graph, 100)
    assert heard.outcome.problem is None, heard.outcome.error
    assert heard.ran.count("Sample") == 1
    assert not any("images" in output for output in heard.outcome.entry["outputs"].values())


def without_plate(before: np.ndarray, after: np.ndarray) -> None:
    """A random network paints something, but not what was there; beside it nothing is touched."""
    plate = (before == MAGENTA).all(axis=2)
    assert np.abs(after[plate].astype(int) - MAGENTA).max(axis=1).min() > 30
    ys, xs = np.where(plate)
    far = np.ones(plate.shape, bool)
    far[ys.min() - 8 : ys.max() + 9, xs.min() - 8 : xs.max() + 9] = False
    assert (after[far] == before[far]).all(), "bit for bit what it was"


def seen(graph: Graph) -> None:
    """Save what phase 1 gives, too."""
    inputs = {"images": [_id(graph, "Sanitize"), 0], "filename_prefix": "sanitized"}
    graph["seen"] = {"class_type": "SaveImage", "inputs": inputs, "_meta": {"title": "Seen"}}


def shown(outcome: Outcome) -> Path:
    assert outcome.problem is None, outcome.error
    (file,) = outcome.entry["outputs"]["seen"]["images"]
    return outcome.host.output / file["filename"]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def _id(graph: Graph, title: str) -> str:
    return next(number for number, node in graph.items() if node["_meta"]["title"] == title)
