"""`logo`: the request as a graph, and the command on the real host with a tiny Flux."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vectrahub.engine.logo import prompt as words
from vectrahub.engine.logo import sizes as sides
from vectrahub.engine.svg.render import render
from vectrahub.tests.client.conftest import Cli
from vectrahub.tests.client.graphs import Graph, node, save
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.vectrahub_client import Client, Event, LogoRequest, logo, logo_graph, warm_up
from vectrahub.vectrahub_client._outputs import JobResult, OutputFile
from vectrahub.vectrahub_client.cli.logo import _request, _wanted
from vectrahub.vectrahub_client.cli.main import build_parser
from vectrahub.vectrahub_client.errors import OutputError, UsageError, WorkflowError
from vectrahub.vectrahub_client.logo import (
    BACKGROUNDS,
    LARGEST,
    LONGEST_PROMPT,
    MOST_SIZES,
    SHORTEST_PROMPT,
    SMALLEST,
    download_logo,
    seed_of,
)
from vectrahub.vectrahub_client.vectorize import shipped_workflow

PROMPT = "a fox in a circle"


def shipped() -> Graph:
    return json.loads(shipped_workflow("logo_flux").read_text(encoding="utf-8"))


def by_title(graph: Graph) -> dict[str, dict[str, Any]]:
    return {one["_meta"]["title"]: one["inputs"] for one in graph.values()}


def links(graph: Graph) -> set[str]:
    found = [value for one in graph.values() for value in one["inputs"].values() if isinstance(value, list)]
    return {value[0] for value in found}


def test_every_option_reaches_its_node() -> None:
    full = LogoRequest(
        sizes=(64, 1024),
        svg=True,
        name="Fox & Co",
        style="badge",
        logo_type="emblem",
        colors="navy",
        seed=9,
        steps=4,
        guidance=2.5,
        checkpoint="mine.safetensors",
        background="keep",
    )
    found = by_title(logo_graph(f"  {PROMPT}\n", full))
    prompt = {"prompt": PROMPT, "business_name": "Fox & Co", "style": "badge", "logo_type": "emblem", "colors": "navy"}
    assert found["Prompt"] == prompt
    assert found["Sizes"]["sizes"] == "64, 1024"
    assert (found["Sample"]["seed"], found["Sample"]["steps"], found["Guidance"]["guidance"]) == (9, 4, 2.5)
    assert (found["Checkpoint"]["ckpt_name"], found["Ground"]["background"]) == ("mine.safetensors", "keep")
    assert {"Save", "Save SVG"} <= set(found)


def test_nothing_asked_changes_nothing_but_the_prompt() -> None:
    whole = by_title(shipped())
    plain = by_title(logo_graph(PROMPT, LogoRequest(svg=True)))
    assert {title for title, inputs in plain.items() if inputs != whole[title]} == {"Prompt"}
    assert set(plain) == set(whole)


def test_without_svg_its_branch_is_gone_and_nothing_else() -> None:
    graph = logo_graph(PROMPT, LogoRequest())
    gone = set(by_title(shipped())) - set(by_title(graph))
    assert gone == {"Route", "Upscale", "Palette", "Trace", "OmniSVG", "Gate", "Finish", "Save SVG"}
    assert links(graph) <= set(graph)


def test_a_workflow_that_lacks_a_node_is_named(tmp_path: Path) -> None:
    graph = logo_graph(PROMPT, LogoRequest())
    path = save(graph, tmp_path / "w.json")
    with pytest.raises(WorkflowError, match="Save SVG"):
        logo_graph(PROMPT, LogoRequest(svg=True), path)
    by_title(graph)["Sample"]["seed"] = ["1", 0]
    with pytest.raises(WorkflowError, match="seed"):
        seed_of(graph)
    bare = {key: one for key, one in graph.items() if one["_meta"]["title"] != "Guidance"}
    with pytest.raises(WorkflowError, match="Guidance"):
        logo_graph(PROMPT, LogoRequest(guidance=2.0), save(bare, path))


def test_the_checkpoint_is_found_by_a_short_name() -> None:
    files = ["flux/mine.safetensors", "flux1-dev-fp8.safetensors"]

    def schema_of(kind: str) -> Any:
        return {"input": {"required": {"ckpt_name": [files]}}} if kind == "CheckpointLoaderSimple" else None

    graph = logo_graph(PROMPT, LogoRequest(checkpoint="Mine"), None, schema_of)
    assert by_title(graph)["Checkpoint"]["ckpt_name"] == files[0]
    with pytest.raises(WorkflowError, match="flux1-dev-fp8"):
        logo_graph(PROMPT, LogoRequest(checkpoint="other"), None, schema_of)


def test_an_exact_name_beats_a_short_one() -> None:
    files = ["old/mine.safetensors", "mine.safetensors", "new/mine.safetensors"]

    def schema_of(_kind: str) -> Any:
        return {"input": {"required": {"ckpt_name": [files]}}}

    graph = logo_graph(PROMPT, LogoRequest(checkpoint="mine.safetensors"), None, schema_of)
    assert by_title(graph)["Checkpoint"]["ckpt_name"] == "mine.safetensors"
    with pytest.raises(WorkflowError, match="no choice"):
        logo_graph(PROMPT, LogoRequest(checkpoint="mine"), None, schema_of)


def test_the_model_may_come_from_a_loader_of_its_own(tmp_path: Path) -> None:
    graph = shipped()
    graph["90"] = node("Model", "UNETLoader", unet_name="a.safetensors", weight_dtype="default")
    by_title(graph)["Sample"]["model"] = ["90", 0]
    found = by_title(logo_graph(PROMPT, LogoRequest(checkpoint="b.safetensors"), save(graph, tmp_path / "w.json")))
    assert found["Model"]["unet_name"] == "b.safetensors"


def test_previews_are_left_out_and_a_saver_is_needed(tmp_path: Path) -> None:
    graph = shipped()
    graph["90"] = node("Look", "PreviewImage", images=["1", 0])
    path = save(graph, tmp_path / "w.json")
    assert "Look" not in by_title(logo_graph(PROMPT, LogoRequest(), path))
    bare = {key: one for key, one in graph.items() if one["_meta"]["title"] != "Save"}
    with pytest.raises(WorkflowError, match="'Save'"):
        logo_graph(PROMPT, LogoRequest(), save(bare, path))


def test_only_savers_that_nobody_needs_are_taken_out(tmp_path: Path) -> None:
    graph = shipped()
    (saver,) = (key for key, one in graph.items() if one["_meta"]["title"] == "Save SVG")
    graph["90"] = node("Save SVG", "SVGSave", svg=[saver, 0], filename_prefix="again")
    path = save(graph, tmp_path / "w.json")
    found = by_title(logo_graph(PROMPT, LogoRequest(), path))
    assert "Save SVG" not in found and "Finish" not in found
    graph["91"] = node("After", "VectraHub_SVGToPNG", svg=[saver, 0])
    found = by_title(logo_graph(PROMPT, LogoRequest(), save(graph, path)))
    assert found["Save SVG"]["filename_prefix"] != "again" and {"After", "Finish"} <= set(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sizes": ()},
        {"sizes": (7,)},
        {"sizes": (64.5,)},
        {"sizes": (64, 4097)},
        {"sizes": tuple(range(8, 41))},
        {"background": "white"},
        {"seed": -1},
        {"seed": 2**64},
        {"steps": 0},
        {"guidance": float("nan")},
        {"guidance": -0.1},
    ],
)
def test_a_wrong_request_is_bad_usage(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LogoRequest(**wrong)


@pytest.mark.parametrize("prompt", ["", "ab", "  ab \n", "x" * 501])
def test_a_prompt_has_a_length(prompt: str) -> None:
    with pytest.raises(UsageError, match="3 to 500 characters"):
        logo_graph(prompt, LogoRequest())


def test_the_limits_are_those_of_the_nodes() -> None:
    assert (SHORTEST_PROMPT, LONGEST_PROMPT) == (words.MIN_PROMPT, words.MAX_PROMPT)
    assert (SMALLEST, LARGEST, MOST_SIZES) == (sides.MIN_SIDE, sides.MAX_SIDE, sides.MAX_SIZES)


def parsed(*arguments: str) -> LogoRequest:
    return _request(build_parser().parse_args(["logo", PROMPT, *arguments]))


def test_the_command_line_is_the_request() -> None:
    assert parsed() == LogoRequest()
    text = "--sizes 64,128,64 --svg --style flat --type icon --seed 5 --steps 8 --guidance 3 --background everywhere"
    given = LogoRequest(
        sizes=(64, 128),
        svg=True,
        style="flat",
        logo_type="icon",
        seed=5,
        steps=8,
        guidance=3.0,
        background="everywhere",
    )
    assert parsed(*text.split()) == given
    assert parsed("--name", "A B", "--colors", "red", "--checkpoint", "c") == LogoRequest(
        name="A B", colors="red", checkpoint="c"
    )
    for wrong in ("64,big", "1.5", "-64", "\u0665\u0665", "9" * 5000, ","):
        with pytest.raises(UsageError):
            parsed(f"--sizes={wrong}")


def test_several_logos_have_names_and_seeds_of_their_own() -> None:
    options = build_parser().parse_args(["logo", PROMPT, "--count", "3"])
    start = by_title(shipped())["Sample"]["seed"]
    assert [(stem, one.seed) for stem, one in _wanted(LogoRequest(), options)] == [
        (f"logo-{n + 1}", start + n) for n in range(3)
    ]
    assert [one.seed for _, one in _wanted(LogoRequest(seed=7), options)] == [7, 8, 9]
    options.count = 1
    assert _wanted(LogoRequest(), options) == [("logo", LogoRequest())]


def counted(*arguments: str) -> list[tuple[str, LogoRequest]]:
    options = build_parser().parse_args(["logo", PROMPT, *arguments])
    return _wanted(_request(options), options)


def test_the_seeds_of_several_logos_have_an_end() -> None:
    last = 2**64 - 1
    assert counted("--count", "2", f"--seed={last - 1}")[-1][1].seed == last
    assert len(counted("--count", "1000")) == 1000
    for wrong in (["--count", "2", f"--seed={last}"], ["--count", "1001"], ["--count", "9" * 30], ["--count", "-1"]):
        with pytest.raises(UsageError, match=r"seed|--count"):
            counted(*wrong)


@pytest.mark.parametrize("name", ["Sample.seed", "seed"])
def test_the_seeds_of_several_logos_are_not_set_otherwise(name: str) -> None:
    with pytest.raises(UsageError, match="--seed"):
        counted("--count", "2", "--set", f"{name}=5")
    assert len(counted("--set", f"{name}=5")) == 1
    assert len(counted("--count", "2", "--set", "Ground.seed=5")) == 2
    with pytest.raises(UsageError, match="Nowhere"):
        counted("--count", "2", "--set", "Nowhere.seed=5")


def test_wrong_usage_is_known_without_a_server(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for arguments in (
        ["--sizes", "4"],
        ["--count", "0"],
        ["--background", "white"],
        ["--workflow", "absent.json"],
        ["-o", tmp_path / "file"],
        ["--set", "x"],
    ):
        done = cli("logo", PROMPT, *arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert cli("logo", "ab").returncode == 2


# On the real host, with a tiny Flux.


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """The shipped workflow with a tiny Flux, few steps and a small canvas."""
    graph = shipped()
    (key,) = [key for key, one in graph.items() if one["class_type"] == "CheckpointLoaderSimple"]
    graph[key] = node("Checkpoint", "VectraHubTest_TinyFlux", seed=0)
    found = by_title(graph)
    found["Sample"]["steps"] = 1
    found["Canvas"].update(width=128, height=128)
    found["Upscale"]["megapixels"] = 0.25
    return save(graph, tmp_path / "tiny.json")


def pngs(files: Iterable[Path]) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in files if path.suffix == ".png"}


def test_a_logo_in_every_size_with_alpha_and_as_svg(
    cli: Cli, host: RunningHost, workflow: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "new" / "logos", tmp_path / "report.json"
    command = ["logo", PROMPT, "--workflow", workflow, "--server", host.url, "--sizes", "64,128", "--svg", "-o", out]
    done = cli(*command, "--background", "everywhere", "--report", report, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["seed"] == by_title(shipped())["Sample"]["seed"]
    assert last["files"] == [str(out / name) for name in ("logo-64.png", "logo-128.png", "logo.svg")]
    assert {path.name for path in out.iterdir()} == {"logo-64.png", "logo-128.png", "logo.svg"}
    shapes = {name: pixels.shape for name, pixels in pngs(out.iterdir()).items()}
    assert shapes == {"logo-64.png": (64, 64, 4), "logo-128.png": (128, 128, 4)}
    assert render((out / "logo.svg").read_bytes(), 32, 32).shape == (32, 32, 4)
    assert {"Prompt", "Ground", "Resize", "Gate"} <= set(json.loads(report.read_text())["logo"])


def test_same_command_same_logo_other_seed_other_logo(
    cli: Cli, host: RunningHost, workflow: Path, tmp_path: Path
) -> None:
    command = ["logo", PROMPT, "--workflow", workflow, "--server", host.url, "--sizes", "64", "--background", "keep"]
    for folder, options in (("a", []), ("b", []), ("c", ["--count", 2])):
        done = cli(*command, "-o", tmp_path / folder, *options)
        assert done.returncode == 0, done.stderr
    a, b = (pngs((tmp_path / folder).iterdir())["logo-64.png"] for folder in "ab")
    two = pngs((tmp_path / "c").iterdir())
    assert set(two) == {"logo-1-64.png", "logo-2-64.png"}
    assert np.array_equal(a, b) and np.array_equal(a, two["logo-1-64.png"])
    assert not np.array_equal(a, two["logo-2-64.png"])


def test_settings_and_the_time_limit_reach_the_job(cli: Cli, host: RunningHost, workflow: Path, tmp_path: Path) -> None:
    command = ["logo", PROMPT, "--workflow", workflow, "--server", host.url, "-o", tmp_path, "--json"]
    done = cli(*command, "--set", "Sizes.sizes=24", "--set", "Sample.seed=77")
    assert done.returncode == 0 and (tmp_path / "logo-24.png").is_file(), done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["seed"] == 77
    late = cli(*command, "--timeout", "0.001", "--seed", 78)
    told = json.loads(late.stdout.splitlines()[-1])
    assert (late.returncode, told["error"], told["job"]) == (1, "timeout", "logo")


def test_the_library_function_replaces_what_is_there(host: RunningHost, workflow: Path, tmp_path: Path) -> None:
    (tmp_path / "brand-64.png").write_bytes(b"old")
    with Client(host.url) as client:
        files = logo(client, PROMPT, tmp_path, LogoRequest(sizes=(64,)), stem="brand", workflow=workflow)
    assert files == [tmp_path / "brand-64.png"]
    assert pngs(files)["brand-64.png"].shape == (64, 64, 4)


def test_a_warm_up_loads_what_a_logo_needs(host: RunningHost, workflow: Path, tmp_path: Path) -> None:
    path = save(
        {**json.loads(workflow.read_text()), "3": node("Checkpoint", "VectraHubTest_TinyFlux", seed=99)}, workflow
    )
    before = set(host.output.rglob("*"))
    heard: list[Event] = []
    with Client(host.url) as client:
        warm_up(client, path, on_event=heard.append)
        assert {"Checkpoint", "Resize", "Finish"} <= {event.title for event in heard}
        assert set(host.output.rglob("*")) == before
        heard.clear()
        logo(client, PROMPT, tmp_path, LogoRequest(sizes=(64,)), workflow=path, on_event=heard.append)
    assert "Sample" in {event.title for event in heard} and "Checkpoint" not in {event.title for event in heard}


def test_nothing_is_replaced_unless_all_of_it_came(host: RunningHost, tmp_path: Path) -> None:
    """Pictures are told apart by their own width; a size that is missing is said."""
    (tmp_path / "logo-20.png").write_bytes(b"old")
    files = []
    for name, side in (("x_1.png", 20), ("x_2.png", 20), ("x_3.png", 30)):
        Image.new("RGBA", (side, side)).save(host.output / name)
        files.append(OutputFile("1", "Save", name, "", "output"))
    files.append(OutputFile("1", "Save", "notes.txt", "", "output"))  # not fetched: the server has no such file
    (host.output / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = JobResult("id", tuple(files), {}, {}, 0.0)
    broken = replace(result, files=(*files, OutputFile("1", "Save", "bad.png", "", "output")))
    with Client(host.url) as client:
        for wrong, request, message in (
            (result, LogoRequest(sizes=(20, 40)), "no picture of 40 px"),
            (result, LogoRequest(svg=True), "'Save SVG'"),
            (broken, LogoRequest(), "no PNG"),
            (replace(result, files=()), LogoRequest(), "'Save'"),
        ):
            with pytest.raises(OutputError, match=message):
                download_logo(client, wrong, tmp_path, request)
            assert [path.name for path in tmp_path.iterdir()] == ["logo-20.png"]
            assert (tmp_path / "logo-20.png").read_bytes() == b"old"
        (tmp_path / "logo-30.png").mkdir()
        with pytest.raises(OutputError, match="a folder"):
            download_logo(client, result, tmp_path, LogoRequest(sizes=(20, 30)))
        assert (tmp_path / "logo-20.png").read_bytes() == b"old"
        (tmp_path / "logo-30.png").rmdir()
        written = download_logo(client, result, tmp_path, LogoRequest(sizes=(20, 30)))
    assert [path.name for path in written] == ["logo-20.png", "logo-20-2.png", "logo-30.png"]
    assert Image.open(written[0]).size == (20, 20)


def test_the_grounds_are_those_of_the_node(host: RunningHost) -> None:
    with Client(host.url) as client:
        schema = client.schema("VectraHub_BackgroundToAlpha")
    assert schema and tuple(schema["input"]["required"]["background"][1]["options"]) == BACKGROUNDS


def test_a_wrong_style_is_refused_by_name(cli: Cli, host: RunningHost, workflow: Path, tmp_path: Path) -> None:
    done = cli("logo", PROMPT, "--workflow", workflow, "--server", host.url, "-o", tmp_path, "--style", "no such style")
    assert done.returncode == 2 and "no such style" in done.stderr, done.stderr


def test_a_missing_checkpoint_is_told_with_its_remedy(cli: Cli, host: RunningHost, tmp_path: Path) -> None:
    done = cli("logo", PROMPT, "--server", host.url, "-o", tmp_path)
    assert done.returncode == 2 and "17.2 GB" in done.stderr, done.stderr
    assert all(words in done.stderr for words in ("install.py models get flux1-dev-fp8", "--checkpoint"))
