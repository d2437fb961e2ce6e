"""LogoPrompt, LogoCanvas and LogoSizes on the real host."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from vectrahub.engine.logo.styles import shipped_styles
from vectrahub.tests.host.runs import Outcome, post, run
from vectrahub.tests.host_fixture import ROOT, RunningHost

pytestmark = pytest.mark.host

RED = (227, 6, 19)


def core(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def prompt_graph(**inputs: Any) -> dict[str, Any]:
    given = {"prompt": "A paper plane over a rising sun", "style": "minimal", "logo_type": "auto", **inputs}
    return {
        "1": core("VectraHub_LogoPrompt", **given),
        "2": core("PreviewAny", source=["1", 0]),
    }


def sizes_graph(source: dict[str, Any], sizes: str, masked: bool = True, prefix: str = "logo") -> dict[str, Any]:
    mask = {"mask": ["1", 1]} if masked else {}
    return {
        "1": source,
        "2": core("VectraHub_LogoSizes", image=["1", 0], sizes=sizes, **mask),
        "3": core("JoinImageWithAlpha", image=["2", 0], alpha=["2", 1]),
        "4": core("SaveImage", images=["3", 0], filename_prefix=prefix),
    }


def report(outcome: Outcome, node: str = "2") -> list[dict[str, Any]]:
    assert outcome.problem is None, outcome.problem
    return json.loads(outcome.entry["outputs"][node]["vectrahub_report"][0])["images"]


def said(outcome: Outcome) -> str:
    """The prompt as the next node gets it."""
    assert outcome.problem is None, outcome.problem
    return outcome.entry["outputs"]["2"]["text"][0]


def saved(outcome: Outcome) -> list[tuple[str, np.ndarray]]:
    """Path below the output folder and (H, W, 4) bytes, as saved; the files are RGBA."""
    assert outcome.problem is None, outcome.problem
    files = []
    for file in outcome.entry["outputs"]["4"]["images"]:
        with Image.open(outcome.host.output / file["subfolder"] / file["filename"]) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGBA")
            files.append((f"{file['subfolder']}/{file['filename']}", np.asarray(picture)))
    return files


def drawing(host: RunningHost, width: int, height: int) -> dict[str, Any]:
    """A red disc, as wide as the picture is high, on transparency that hides green."""
    y, x = np.mgrid[:height, :width]
    inside = (x - width / 2 + 0.5) ** 2 + (y - height / 2 + 0.5) ** 2 < (min(width, height) / 2) ** 2
    pixels = np.where(inside[..., None], (*RED, 255), (0, 255, 0, 0)).astype(np.uint8)
    name = f"disc {uuid.uuid4().hex[:8]}.png"
    Image.fromarray(pixels, "RGBA").save(host.input / name)
    return core("LoadImage", image=name)


# LogoSizes


def test_each_size_is_saved_with_its_name_and_alpha(host: RunningHost) -> None:
    folder = uuid.uuid4().hex[:8]
    outcome = run(host, sizes_graph(drawing(host, 120, 80), "64, 16,200", prefix=f"{folder}/logo_%width%"))
    files = saved(outcome)
    assert [name for name, _pixels in files] == [f"{folder}/logo_{side}_00001_.png" for side in (64, 16, 200)]
    assert [pixels.shape for _name, pixels in files] == [(side, side, 4) for side in (64, 16, 200)]
    for _name, pixels in files:
        side = len(pixels)
        alpha = pixels[..., 3]
        assert alpha[side // 2, side // 2] >= 254 and alpha[0, side // 2] == alpha[side // 2, 0] == 0
        assert abs(alpha.mean() / 255 - np.pi / 4 * (80 / 120) ** 2) < 0.02  # the disc's share of the square
        assert np.abs(pixels[alpha > 0][:, :3].astype(int) - RED).max() <= 3  # no green bled in
    assert report(outcome) == [{"size_in": [120, 80], "sizes": [64, 16, 200], "enlarged": [200], "centered": True}]


def test_of_a_batch_the_first_comes_in_all_sizes_then_the_next(host: RunningHost) -> None:
    body = sizes_graph(core("EmptyImage", width=32, height=32, batch_size=1, color=0xE30613), "16,8", masked=False)
    body["5"] = core("EmptyImage", width=32, height=32, batch_size=1, color=0x1A4F9C)
    body["6"] = core("ImageBatch", image1=["1", 0], image2=["5", 0])
    body["2"]["inputs"]["image"] = ["6", 0]
    outcome = run(host, body)
    found = [(len(pixels), "red" if pixels[0, 0, 0] > 200 else "blue") for _name, pixels in saved(outcome)]
    assert found == [(16, "red"), (8, "red"), (16, "blue"), (8, "blue")]
    assert all((pixels[..., 3] == 255).all() for _name, pixels in saved(outcome))
    assert [one["enlarged"] for one in report(outcome)] == [[], []]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_a_picture_of_one_pixel_or_line(host: RunningHost, size: tuple[int, int]) -> None:
    width, height = size
    source = core("EmptyImage", width=width, height=height, batch_size=1, color=0xE30613)
    ((_name, pixels),) = saved(run(host, sizes_graph(source, "[8]", masked=False)))
    assert pixels.shape == (8, 8, 4) and (pixels[..., 3] == 255).sum() in (8, 64)


def test_more_than_fits_into_memory_is_refused(host: RunningHost) -> None:
    source = core("EmptyImage", width=8, height=8, batch_size=1, color=0)
    sizes = ",".join(map(str, range(4065, 4097)))
    outcome = run(host, sizes_graph(source, sizes, masked=False))
    assert outcome.error.startswith("2 VectraHub_LogoSizes: ") and "allowed 128 million" in outcome.error


# LogoCanvas


@pytest.mark.parametrize(("sizes", "side"), [("256, 512,1024", 1024), ("[1500]", 1504), ("4096", 2048)])
def test_the_canvas_feeds_what_generates_and_what_resizes(host: RunningHost, sizes: str, side: int) -> None:
    body = {
        "1": core("VectraHub_LogoCanvas", sizes=sizes),
        "2": core("EmptyLatentImage", width=["1", 0], height=["1", 0], batch_size=1),
        "3": core("EmptyImage", width=["1", 0], height=8, batch_size=1, color=0),
        "4": core("VectraHub_LogoSizes", image=["3", 0], sizes=["1", 1]),
        "5": core("SaveLatent", samples=["2", 0], filename_prefix="x/latent"),
        "6": core("PreviewImage", images=["4", 0]),
    }
    (figures,) = report(run(host, body), "4")
    assert figures["size_in"][0] == side and figures["sizes"] == [int(word) for word in sizes.strip("[]").split(",")]


@pytest.mark.parametrize(
    "sizes", ["", "[]", "[0]", "[99999]", "abc", "256, 25.5", "7", ",".join(map(str, range(8, 41)))]
)
@pytest.mark.parametrize("node", ["VectraHub_LogoCanvas", "VectraHub_LogoSizes"])
def test_sizes_that_are_none(host: RunningHost, node: str, sizes: str) -> None:
    image = {"image": ["1", 0]} if node.endswith("Sizes") else {}
    body = {
        "1": core("EmptyImage", width=8, height=8, batch_size=1, color=0),
        "2": core(node, sizes=sizes, **image),
        "3": core("PreviewAny", source=["2", 1]),
    }
    outcome = run(host, body)
    assert outcome.error.startswith(f"2 {node}: ") and "allowed" in outcome.error and "256, 512, 1024" in outcome.error


def test_too_much_is_refused_before_anything_is_generated(host: RunningHost) -> None:
    body = {
        "2": core("VectraHub_LogoCanvas", sizes=",".join(map(str, range(4089, 4097)))),
        "3": core("PreviewAny", source=["2", 0]),
    }
    error = run(host, body).error
    assert "134.0 million pixels" in error and "128 million" in error and "Fewer or smaller sizes" in error


# LogoPrompt


def test_the_prompt_and_what_was_decided(host: RunningHost) -> None:
    outcome = run(host, prompt_graph(style="line", business_name="Acme", colors="#0A84FF, warm orange"))
    (figures,) = report(outcome, "1")
    assert figures.pop("prompt") == said(outcome)
    assert figures == {
        "style": "line",
        "logo_type": "combination",
        "lettering": "Acme",
        "colors": ["dodger blue #0A84FF", "warm orange"],
        "ground": "white",
    }


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"prompt": "xy"}, "got 2 characters, allowed 3 to 500"),
        ({"prompt": "x" * 5000}, "got 5000 characters, allowed 3 to 500"),
        ({"prompt": ""}, "got 0 characters"),
        ({"logo_type": "wordmark"}, "business_name"),
        ({"business_name": "x" * 61}, "61 characters"),
        ({"colors": "red, #12"}, "'#12'"),
    ],
)
def test_words_that_cannot_be_used(host: RunningHost, inputs: dict[str, Any], named: str) -> None:
    outcome = run(host, prompt_graph(**inputs))
    assert outcome.error.startswith("1 VectraHub_LogoPrompt: ") and named in outcome.error


def test_brackets_of_a_name_reach_the_encoder_escaped_and_the_report_plain(host: RunningHost) -> None:
    outcome = run(host, prompt_graph(prompt="a (red:1.4) fox", business_name="Fox (Berlin)"))
    assert said(outcome).startswith("a (red:1.4) fox. ") and r'"Fox \(Berlin\)"' in said(outcome)
    (figures,) = report(outcome, "1")
    assert figures["lettering"] == "Fox (Berlin)" and '"Fox (Berlin)"' in figures["prompt"]


@pytest.mark.parametrize("inputs", [{"style": "baroque"}, {"style": 3}, {"logo_type": "sticker"}])
def test_choices_outside_the_lists_are_refused(host: RunningHost, inputs: dict[str, Any]) -> None:
    answer = post(host, prompt_graph(**inputs))
    assert answer.status_code == 400
    assert ("minimal" if "style" in inputs else "wordmark") in answer.text


# A person's own styles


@pytest.fixture
def own(host: RunningHost) -> Iterator[Path]:
    """Where they are written; removed afterwards."""
    file = host.base / "user" / "vectrahub" / "logo_styles.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    yield file
    file.unlink(missing_ok=True)


def options(host: RunningHost) -> list[str]:
    """What the front-end asks for on R."""
    info = httpx.get(f"{host.url}/object_info", timeout=60, trust_env=False).json()["VectraHub_LogoPrompt"]
    kind, settings = info["input"]["required"]["style"]
    return settings["options"] if kind == "COMBO" else kind


def test_own_styles_are_offered_at_once_and_a_change_is_seen(host: RunningHost, own: Path) -> None:
    own.write_text('[house]\nphrases = ["It has round corners"]\n')
    assert options(host) == [*shipped_styles(), "house"]
    assert "It has round corners. " in said(run(host, prompt_graph(style="house")))
    own.write_text('[house]\nphrases = ["It has sharp corners."]\n[minimal]\npalette = "All is red."\n')
    assert "It has sharp corners. " in said(run(host, prompt_graph(style="house")))
    assert "All is red. " in said(run(host, prompt_graph()))
    own.unlink()
    assert options(host) == list(shipped_styles())
    assert post(host, prompt_graph(style="house")).status_code == 400


def test_a_damaged_file_is_told_by_the_run_and_takes_nothing_away(host: RunningHost, own: Path) -> None:
    own.write_text('[house]\nphrases = ["one"\npalette = 3\n')
    assert options(host) == list(shipped_styles())
    outcome = run(host, prompt_graph())
    assert outcome.error.startswith("1 VectraHub_LogoPrompt: ")
    assert str(own) in outcome.error and "line 3" in outcome.error
    refused = post(host, prompt_graph(style="house"))
    assert refused.status_code == 400 and "logo_styles.toml" in refused.text and "line 3" in refused.text
    own.write_text('[house]\nphrases = ["one"]\n')
    assert "one. " in said(run(host, prompt_graph(style="house")))


@pytest.mark.parametrize("text", ["a=" + "[" * 5000 + "]" * 5000, "a=" + "1" * 5000])
def test_no_file_of_styles_takes_the_node_away(host: RunningHost, own: Path, text: str) -> None:
    own.write_text(text)
    assert options(host) == list(shipped_styles())
    outcome = run(host, prompt_graph())
    assert outcome.error.startswith("1 VectraHub_LogoPrompt: ") and str(own) in outcome.error


def test_the_loaders_of_the_page_fit_the_workflow(host: RunningHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/logo.md: separate files instead of the checkpoint. Every link carries the type that its input takes."""
    page = (ROOT / "docs" / "logo.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102  (our own page)
    body = names["body"]
    info = httpx.get(f"{host.url}/object_info", timeout=60, trust_env=False).json()
    for key in ("unet", "clip", "vae"):
        assert set(info[body[key]["class_type"]]["input"]["required"]) == set(body[key]["inputs"])
    links = 0
    for title in ("Sample", "Words", "Decode"):
        node = body[names["ids"][title]]
        wanted = info[node["class_type"]]["input"]["required"]
        for name, value in node["inputs"].items():
            if isinstance(value, list) and body[value[0]]["class_type"] in info:
                assert info[body[value[0]]["class_type"]]["output"][value[1]] == wanted[name][0]
                links += 1
    assert links >= 8
    linked = {value[0] for node in body.values() for value in node["inputs"].values() if isinstance(value, list)}
    assert linked <= set(body)  # nothing reads from the checkpoint any more
