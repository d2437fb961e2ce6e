"""OmniSVGGenerate in the real host: drawing, choosing, memory, cancel, preview; and the way of a logo past the gate.

The networks are tiny: one of random weights, and some that were taught one drawing each.
"""

from __future__ import annotations

import io
import itertools
import re
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vectrahub.engine.networks.omnisvg.drawing import decode
from vectrahub.engine.networks.omnisvg.picture import square
from vectrahub.engine.networks.omnisvg.vocabulary import BASES, Vocabulary
from vectrahub.engine.svg.render import over_ground, render
from vectrahub.tests.host.events import cancel, listen
from vectrahub.tests.host.runs import ID, Graph, Outcome, free, refusal, run, workflow
from vectrahub.tests.host_fixture import RunningHost, make_host
from vectrahub.tests.omnisvg_words import to_svg
from vectrahub.tests.tiny_omnisvg import make_endless, stream, teach, write_tiny_omnisvg
from vectrahub.vectrahub_client.host_config import HostConfig

pytestmark = pytest.mark.host

WORDS = Vocabulary(BASES[0])
LOGO = """
    M 0,0 30,30 L 170,30 L 170,170 L 30,170 Z 30,30 #E01
    M 0,0 100,50 C 130,50 150,70 150,100 C 150,130 130,150 100,150
        C 70,150 50,130 50,100 C 50,70 70,50 100,50 Z 100,50 #FFF
    M 0,0 100,70 A 30,30 0 1 1 100,130 L 70,100 Z 100,70 #14A
"""
BLACK = "M 0,0 0,0 L 199,0 L 199,199 L 0,199 Z 0,0 #000"
NOTHING = "M 0,0 30,30 L 170,30 L 170,170 Z 30,30 none"
OTHER = "M 0,0 10,100 L 100,190 L 190,100 L 100,10 Z 10,100 #2A3"
_seeds = itertools.count(1)  # the host caches what it has computed


def art() -> np.ndarray:
    """What LOGO shows, 400 x 400 over white."""
    svg = to_svg(decode(stream(WORDS, LOGO), WORDS))
    return over_ground(render(svg, 400, 400))


@pytest.fixture(scope="module")
def models(host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host with tiny models: `random`, `endless`, and `good`, `black`, `nothing`, `other`, which know one drawing."""
    running = make_host(host_config, tmp_path_factory.mktemp("omnisvg-host"), ["wants_room", "odd_batches"])
    folder = running.models / "omnisvg"
    Image.fromarray(art()).save(running.input / "logo.png")
    seen = square(art()).pixels
    write_tiny_omnisvg(folder / "random")
    make_endless(write_tiny_omnisvg(folder / "endless"))
    for name, text in {"good": LOGO, "black": BLACK, "nothing": NOTHING, "other": OTHER}.items():
        teach(write_tiny_omnisvg(folder / name, safetensors=True), stream(WORDS, text), picture=seen)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def draw(model: str = "random", image: Any = None, **inputs: object) -> Graph:
    """LoadImage -> OmniSVGGenerate -> SVGSave, under the shipped workflow's titles."""
    inputs = {"candidates": 2, "seed": next(_seeds), "model": model, **inputs}
    if "prompt" not in inputs:
        inputs |= {"image": image or [ID["Image"], 0]}
    save = {"svg": [ID["OmniSVG"], 0], "filename_prefix": "vectrahub/drawing", "include_workflow": False}
    kinds = {
        "Image": ("LoadImage", {"image": "logo.png"}),
        "OmniSVG": ("VectraHub_OmniSVGGenerate", inputs),
        "Save": ("VectraHub_SVGSave", save),
    }
    return {ID[t]: {"class_type": kind, "inputs": i, "_meta": {"title": t}} for t, (kind, i) in kinds.items()}


def vectorize(model: str, **settings: object) -> Graph:
    return workflow(
        **{
            "Image__image": "logo.png",
            "Route__force": "logo",
            "OmniSVG__model": model,
            "OmniSVG__candidates": 1,
            **settings,
        }
    )


def renamed(host: RunningHost, model: str) -> str:
    """The logo under another name: what was traced for another test is cached, and would not run."""
    name = f"logo for {model}.png"
    (host.input / name).write_bytes((host.input / "logo.png").read_bytes())
    return name


def loads(host: RunningHost, model: str) -> int:
    return host.log.read_text(errors="replace").count(f"loading OmniSVG from {model}")


# Drawing


def test_an_image_becomes_a_drawing_in_its_coordinates(models: RunningHost) -> None:
    Image.fromarray(art()[100:300]).save(models.input / "wide.png")
    graph = draw(candidates=3)
    graph[ID["Image"]]["inputs"]["image"] = "wide.png"
    done = run(models, graph)
    (svg,) = done.svgs
    assert b'viewBox="0 0 400 200"' in svg
    report = done.report("OmniSVG")
    likeness = [candidate["likeness"] for candidate in report["candidates"]]
    assert len(likeness) == 3 and report["best"] == int(np.argmax(likeness))
    assert {"mean_de", "ssim", "edges", "tokens", "finished"} <= set(report["candidates"][report["best"]])
    assert report["engine"] == "random"


def test_one_seed_gives_the_same_bytes(models: RunningHost) -> None:
    first = run(models, draw(seed=77)).svgs
    free(models, unload_models=True, free_memory=True)
    assert run(models, draw(seed=77)).svgs == first
    assert run(models, draw(seed=78)).svgs != first


@pytest.mark.parametrize("style", ["icon", "illustration"])
def test_a_prompt_becomes_a_drawing(models: RunningHost, style: str) -> None:
    done = run(models, draw(prompt="a red circle", style=style))
    assert b'viewBox="0 0 200 200"' in done.svgs[0]
    assert len(done.report("OmniSVG")["candidates"]) == 2


def test_every_image_of_a_batch_is_drawn(models: RunningHost) -> None:
    graph = draw(image=["90", 0], candidates=1)
    inputs = {"count": 3, "width": 60, "height": 40}
    graph["90"] = {"class_type": "VectraHubTest_Batch", "inputs": inputs, "_meta": {"title": "Batch"}}
    assert len(run(models, graph).svgs) == 3


def test_both_or_neither(models: RunningHost) -> None:
    both = draw(prompt="a fox", image=[ID["Image"], 0])
    both[ID["OmniSVG"]]["inputs"]["image"] = [ID["Image"], 0]
    assert "got both" in run(models, both).error
    assert "got neither" in run(models, draw(prompt="  ")).error


def test_without_weights_the_error_says_what_to_do(host: RunningHost) -> None:
    error = run(host, draw("auto", prompt="a fox")).error
    assert "OmniSVGGenerate" in error
    for part in ("models/omnisvg", "17.2 GB", "Apache-2.0", "python install.py models get omnisvg-8b"):
        assert part in error


def test_progress_shows_the_drawing_so_far(models: RunningHost) -> None:
    heard = listen(models, draw("endless", candidates=2, max_tokens=384))
    assert {title for title, _ in heard.previews} == {"OmniSVG"}
    picture = Image.open(io.BytesIO(heard.previews[-1][1]))
    assert max(picture.size) == 256
    assert len(np.unique(np.asarray(picture.convert("L")))) > 2


def test_cancel_in_the_middle(models: RunningHost) -> None:
    run(models, draw("endless", candidates=1, max_tokens=256))  # loaded
    cancel(models, draw("endless", candidates=8, max_tokens=2048), ID["OmniSVG"])
    assert run(models, draw()).svgs


# Memory


def test_it_stays_loaded_until_the_host_wants_the_room(models: RunningHost) -> None:
    run(models, draw("random"))
    before = loads(models, "random")
    run(models, draw("random"))
    assert loads(models, "random") == before

    free(models, unload_models=True)
    run(models, draw("random"))
    assert loads(models, "random") == before + 1

    room = draw("random", image=["90", 0])
    image = {"image": [ID["Image"], 0]}
    room["90"] = {"class_type": "VectraHubTest_WantsRoom", "inputs": image, "_meta": {"title": "Room"}}
    assert run(models, room).svgs
    assert loads(models, "random") == before + 2


# The way of a logo


def candidate(done: Outcome) -> dict[str, Any]:
    return done.report("Gate")["candidate"]


def test_an_illustration_never_runs_it(models: RunningHost) -> None:
    name = renamed(models, "an illustration")
    heard = listen(models, vectorize("good", Route__force="illustration", Image__image=name))
    assert heard.outcome.svgs
    assert "OmniSVG" not in heard.ran and "Trace" in heard.ran
    assert "candidate" not in heard.outcome.report("Gate")


def test_a_good_candidate_never_runs_the_tracer(models: RunningHost) -> None:
    heard = listen(models, vectorize("good", Image__image=renamed(models, "good")))
    report = heard.outcome.report("Gate")
    assert report["which"] == "candidate", report
    assert {"OmniSVG", "Palette", "Gate"} <= set(heard.ran)
    assert "Trace" not in heard.ran
    shown = heard.outcome.rendered(400, 400)
    assert np.abs(over_ground(shown).astype(int) - art()).mean() < 3


@pytest.mark.parametrize(
    ("model", "failed"), [("black", "uniform"), ("nothing", "elements"), ("other", "color"), ("random", None)]
)
def test_a_bad_candidate_falls_back(models: RunningHost, model: str, failed: str | None) -> None:
    heard = listen(models, vectorize(model, Image__image=renamed(models, model)))
    assert heard.ran.index("OmniSVG") < heard.ran.index("Trace")
    report = heard.outcome.report("Gate")
    assert report["which"] == "fallback" and report["passed"]
    assert not report["candidate"]["passed"]
    assert failed in (None, report["candidate"]["failed_test"])
    assert re.search(r"\d", report["candidate"]["reason"])


def test_without_weights_the_trace_is_taken(host: RunningHost, models: RunningHost) -> None:
    (host.input / "logo.png").write_bytes((models.input / "logo.png").read_bytes())
    heard = listen(host, vectorize("auto"))
    assert heard.outcome.report("Gate")["which"] == "fallback"
    assert candidate(heard.outcome)["failed_test"] == "none"
    assert "no OmniSVG in models/omnisvg" in heard.outcome.report("OmniSVG")["reason"]
    assert "Trace" in heard.ran


def test_weights_without_the_files_beside_them_fall_back(models: RunningHost) -> None:
    half = models.models / "omnisvg" / "half"
    half.mkdir()
    (half / "model.safetensors").symlink_to(models.models / "omnisvg" / "good" / "model.safetensors")
    try:
        heard = listen(models, vectorize("half", Image__image=renamed(models, "half")))
        assert heard.outcome.report("Gate")["which"] == "fallback"
        assert "config.json" in heard.outcome.report("OmniSVG")["reason"]
        assert "config.json" in run(models, draw("half")).error
    finally:
        shutil.rmtree(half)


def test_a_model_that_is_not_there_is_refused_before_anything_runs(models: RunningHost) -> None:
    assert "gone" in refusal(models, draw("gone"))


def test_auto_finds_the_weights(models: RunningHost) -> None:
    report = run(models, draw("auto", max_tokens=256)).report("OmniSVG")
    assert report["engine"] in {"good", "black", "nothing", "other", "random", "endless"}
    assert report["reason"].startswith("auto")
