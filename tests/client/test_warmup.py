"""`warmup`: a workflow made small, what it leaves behind on the real host, and what stays loaded."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vectrahub.engine.networks.router_features import route_by_features
from vectrahub.tests.client.conftest import Cli
from vectrahub.tests.client.graphs import Graph, node, save, through
from vectrahub.tests.host.tile_graphs import tiled
from vectrahub.tests.host.tryon_graphs import BLUE, COMPARISON, EXPANSION, RED, dressed, new_picture
from vectrahub.tests.host_fixture import ROOT, RunningHost
from vectrahub.vectrahub_client import Client, Event, JobFailed, read_workflow, warm_up
from vectrahub.vectrahub_client._graph_edit import without_previews
from vectrahub.vectrahub_client.cli.main import build_parser
from vectrahub.vectrahub_client.cli.screen import Screen
from vectrahub.vectrahub_client.errors import ServerError, UsageError, WorkflowError
from vectrahub.vectrahub_client.warmup import (
    SIDE,
    SYSTEMS,
    leave_out_control_nets,
    make_small,
    small_picture,
    warmup_workflow,
)

SHIPPED = sorted(path.stem for path in (ROOT / "workflows" / "api").glob("*.json"))


def by_title(graph: Graph) -> dict[str, dict[str, Any]]:
    return {one["_meta"]["title"]: one["inputs"] for one in graph.values()}


def schema(output_node: bool = False, output: tuple[object, ...] = (), **inputs: tuple[Any, ...]) -> dict[str, Any]:
    return {"input": {"required": inputs}, "output": list(output), "output_node": output_node}


SCHEMAS = {
    "LoadImage": schema(output=("IMAGE", "MASK"), image=(["a.png"], {"image_upload": True})),
    "Sampler": schema(output=("LATENT",), seed=("INT", {}), steps=("INT", {"min": 1}), latent=("LATENT", {})),
    "Slow": schema(output=("LATENT",), steps=("INT", {"min": 4})),
    "Latent": schema(output=("LATENT",), **dict.fromkeys(("width", "height", "batch_size"), ("INT", {}))),
    "SaveThings": schema(True, ("SVG", ["a"]), svg=("SVG", {}), filename_prefix=("STRING", {})),
    "SaveImage": schema(True, images=("IMAGE", {}), filename_prefix=("STRING", {})),
    "Compare": schema(True, image_a=("IMAGE", {}), image_b=("IMAGE", {})),
    "Shows": schema(True, ("PLAN",), image=("IMAGE", {})),
    "Draw": schema(output=("SVG",), image=("IMAGE", {})),
    "ControlNetLoader": schema(output=("CONTROL_NET",), control_net_name=(["tile.safetensors"], {})),
    "UnionType": schema(output=("CONTROL_NET",), control_net=("CONTROL_NET", {})),
    "Refine": {**schema(output=("IMAGE",)), "input": {"optional": {"control_net": ("CONTROL_NET", {})}}},
    **dict.fromkeys(("Ints", "Part"), schema()),
    "PreviewAny": schema(True, ("STRING",), source=("*", {})),
}


def small(graph: Graph, seed: int = 5) -> Graph:
    make_small(graph, "warm.png", "warm.svg", seed, SCHEMAS.get)
    return graph


def test_numbers_become_small_and_files_stay() -> None:
    graph = {
        "1": node("Image", "LoadImage", image="photo.png"),
        "2": node("Size", "Ints"),
        "3": node("Canvas", "Latent", width=["2", 0], height=["2", 0], batch_size=4),
        "4": node("Sample", "Sampler", seed=1, steps=28, latent=["3", 0], model="big.safetensors", noise_seed=["2", 0]),
        "5": node("Slowly", "Slow", steps=30, on=True),
        "6": node("Part", "Part", steps=20, start_at_step=10),
        "7": node("Linked", "Sampler", steps=["2", 0], seed=True),
        "8": node("Save", "SaveImage", images=["1", 0], filename_prefix="x"),
    }
    found = by_title(small(graph))
    assert found["Image"]["image"] == "warm.png"
    assert found["Canvas"] == {"width": SIDE, "height": SIDE, "batch_size": 1}
    sample = {"seed": 5, "steps": 1, "latent": ["3", 0], "model": "big.safetensors", "noise_seed": ["2", 0]}
    assert found["Sample"] == sample
    assert found["Slowly"] == {"steps": 4, "on": True}  # no less than the node allows
    assert found["Part"] == {"steps": 20, "start_at_step": 10}  # with fewer steps it would do nothing
    assert found["Linked"] == {"steps": ["2", 0], "seed": True}


def test_what_saves_or_only_shows_is_replaced_and_what_works_stays() -> None:
    graph = small(
        {
            "1": node("Image", "LoadImage", image="a"),
            "2": node("Plan", "Shows", image=["1", 0]),
            "3": node("Draw", "Draw", image=["1", 0]),
            "4": node("Save SVG", "SaveThings", svg=["3", 0], filename_prefix="x"),
            "5": node("After", "Draw", image=["4", 0]),
            "6": node("Save", "SaveImage", images=["5", 0], filename_prefix="x"),
            "7": node("Look", "Compare", image_a=["1", 0], image_b=["1", 1]),
        }
    )
    kinds = {one["_meta"]["title"]: one["class_type"] for one in graph.values()}
    previews = {"Save SVG", "Save", "Look", "Look 2"}
    assert {title for title, kind in kinds.items() if kind == "PreviewAny"} == previews
    assert set(kinds) - previews == {"Image", "Plan", "Draw", "After"}
    found = by_title(graph)
    assert found["After"]["image"] == ["3", 0]  # past the saver, to what it saves
    assert (found["Look"], found["Look 2"]) == ({"source": ["1", 0]}, {"source": ["1", 1]})


def test_a_saver_that_cannot_be_left_out_stays() -> None:
    graph = {
        "3": node("Draw", "Draw"),
        "4": node("Save SVG", "SaveThings", svg=["3", 0], filename_prefix="x"),
        "5": node("After", "Draw", image=["4", 1], more=["4", 7]),
    }
    assert by_title(small(graph))["After"] == {"image": ["4", 1], "more": ["4", 7]}
    assert graph["4"]["class_type"] == "SaveThings"


def test_nodes_that_the_server_lacks_are_named() -> None:
    with pytest.raises(WorkflowError, match="the server has no node Gone, Missing"):
        small({"1": node("A", "Missing"), "2": node("B", "Gone"), "3": node("C", "LoadImage", image="a")})


def test_the_packs_nodes_get_little_to_do() -> None:
    graph = {
        "1": node("Refine", "VectraHub_TileRefine", resume=True, seam_fix=True, steps=20),
        "2": node("Sizes", "VectraHub_LogoCanvas", sizes="256, 4096"),
        "3": node("Prepare", "VectraHub_VTONPrepare", resolution="1080p"),
        "4": node("Save", "SaveImage", images=["1", 0], filename_prefix="x"),
    }
    make_small(graph, "p", "", 5, {**{one["class_type"]: {} for one in graph.values()}, **SCHEMAS}.get)
    assert [graph[key]["inputs"] for key in "123"] == [
        {"resume": False, "seam_fix": False, "steps": 1},
        {"sizes": "64"},
        {"resolution": "480p"},
    ]


def test_a_control_net_that_the_server_lacks_is_left_out_where_it_can_be() -> None:
    def loaded(file: str, *between: str) -> Graph:
        graph = {"1": node("ControlNet", "ControlNetLoader", control_net_name=file)}
        for kind in between:
            graph[str(len(graph) + 1)] = node(kind, kind, control_net=[str(len(graph)), 0])
        return graph

    graph = loaded("absent.safetensors", "Refine")
    assert leave_out_control_nets(graph, SCHEMAS.get) == ["absent.safetensors"]
    assert by_title(graph) == {"Refine": {}}
    for kept in (loaded("tile.safetensors", "Refine"), loaded("absent.safetensors", "UnionType", "Refine")):
        before = json.dumps(kept)
        assert leave_out_control_nets(kept, SCHEMAS.get) == [] and json.dumps(kept) == before


@pytest.mark.parametrize("name", ["upscale_sdxl", "upscale_flux"])
def test_upscaling_is_warmed_up_where_it_runs_without_a_control_net(name: str, client: Client) -> None:
    graph = read_workflow(warmup_workflow(name))
    (file,) = [one["inputs"]["control_net_name"] for one in graph.values() if "control_net_name" in one["inputs"]]
    assert leave_out_control_nets(graph, client.schema) == [file]
    assert "control_net" not in by_title(graph)["Refine"]


def test_nothing_to_run_is_said() -> None:
    with pytest.raises(WorkflowError, match="nothing to run"):
        small({"1": node("Image", "LoadImage", image="a")})


def test_the_picture_is_a_logo() -> None:
    image = Image.open(io.BytesIO(small_picture()))
    assert (image.size, image.mode) == ((SIDE, SIDE), "RGB")
    scores = route_by_features(np.asarray(image))
    assert max(scores, key=scores.get) == "logo"  # so that a route that is found out leads to the drawing network
    assert small_picture() == small_picture()


def test_names_of_systems_workflows_and_files(tmp_path: Path) -> None:
    assert {name: warmup_workflow(name).stem for name in SYSTEMS} == {
        "vectorize": "vectorize",
        "upscale": "upscale_sdxl",
        "logo": "logo_flux",
        "tryon": "tryon_qwen_edit_2511",
        "vehicle": "vehicle_to_vector",
    }
    assert [warmup_workflow(name).stem for name in SHIPPED] == SHIPPED
    path = save({}, tmp_path / "mine.json")
    assert warmup_workflow(path) == warmup_workflow(str(path)) == path
    for name in ("vectorise", "../api/vectorize", "./vectorize", ""):
        with pytest.raises(UsageError, match=r"logo, .*vectorize"):
            warmup_workflow(name)


def test_a_wrong_name_is_known_without_a_server(cli: Cli) -> None:
    done = cli("warmup", "vectorize", "nonsense")
    assert done.returncode == 2 and "nonsense" in done.stderr and "Traceback" not in done.stderr


def test_settings_are_for_one_workflow() -> None:
    with Screen(False) as screen, pytest.raises(UsageError, match="one workflow"):
        options = build_parser().parse_args(["warmup", "vectorize", "upscale", "--set", "a=1"])
        options.call(options, screen)


def test_a_server_that_goes_away_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def connect(*_: object, **__: object) -> Iterator[Client]:
        with Client("http://127.0.0.1:1") as client:
            yield client

    monkeypatch.setattr("vectrahub.vectrahub_client.cli.warmup.connect", connect)
    options = build_parser().parse_args(["warmup", "vectorize", "upscale"])
    with Screen(False) as screen, pytest.raises(ServerError):
        options.call(options, screen)


# On the real host.


@pytest.fixture
def client(host: RunningHost) -> Iterator[Client]:
    with Client(host.url) as client:
        yield client


def files_of(host: RunningHost) -> set[Path]:
    return {path for path in host.output.rglob("*") if path.is_file()}


def test_a_training_is_not_warmed_up(client: Client) -> None:
    with pytest.raises(WorkflowError, match="TrainLoRAStages trains"):
        make_small(read_workflow(warmup_workflow("vehicle_lora")), "warm.png", "warm.svg", 1, client.schema)


@pytest.mark.parametrize("name", sorted({*SHIPPED} - {"vehicle_lora"}))
def test_no_shipped_workflow_writes_a_file_when_warmed_up(client: Client, name: str) -> None:
    graph = without_previews(read_workflow(warmup_workflow(name)))
    models = {key: value for one in graph.values() for key, value in one["inputs"].items() if key.endswith("_name")}
    make_small(graph, "warm.png", "warm.svg", 1, client.schema)
    ends = {one["class_type"] for one in graph.values() if client.schema(one["class_type"])["output_node"]}
    assert "PreviewAny" in ends and ends <= {"PreviewAny", "VectraHub_TilePlan", "VectraHub_PhaseReport"}
    assert models.items() <= {key: value for one in graph.values() for key, value in one["inputs"].items()}.items()


def test_vectorize_runs_to_its_end_and_saves_nothing(cli: Cli, host: RunningHost) -> None:
    before = files_of(host)
    done = cli("warmup", "vectorize", "--server", host.url, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "result" and last["workflow"] == "vectorize" and last["seconds"] > 0
    assert {"Image", "Route", "Upscale", "Trace", "Finish"} <= set(last["ran"]) and "Save" not in last["ran"]
    assert last["reports"]["Route"]["images"][0]["route"] == "logo"
    assert files_of(host) == before
    said = cli("warmup", "vectorize", "svg_to_png", "--server", host.url)
    assert said.returncode == 0 and [line.split(":")[0] for line in said.stdout.splitlines()] == [
        "vectorize",
        "svg_to_png",
    ]
    assert files_of(host) == before


def test_a_failure_names_the_node_and_does_not_stop_the_others(cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    failing = save(through("VectraHubTest_Fail", "My step", reason="no paint left"), tmp_path / "failing.json")
    refused = save(through("NoSuchNode", "Their step"), tmp_path / "refused.json")
    done = cli("warmup", failing, refused, "svg_to_png", "--server", host.url)
    assert done.returncode == 1 and done.stdout.startswith("svg_to_png: "), done.stderr
    assert all(word in done.stderr for word in ("failing.json", "My step", "no paint left", "NoSuchNode"))


def test_a_setting_that_fits_nowhere_is_told(cli: Cli, host: RunningHost) -> None:
    done = cli("warmup", "svg_to_png", "--set", "nowhere=1", "--server", host.url)
    assert done.returncode == 2 and "svg_to_png: no node has an input 'nowhere'" in done.stderr


def test_lists_of_pictures_can_be_shown(client: Client, host: RunningHost, tmp_path: Path) -> None:
    graph = tiled("unset.png", steps=1)
    graph["10"] = node("Tiles", "SaveImage", images=["2", 0], filename_prefix="tiles")
    before = files_of(host)
    result = warm_up(client, save(graph, tmp_path / "w.json"))
    assert files_of(host) == before and not result.files
    assert result.reports["Refine"]["images"][0]["refined"] == 1  # a single tile


def heard(events: list[Event]) -> set[str | None]:
    return {event.title for event in events if event.kind in ("node", "progress")}


def test_what_was_loaded_is_there_for_the_next_job(client: Client, tmp_path: Path) -> None:
    """The loader does not run again, though pictures, words and seeds are others."""
    graph = tiled("unset.png", model={"seed": 4321}, steps=2)
    path = save(graph, tmp_path / "w.json")
    first: list[Event] = []
    warm_up(client, path, on_event=first.append)
    assert {"Model", "Refine"} <= heard(first)
    # The job itself: another body, other ids, other values.
    picture = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng().integers(0, 256, (112, 160, 3), np.uint8)).save(picture)
    job = {f"9{key}": one for key, one in read_workflow(path).items()}
    for one in job.values():
        one["inputs"] = {k: [f"9{v[0]}", v[1]] if isinstance(v, list) else v for k, v in one["inputs"].items()}
    by_title(job)["Image"]["image"] = client.upload(picture)
    by_title(job)["Plan"]["prompt"] = "a harbour"
    second: list[Event] = []
    client.run(job, on_event=second.append)
    assert "Refine" in heard(second) and "Model" not in heard(second)
    # A second warm-up works again, rather than to be answered from the cache.
    third: list[Event] = []
    warm_up(client, path, on_event=third.append)
    assert "Refine" in heard(third) and "Model" not in heard(third)


def test_a_try_on_finds_its_models_loaded(client: Client, host: RunningHost, tmp_path: Path) -> None:
    """Other pictures of other sizes do not load anew."""
    job = dressed("unset.png", "unset.png")
    del job[COMPARISON], job[EXPANSION]
    before = files_of(host)
    first: list[Event] = []
    warm_up(client, save(job, tmp_path / "w.json"), [("Tiny.seed", "77")], on_event=first.append)
    job["8"]["inputs"]["seed"] = 77
    assert "Tiny" in heard(first) and files_of(host) == before
    by_title(job)["Person"]["image"], by_title(job)["Garment"]["image"] = (
        new_picture(host, 100, 160, RED),
        new_picture(host, 90, 90, BLUE),
    )
    second: list[Event] = []
    client.run(job, on_event=second.append)
    assert "Try on" in heard(second) and "Tiny" not in heard(second)


def test_the_library_function_raises(client: Client, tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="no paint"):
        warm_up(client, save(through("VectraHubTest_Fail", "My step", reason="no paint"), tmp_path / "w.json"))
