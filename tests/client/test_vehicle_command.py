"""`vehicle`: the request as a graph, phases that are left out, and what is checked before a server is asked."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vectrahub.tests.client.conftest import Cli
from vectrahub.tests.client.graphs import Graph, node, save
from vectrahub.tests.color_cars import DEFAULT_PALETTE
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.vectrahub_client import Client, VehicleRequest, vehicle, vehicle_graph
from vectrahub.vectrahub_client.cli.main import build_parser
from vectrahub.vectrahub_client.cli.vehicle import _request, _targets
from vectrahub.vectrahub_client.errors import UsageError, WorkflowError
from vectrahub.vectrahub_client.vectorize import shipped_workflow
from vectrahub.vectrahub_client.vehicle import PHASES, SAVE_PICTURE, read_palette

LOADERS = {
    "sanitize": {"SAM3", "Inpaint"},
    "stylize": {"Checkpoint", "BiRefNet", "Depth model", "Depth control", "Edge control"},
    "quantize": {"Upscale", "Palette"},
    "vectorize": {"Trace", "Finish", "Outline"},
}


def shipped() -> Graph:
    return json.loads(shipped_workflow("vehicle_to_vector").read_text(encoding="utf-8"))


def by_title(graph: Graph) -> dict[str, dict[str, Any]]:
    return {one["_meta"]["title"]: one["inputs"] for one in graph.values()}


def links(graph: Graph) -> set[str]:
    found = [value for one in graph.values() for value in one["inputs"].values() if isinstance(value, list)]
    return {value[0] for value in found}


def idle(graph: Graph) -> set[str]:
    """Titles of nodes that no other node takes from."""
    return {one["_meta"]["title"] for key, one in graph.items() if key not in links(graph)}


def title_behind(graph: Graph, title: str, name: str) -> str:
    return graph[by_title(graph)[title][name][0]]["_meta"]["title"]


def test_every_option_reaches_its_node() -> None:
    full = VehicleRequest(
        palette=("ff0000", "#0F0"),
        prompt="a van",
        depth=0.7,
        canny=0.5,
        threshold=0.9,
        retries=1,
        keep_best=False,
        outline=3.5,
        outline_color="abc",
        centrelines=True,
        seed=9,
        steps=12,
        megapixels=3.0,
    )
    found = by_title(vehicle_graph(full, "sub/x.png", preview=True))
    wanted = {
        "Photo": {"image": "sub/x.png"},
        "Palette": {"palette": "#FF0000, #00FF00"},
        "Words": {"text": "a van"},
        "Strengths": {"depth": 0.7, "canny": 0.5},
        "Gate": {"threshold": 0.9, "retries": 1, "allow_skip_on_failure": False},
        "Outline": {"width": 3.5, "color": "#AABBCC", "centrelines": True},
        "Sample": {"seed": 9, "steps": 12},
        "Upscale": {"megapixels": 3.0},
    }
    for title, inputs in wanted.items():
        assert {name: found[title][name] for name in inputs} == inputs
    assert {"Save SVG", "Save preview", "Report"} <= set(found)


def test_nothing_asked_changes_nothing_but_the_photo() -> None:
    whole = by_title({key: one for key, one in shipped().items() if one["class_type"] != "PreviewImage"})
    plain = by_title(vehicle_graph(VehicleRequest(), "x.png", preview=True))
    assert {title for title, inputs in plain.items() if inputs != whole[title]} == {"Photo"}
    assert set(plain) == set(whole)
    gone = set(whole) - set(by_title(vehicle_graph(VehicleRequest(), "x.png")))
    assert "Save preview" in gone and "Render" in gone and "Save SVG" not in gone


def test_the_shipped_palette_is_that_of_the_seed() -> None:
    assert read_palette(by_title(shipped())["Palette"]["palette"]) == DEFAULT_PALETTE
    assert by_title(shipped())["Palette"]["specks"] == 0.1


@pytest.mark.parametrize("skip", [chosen for count in (1, 2, 3) for chosen in combinations(PHASES, count)])
def test_a_phase_that_is_skipped_needs_none_of_its_files(skip: tuple[str, ...]) -> None:
    graph = vehicle_graph(VehicleRequest(skip=skip), "x.png")
    found = by_title(graph)
    for name, titles in LOADERS.items():
        assert (titles & set(found) == set()) if name in skip else titles <= set(found), name
        assert found[PHASES[name]]["enabled"] is (name not in skip)
        made = {"result", "report", "palette"} & set(found[PHASES[name]])
        assert not made if name in skip else made >= {"result", "report"}
    assert links(graph) <= set(graph)
    saved = SAVE_PICTURE if "vectorize" in skip else "Save SVG"
    assert saved in idle(graph) and idle(graph) <= {saved, "Report", "What it took"}
    assert title_behind(graph, saved, "images" if "vectorize" in skip else "svg") == (
        "Quantize" if "vectorize" in skip else "Vectorize"
    )


def test_a_preview_of_no_drawing_and_options_of_skipped_phases_are_bad_usage() -> None:
    with pytest.raises(UsageError, match="a preview is of the drawing"):
        vehicle_graph(VehicleRequest(skip=("vectorize",)), "x.png", preview=True)
    for phase, given in {
        "stylize": [{"prompt": "x"}, {"loras": (("a", 1.0),)}, {"depth": 0.5}, {"keep_best": False}, {"seed": 0}],
        "quantize": [{"palette": ("#000000",)}, {"megapixels": 3.0}],
        "vectorize": [{"outline": 0.0}, {"outline_color": "#000000"}, {"centrelines": False}],
    }.items():
        for option in given:
            VehicleRequest(**option)
            with pytest.raises(UsageError, match=f"belongs to the phase {phase}, which is skipped"):
                VehicleRequest(**option, skip=("sanitize", phase))


def test_a_photo_keeps_the_ground_that_a_drawing_loses() -> None:
    for skip, wanted in {(): "remove", ("sanitize",): "remove", ("stylize",): "keep"}.items():
        assert by_title(vehicle_graph(VehicleRequest(skip=skip), "x.png"))["Finish"]["background"] == wanted


def test_what_is_wrong_is_named_as_it_is_written() -> None:
    for given, flag in (
        ({"loras": (("a", 1.0),)}, "--lora belongs"),
        ({"keep_best": False}, "--keep-best belongs"),
        ({"depth": -1.0, "skip": ()}, "--depth is 0 or more"),
        ({"outline_color": "black"}, "--outline-color takes"),
    ):
        with pytest.raises(UsageError, match=flag):
            VehicleRequest(**{"skip": ("stylize",), **given})


def test_loras_stand_between_the_checkpoint_and_all_that_use_it() -> None:
    files = ["style/flat.safetensors", "car.safetensors"]

    def schema_of(kind: str) -> Any:
        return {"input": {"required": {"lora_name": [files]}}} if kind == "LoraLoader" else None

    graph = vehicle_graph(VehicleRequest(loras=(("flat", 0.8), ("car", 0.4))), "x.png", schema_of=schema_of)
    loras = {one["inputs"]["lora_name"]: key for key, one in graph.items() if one["class_type"] == "LoraLoader"}
    first, last = loras[files[0]], loras[files[1]]
    found, checkpoint = by_title(graph), next(k for k, one in graph.items() if one["_meta"]["title"] == "Checkpoint")
    assert graph[first]["inputs"]["model"] == [checkpoint, 0] and graph[first]["inputs"]["clip"] == [checkpoint, 1]
    assert graph[last]["inputs"]["model"] == [first, 0] and graph[last]["inputs"]["clip"] == [first, 1]
    assert graph[last]["inputs"]["strength_model"] == graph[last]["inputs"]["strength_clip"] == 0.4
    assert found["Sample"]["model"] == [last, 0] and found["Decode"]["vae"] == [checkpoint, 2]
    assert found["Words"]["clip"] == found["Unwanted"]["clip"] == [last, 1]
    assert found["Parts"]["clip"] != [last, 1]  # another text encoder
    with pytest.raises(WorkflowError, match="no choice"):
        vehicle_graph(VehicleRequest(loras=(("absent", 1.0),)), "x.png", schema_of=schema_of)


def test_a_workflow_that_lacks_a_node_is_named(tmp_path: Path) -> None:
    for title, request, preview in (
        ("Photo", VehicleRequest(), False),
        ("Palette", VehicleRequest(palette=("000",)), False),
        ("Stylize", VehicleRequest(skip=("stylize",)), False),
        ("Save preview", VehicleRequest(), True),
        ("Save SVG", VehicleRequest(), False),
        ("Quantize", VehicleRequest(skip=("vectorize",)), False),
        ("Words", VehicleRequest(loras=(("a", 1.0),)), False),
    ):
        graph = {key: one for key, one in shipped().items() if one["_meta"]["title"] != title}
        with pytest.raises(WorkflowError, match=title):
            vehicle_graph(request, "x.png", preview, save(graph, tmp_path / "w.json"))


def test_how_a_palette_is_written() -> None:
    assert read_palette("ff0000,00FF00") == ("#FF0000", "#00FF00")
    assert read_palette(" #abc; 123456\n") == ("#AABBCC", "#123456")
    assert VehicleRequest(palette=("ff0000", "#F00")).palette == ("#FF0000",)
    assert len(VehicleRequest(palette=tuple(f"{n:06x}" for n in range(32))).palette or ()) == 32
    with pytest.raises(UsageError, match="'red' is none"):
        read_palette("FF0000,red")


@pytest.mark.parametrize(
    "wrong",
    [
        {"palette": ()},
        {"palette": tuple(f"{number:06X}" for number in range(33))},
        {"palette": ("#GG0000",)},
        {"outline_color": "black"},
        {"skip": ("paint",)},
        {"skip": tuple(PHASES)},
        {"seed": -1},
        {"steps": 0},
        {"depth": -0.1},
        {"canny": float("nan")},
        {"threshold": 1.1},
        {"retries": -1},
        {"outline": float("inf")},
        {"megapixels": 0.0},
        {"loras": (("a", float("nan")),)},
    ],
)
def test_a_wrong_request_is_bad_usage(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        VehicleRequest(**wrong)


def test_the_command_line_is_the_request() -> None:
    text = (
        "vehicle a.jpg b.jpg -o out --palette FF0000,#0f0 --skip sanitize --prompt car --lora flat --lora my=x:0.5 "
        "--depth 0.7 --canny 0.3 --threshold 0.8 --retries 1 --no-keep-best --outline 1.5 --outline-color 111111 "
        "--centrelines --seed 3 --steps 8 --megapixels 4"
    )
    options = build_parser().parse_args(text.split())
    assert _request(options) == VehicleRequest(
        palette=("#FF0000", "#00FF00"),
        skip=("sanitize",),
        prompt="car",
        loras=(("flat", 0.8), ("my=x", 0.5)),
        depth=0.7,
        canny=0.3,
        threshold=0.8,
        retries=1,
        keep_best=False,
        outline=1.5,
        outline_color="#111111",
        centrelines=True,
        seed=3,
        steps=8,
        megapixels=4.0,
    )
    assert _request(build_parser().parse_args(["vehicle", "a.jpg", "-o", "o"])) == VehicleRequest()


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48), "red").save(name)
    return tmp_path


def targets(text: str) -> list[tuple[str, str]]:
    options = build_parser().parse_args(["vehicle", *text.split()])
    return [(str(photo), str(target)) for photo, target in _targets(options, _request(options))]


def test_where_results_go(photos: Path) -> None:
    assert targets("a.png -o o.svg") == [("a.png", "o.svg")]
    assert targets("a.png b.png -o out") == [("a.png", "out/a.svg"), ("b.png", "out/b.svg")]
    assert targets("a.png -o o.png --skip vectorize") == [("a.png", "o.png")]
    assert targets("a.png b.png -o out --skip vectorize") == [("a.png", "out/a.png"), ("b.png", "out/b.png")]
    for wrong, said in {
        "a.png -o o.png": "the result is a .svg file; o.png is not .a picture of the drawing: --png;",
        "a.png -o o.svg --skip vectorize": "vectorize is skipped: the result is a .png file",
        "a.png -o a.png --skip vectorize": "would replace",
        "a.png b.png -o o.svg": "do not fit into the one file",
        "a.png b.png -o out --png p.png": "--png is for one photo",
        "a.png -o o.svg --png p.jpg": "is not a .png file",
        "a.png -o o.svg --png a.png": "would replace",
        "absent.png -o o.svg": "no file",
        "a.png -o o.svg --skip ,": "--skip takes names of phases",
    }.items():
        with pytest.raises(UsageError, match=said):
            targets(wrong)


def test_wrong_usage_is_known_without_a_server(cli: Cli, photos: Path) -> None:
    photo = photos / "a.png"
    for arguments in (
        [photo],
        [photo, "-o", "o.svg", "--palette", ",".join(f"{number:06X}" for number in range(33))],
        [photo, "-o", "o.svg", "--skip", "sanitize,stylize,quantize,vectorize"],
        [photo, "-o", "o.svg", "--workflow", "absent.json"],
        [photo, "-o", "o.png", "--skip", "vectorize", "--png", "p.png"],
    ):
        done = cli("vehicle", *arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr


# On the real host. Core nodes stand in for the phases: what is tested is the client's part.


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """Under the titles of the shipped workflow: vectorize, without networks, of what the photo is."""
    whole = shipped()
    keep = {"Photo", "Trace", "Finish", "Outline", "Vectorize", "Quantize", "Palette", "Save SVG", "Render", "Alpha"}
    keep |= {"Save preview", "Report"}
    ids = {one["_meta"]["title"]: key for key, one in whole.items()}
    graph = {key: one for key, one in whole.items() if one["_meta"]["title"] in keep}
    graph[ids["Palette"]]["inputs"] |= {"image": [ids["Photo"], 0]}
    graph[ids["Palette"]]["inputs"].pop("reference", None)
    graph[ids["Quantize"]]["inputs"] |= {"before": [ids["Photo"], 0]}
    graph[ids["Quantize"]]["inputs"].pop("figures", None)
    graph["99"] = node("Look", "PreviewImage", images=[ids["Photo"], 0])
    return save(graph, tmp_path / "w.json")


def test_the_command_on_the_host(cli: Cli, host: RunningHost, workflow: Path, photos: Path) -> None:
    command = ["vehicle", photos / "a.png", "--workflow", workflow, "--server", host.url]
    out, png = photos / "new" / "o.svg", photos / "o.png"
    done = cli(*command, "-o", out, "--png", png, "--palette", "0000FF,A52A2A", "--report", photos / "r.json")
    assert (done.returncode, done.stdout) == (0, f"{out}\n{png}\n"), done.stderr
    assert "#A52A2A" in out.read_text().upper() and Image.open(png).size[0] > 0
    assert "Report" in json.loads((photos / "r.json").read_text())[str(photos / "a.png")]
    done = cli(*command, "-o", out, "--skip", "quantize", "--outline", "0")
    assert done.returncode == 0 and "#FF0000" in out.read_text().upper(), done.stderr
    both = ["vehicle", photos / "a.png", photos / "b.png", *command[2:]]
    done = cli(*both, "-o", photos / "many", "--skip", "vectorize", "--palette", "00FF00")
    assert done.returncode == 0, done.stderr
    assert [Image.open(photos / "many" / name).getpixel((5, 5)) for name in ("a.png", "b.png")] == [(0, 255, 0)] * 2


def test_the_library_function(host: RunningHost, workflow: Path, photos: Path) -> None:
    with Client(host.url) as client:
        request = VehicleRequest(palette=("#0000FF",), outline=0.0)
        result = vehicle(client, photos / "a.png", photos / "o.svg", request, workflow=workflow)
        assert "Palette" in result.reports and (photos / "o.svg").stat().st_size > 0
        with pytest.raises(UsageError, match="would replace"):
            vehicle(client, photos / "a.png", photos / "a.png", request, workflow=workflow)
