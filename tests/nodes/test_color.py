"""PaletteSnap on the real host."""

import json
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.drawn_art import FLAT_ART, FLAT_COLORS, drawing
from vectrahub.tests.host.runs import Outcome, run
from vectrahub.tests.host_fixture import RunningHost

pytestmark = pytest.mark.host


def core(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def graph(source: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    snap = {"colors": 0, "palette": "", "cleanup": -1.0, "image": ["1", 0], **inputs}
    return {
        "1": source,
        "2": core("VectraHub_PaletteSnap", **snap),
        "3": core("PreviewImage", images=["2", 0]),
        "4": core("MaskToImage", mask=["2", 4]),
        "5": core("PreviewImage", images=["4", 0]),
        "6": core("PreviewAny", source=["2", 2]),
        "7": core("PreviewAny", source=["2", 3]),
    }


def batch(count: int, width: int = 64, height: int = 48) -> dict[str, Any]:
    return core("VectraHubTest_Batch", count=count, width=width, height=height)


def art(host: RunningHost) -> dict[str, Any]:
    Image.fromarray(drawing(FLAT_ART, 128)).save(host.input / "flat art.png")
    return core("LoadImage", image="flat art.png")


def reports(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.problem is None, outcome.problem
    return json.loads(outcome.entry["outputs"]["2"]["vectrahub_report"][0])["images"]


def pictures(outcome: Outcome, node: str) -> list[np.ndarray]:
    assert outcome.problem is None, outcome.problem
    files = outcome.entry["outputs"][node]["images"]
    url = f"{outcome.host.url}/view"
    return [
        np.asarray(Image.open(BytesIO(httpx.get(url, params=file, trust_env=False, timeout=60).content)).convert("RGB"))
        for file in files
    ]


def text(outcome: Outcome, node: str) -> str:
    return outcome.entry["outputs"][node]["text"][0]


def test_flat_art_with_its_small_original(host: RunningHost) -> None:
    large = graph(art(host))
    large["8"] = core("ImageScale", image=["1", 0], upscale_method="lanczos", width=512, height=512, crop="disabled")
    large["2"]["inputs"] |= {"image": ["8", 0], "reference": ["1", 0]}
    outcome = run(host, large)
    (figures,) = reports(outcome)
    assert set(figures["colors"]) == set(FLAT_COLORS)
    assert (figures["source_width"], figures["source_height"]) == (128, 128)
    assert (text(outcome, "6"), text(outcome, "7").lower()) == ("#FFFFFF", "false")
    (picture,) = pictures(outcome, "3")
    found = {"#" + bytes(color).hex().upper() for color in np.unique(picture.reshape(-1, 3), axis=0)}
    assert picture.shape == (512, 512, 3) and found == set(FLAT_COLORS)


def test_a_batch_of_three_has_three_palettes_and_one_mask_each(host: RunningHost) -> None:
    outcome = run(host, graph(batch(3), mask=["1", 1]))
    figures = reports(outcome)
    assert [sorted(entry["colors"]) for entry in figures] == [
        sorted(["#FFFFFF", "#E6001A"]),
        sorted(["#FFFFFF", "#1A4C99"]),
        sorted(["#FFFFFF", "#338C33"]),
    ]
    masks = pictures(outcome, "5")
    assert len(masks) == 3
    assert all((mask[:, :16] == 255).all() and (mask[:, 16:] == 0).all() for mask in masks)


def test_one_mask_serves_all(host: RunningHost) -> None:
    body = graph(batch(3), mask=["8", 0]) | {"8": core("SolidMask", value=0.5, width=64, height=48)}
    masks = pictures(run(host, body), "5")
    assert len(masks) == 3 and all(abs(int(mask.mean()) - 128) <= 3 for mask in masks)


@pytest.mark.parametrize(
    ("inputs", "parts"),
    [
        ({"reference": ["8", 0]}, ["reference batch", "got 2 references", "allowed 1 or 3"]),
        ({"mask": ["8", 1]}, ["mask batch", "got 2 masks", "allowed 1 or 3"]),
        ({"palette": "red"}, ["Not a colour", "'red'", "#RRGGBB"]),
        ({"palette": "#FFF -> transparent ~ 2"}, ["Colour tolerance", "got 2", "allowed 0..1"]),
    ],
)
def test_errors_name_the_node_the_value_and_the_limit(
    host: RunningHost, inputs: dict[str, Any], parts: list[str]
) -> None:
    body = graph(batch(3), **inputs) | {"8": batch(2)}
    error = run(host, body).error
    assert error.startswith("2 VectraHub_PaletteSnap: ")
    assert all(part in error for part in parts), error


def test_white_to_transparent(host: RunningHost) -> None:
    outcome = run(host, graph(batch(1), palette="#FFFFFF -> transparent"))
    (mask,) = pictures(outcome, "5")
    assert text(outcome, "6") == "transparent" and reports(outcome)[0]["colors"] == ["#E6001A"]
    assert mask[0, 0].tolist() == [255] * 3 and mask[24, 32].tolist() == [0] * 3


def test_specks_and_unused_colours_are_reported(host: RunningHost) -> None:
    picture = np.full((80, 100, 3), 255, np.uint8)
    picture[:, 50:] = (220, 10, 10)
    picture[20:23, 20:23] = (0, 0, 250)
    Image.fromarray(picture).save(host.input / "specked.png")
    source = core("LoadImage", image="specked.png")
    palette = "ffffff, FF0000, #00f, 00FF00"
    (kept,) = reports(run(host, graph(source, palette=palette)))
    outcome = run(host, graph(source, palette=palette, specks=0.5))
    (figures,) = reports(outcome)
    assert (kept["specks"], kept["unused"]) == (0, ["#00FF00"])
    assert (figures["specks"], figures["unused"]) == (1, ["#0000FF", "#00FF00"])
    (pixels,) = pictures(outcome, "3")
    assert {"#" + bytes(color).hex().upper() for color in np.unique(pixels.reshape(-1, 3), axis=0)} == {
        "#FFFFFF",
        "#FF0000",
    }


def test_33_fixed_colours_are_refused(host: RunningHost) -> None:
    error = run(host, graph(batch(1), palette=",".join(f"{number:06X}" for number in range(33)))).error
    assert "got 33, allowed at most 32" in error, error


def test_de_shine_on_a_batch(host: RunningHost) -> None:
    body = {
        "1": batch(2),
        "2": core("VectraHub_DeShine", image=["1", 0], diameter=9, sigma=75.0, clip_limit=2.0, grid=8),
        "3": core("PreviewImage", images=["2", 0]),
    }
    outcome = run(host, body)
    figures = reports(outcome)
    assert len(figures) == len(pictures(outcome, "3")) == 2
    assert all(entry["tiles"] == 3 and entry["diameter"] == 9 for entry in figures)
