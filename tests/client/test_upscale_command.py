"""`upscale`: the request as a graph, and the command on the real host with tiny networks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from vectrahub.installer.catalogue import read_catalogue
from vectrahub.tests.client.conftest import Cli
from vectrahub.tests.client.graphs import Graph, node, save
from vectrahub.tests.host.tile_graphs import HEIGHT, WIDTH, tiled, with_control
from vectrahub.tests.host_fixture import ROOT, RunningHost
from vectrahub.vectrahub_client import Client, UpscaleRequest, upscale, upscale_graph
from vectrahub.vectrahub_client.cli.each import plan as targets_of
from vectrahub.vectrahub_client.cli.main import build_parser
from vectrahub.vectrahub_client.cli.upscale import _request
from vectrahub.vectrahub_client.errors import UsageError, WorkflowError
from vectrahub.vectrahub_client.upscale import SHIPPED, upscale_workflow

FILES = {
    ("CheckpointLoaderSimple", "ckpt_name"): ["pony/ponyDiffusionV6XL.safetensors", "sd_xl_base_1.0.safetensors"],
    ("LoraLoader", "lora_name"): ["style/detail.safetensors", "grain.safetensors", "Grain.pt"],
    ("ControlNetLoader", "control_net_name"): ["tile-a.safetensors", "tile-b.safetensors"],
}


def schema_of(kind: str) -> Any:
    return {"input": {"required": {name: [files] for (owner, name), files in FILES.items() if owner == kind}}}


def by_title(graph: Graph) -> dict[str, dict[str, Any]]:
    return {node["_meta"]["title"]: node["inputs"] for node in graph.values()}


def links(graph: Graph) -> set[str]:
    found = [value for one in graph.values() for value in one["inputs"].values() if isinstance(value, list)]
    return {value[0] for value in found if len(value) == 2 and isinstance(value[0], str)}


@pytest.fixture(params=SHIPPED)
def shipped(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_option_reaches_its_node(shipped: str) -> None:
    full = UpscaleRequest(
        long_side=4096,
        tile=768,
        overlap=96,
        prompt="a town",
        negative="blurry",
        plan='{"tiles": []}',
        seed=7,
        steps=12,
        cfg=4.5,
        denoise=0.3,
        control_strength=0.5,
        batch=4,
        seam_fix=True,
        checkpoint="mine.safetensors",
        control_net="tile.safetensors",
        caption=True,
    )
    found = by_title(upscale_graph(full, "sub/x.png", shipped))
    assert found["Image"]["image"] == "sub/x.png"
    split = {"upscale": "long side", "long_side": 4096, "tile": 768, "overlap": 96}
    plan = {"prompt": "a town", "negative": "blurry", "edits": '{"tiles": []}'}
    refine = {"seed": 7, "steps": 12, "cfg": 4.5, "denoise": 0.3, "control_strength": 0.5, "batch": 4}
    for title, wanted in {"Split": split, "Plan": plan, "Refine": refine}.items():
        assert {name: found[title][name] for name in wanted} == wanted
    assert found["Refine"]["seam_fix"] is True and found["Refine"]["use_control_net"] is True
    assert found["Checkpoint"]["ckpt_name"] == "mine.safetensors"
    assert found["ControlNet"]["control_net_name"] == "tile.safetensors"
    assert found["Captions"]["if_missing"] == "error"
    assert "LoRA" not in found


def test_nothing_asked_changes_nothing_but_the_image(shipped: str) -> None:
    plain = upscale_graph(UpscaleRequest(), "x.png", shipped)
    whole = json.loads(upscale_workflow(shipped).read_text(encoding="utf-8"))
    changed = {title for title, inputs in by_title(plain).items() if inputs != by_title(whole)[title]}
    assert changed == {"Image"} and set(plain) == set(whole)
    assert links(plain) <= set(plain)
    assert by_title(whole)["Captions"]["if_missing"] == "skip"


def test_the_files_that_it_names_are_those_of_the_catalogue(shipped: str) -> None:
    """In the body for /prompt, and in what ComfyUI offers for download when the template is opened."""
    of_catalogue = {
        (weights.folder, file.name): f"/{file.repo}/resolve/main/{file.path}"
        for weights in read_catalogue().values()
        for file in weights.files
    }
    found = by_title(upscale_graph(UpscaleRequest(), "x.png", shipped))
    named = {("checkpoints", found["Checkpoint"]["ckpt_name"]), ("controlnet", found["ControlNet"]["control_net_name"])}
    assert named <= set(of_catalogue)
    template = json.loads((ROOT / "workflows" / f"upscale_{shipped}.json").read_text(encoding="utf-8"))
    offered = [model for one in template["nodes"] for model in one["properties"].get("models", [])]
    assert {(model["directory"], model["name"]) for model in offered} == named
    for model in offered:
        assert model["url"].endswith(of_catalogue[model["directory"], model["name"]])


@pytest.mark.parametrize(("scale", "name"), [(1, "none"), (2, "2x"), (4, "4x")])
def test_scales(scale: int, name: str) -> None:
    assert by_title(upscale_graph(UpscaleRequest(scale=scale), "x.png"))["Split"]["upscale"] == name


def test_what_is_not_wanted_is_taken_out_with_all_behind_it(shipped: str) -> None:
    graph = upscale_graph(UpscaleRequest(control_net=False, caption=False), "x.png", shipped)
    found = by_title(graph)
    assert not {"ControlNet", "Captions"} & set(found)
    assert "control_net" not in found["Refine"] and found["Refine"]["use_control_net"] is False
    assert "captions" not in found["Plan"] and {"Split", "Checkpoint"} <= set(found)
    assert links(graph) <= set(graph)


def test_cutting_keeps_what_others_need(tmp_path: Path) -> None:
    graph: Graph = {
        "1": node("Image", "LoadImage", image=""),
        "2": node("Loader", "ControlNetLoader", control_net_name="a"),
        "3": node("Type", "SetUnionControlNetType", control_net=["2", 0], type="tile"),
        "4": node("Refine", "VectraHub_TileRefine", image=["1", 0], control_net=["3", 0]),
        "5": node("Other", "ControlNetApplyAdvanced", control_net=["2", 0]),
        "6": node("Save", "SaveImage", images=["4", 0]),
    }
    path = save(graph, tmp_path / "w.json")
    assert set(upscale_graph(UpscaleRequest(control_net=False), "x.png", path)) == {"1", "2", "4", "5", "6"}
    # A ControlNet's file is found through what stands between.
    found = by_title(upscale_graph(UpscaleRequest(control_net="b"), "x.png", path))
    assert found["Loader"]["control_net_name"] == "b"
    with pytest.raises(WorkflowError, match=r"Refine\.model"):
        upscale_graph(UpscaleRequest(checkpoint="c"), "x.png", path)
    with pytest.raises(WorkflowError, match=r"Refine\.model is not connected"):
        upscale_graph(UpscaleRequest(loras=(("l", 1.0),)), "x.png", path)
    with pytest.raises(WorkflowError, match="'Split'"):
        upscale_graph(UpscaleRequest(scale=2), "x.png", path)


def test_what_only_shows_is_left_out(tmp_path: Path) -> None:
    graph: Graph = {
        "1": node("Image", "LoadImage", image=""),
        "2": node("Refine", "VectraHub_TileRefine", image=["1", 0]),
        "3": node("Save", "SaveImage", images=["2", 0]),
        "4": node("Compare", "ImageCompare", image_a=["1", 0], image_b=["2", 0]),
        "5": node("Look", "PreviewImage", images=["1", 0]),
    }
    assert set(upscale_graph(UpscaleRequest(), "x.png", save(graph, tmp_path / "w.json"))) == {"1", "2", "3"}


def test_loras_are_chained_in_order(shipped: str) -> None:
    request = UpscaleRequest(loras=(("detail", 0.5), ("grain.safetensors", -1.0)))
    graph = upscale_graph(request, "x.png", shipped, schema_of)
    refine = by_title(graph)["Refine"]
    last = graph[refine["model"][0]]
    assert refine["clip"] == [refine["model"][0], 1] and refine["model"][1] == 0
    assert (last["inputs"]["lora_name"], last["inputs"]["strength_model"]) == ("grain.safetensors", -1.0)
    first = graph[last["inputs"]["model"][0]]
    assert first["inputs"]["lora_name"] == "style/detail.safetensors"
    assert first["inputs"]["strength_clip"] == first["inputs"]["strength_model"] == 0.5
    assert graph[first["inputs"]["model"][0]]["_meta"]["title"] == "Checkpoint"
    assert first["inputs"]["clip"] == [first["inputs"]["model"][0], 1]


def test_a_control_net_is_added_where_the_workflow_has_none(tmp_path: Path) -> None:
    bare = upscale_graph(UpscaleRequest(control_net=False), "x.png")
    path = save(bare, tmp_path / "bare.json")
    graph = upscale_graph(UpscaleRequest(control_net="TILE-B"), "x.png", path, schema_of)
    refine = by_title(graph)["Refine"]
    assert graph[refine["control_net"][0]]["inputs"] == {"control_net_name": "tile-b.safetensors"}
    assert refine["use_control_net"] is True


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("ponyDiffusionV6XL", "pony/ponyDiffusionV6XL.safetensors"),
        ("PONY/ponydiffusionv6xl.safetensors", "pony/ponyDiffusionV6XL.safetensors"),
        ("sd_xl_base_1.0.safetensors", "sd_xl_base_1.0.safetensors"),
    ],
)
def test_file_names_may_be_short(given: str, file: str) -> None:
    found = by_title(upscale_graph(UpscaleRequest(checkpoint=given), "x.png", "sdxl", schema_of))
    assert found["Checkpoint"]["ckpt_name"] == file


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (UpscaleRequest(checkpoint="sd_xl_bas_1.0.safetensors"), "did you mean"),
        (UpscaleRequest(loras=(("grain", 1.0),)), "lora_name"),  # two files fit
        (UpscaleRequest(control_net="zzz"), "tile-a.safetensors, tile-b.safetensors"),
    ],
)
def test_a_file_that_the_server_lacks_is_named(request_: UpscaleRequest, words: str) -> None:
    with pytest.raises(WorkflowError, match=words):
        upscale_graph(request_, "x.png", "sdxl", schema_of)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 3},
        {"scale": 2, "long_side": 100},
        {"denoise": 1.1},
        {"tile": 64, "overlap": 64},
        {"loras": (("a", float("nan")),)},
    ],
)
def test_a_wrong_request_is_bad_usage(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        UpscaleRequest(**wrong)


def parsed(*arguments: str) -> UpscaleRequest:
    return _request(build_parser().parse_args(["upscale", "a.png", "-o", "b.png", *arguments]))


def test_the_command_line_is_the_request(tmp_path: Path) -> None:
    assert parsed() == UpscaleRequest()
    plan = save({"tiles": []}, tmp_path / "plan.json")
    text = "--scale 4 --tile 512 --overlap 64 --denoise 0.2 --steps 9 --cfg 3 --seed 5 --batch 2 --control-strength 0.4"
    numbers = parsed(*text.split())
    assert (numbers.scale, numbers.tile, numbers.overlap, numbers.denoise) == (4, 512, 64, 0.2)
    assert (numbers.steps, numbers.cfg, numbers.seed, numbers.batch, numbers.control_strength) == (9, 3.0, 5, 2, 0.4)
    words = parsed("--prompt", "p", "--negative", "n", "--plan", str(plan), "--no-caption", "--seam-fix")
    assert (words.prompt, words.negative, words.plan) == ("p", "n", '{"tiles": []}')
    assert (words.caption, words.seam_fix) == (False, True)
    assert parsed("--caption", "--no-seam-fix", "--long-side", "99") == UpscaleRequest(
        caption=True, seam_fix=False, long_side=99
    )
    models = parsed("--checkpoint", "c", "--lora", "a", "--lora", "C:\\b.pt:0.5", "--lora", "x:y", "--controlnet", "t")
    assert models.loras == (("a", 1.0), ("C:\\b.pt", 0.5), ("x:y", 1.0))
    assert (models.checkpoint, models.control_net) == ("c", "t")
    assert parsed("--no-controlnet").control_net is False


def test_no_result_replaces_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.jpg"):
        Path(name).write_bytes(b"x")
    Path("linked.png").symlink_to("a.png")
    Path("b.png").write_bytes(b"x")
    for images, out in (("a.png", "a.png"), ("a.png", "."), ("a.png", "linked.png"), ("b.jpg b.png", ".")):
        with pytest.raises(UsageError, match="would replace an input"):
            targets_of([Path(image) for image in images.split()], Path(out), ".png")
    assert targets_of([Path("a.png")], Path("out"), ".png") == [(Path("a.png"), Path("out/a.png"))]
    assert targets_of([Path("a.png")], Path("."), ".svg") == [(Path("a.png"), Path("a.svg"))]


def test_a_plan_that_is_no_json_is_bad_usage(tmp_path: Path) -> None:
    broken = tmp_path / "plan.json"
    broken.write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        parsed("--plan", str(broken))
    with pytest.raises(UsageError, match="cannot read"):
        parsed("--plan", str(tmp_path / "absent.json"))


# On the real host, with tiny networks.


@pytest.fixture
def workflow(tmp_path: Path, picture: Path) -> Path:
    """Picture -> 2 x 3 tiles of 64 px -> refined, with tiny networks under the titles of the shipped workflows."""
    return save(with_control(tiled("unset.png", steps=1)), tmp_path / "tiny.json")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """112 x 160 px of noise that no earlier test had."""
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng().integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    Image.fromarray(pixels).resize((WIDTH, HEIGHT)).save(path)
    return path


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_picture_is_upscaled_and_every_tile_is_told(
    cli: Cli, host: RunningHost, workflow: Path, picture: Path, tmp_path: Path
) -> None:
    out, report = tmp_path / "big.png", tmp_path / "report.json"
    command = ["upscale", picture, "-o", out, "--workflow", workflow, "--server", host.url, "--json"]
    lines = lines_of(cli(*command, "--set", "Refine.cfg=2.5", "--report", report))
    assert Image.open(out).size == (WIDTH, HEIGHT)
    told = [line for line in lines if line["event"] == "progress" and line["title"] == "Refine"]
    assert {line["text"] for line in told} >= {f"Tile {number} of 6" for number in range(1, 7)}
    assert {line["maximum"] for line in told} == {6.0}
    shares = [line["share"] for line in lines if "share" in line]
    assert shares == sorted(shares) and shares[-1] == 1.0
    reports = json.loads(report.read_text())[str(picture)]
    assert reports["Refine"]["images"][0]["refined"] == 6
    # Again, with one tile's words changed by a plan: one tile is refined.
    plan = save({"tiles": [{"row": 1, "column": 2, "prompt": "a red roof"}]}, tmp_path / "plan.json")
    again = lines_of(cli(*command, "--set", "Refine.cfg=2.5", "--plan", plan))[-1]
    figures = again["reports"]["Refine"]["images"][0]
    assert (figures["refined"], figures["kept"]) == (1, 5)


def test_options_change_the_picture_on_the_server(
    cli: Cli, host: RunningHost, workflow: Path, picture: Path, tmp_path: Path
) -> None:
    folder = host.models / "loras" / "upscale_test"
    folder.mkdir(parents=True, exist_ok=True)
    key = "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_q"
    random = torch.Generator().manual_seed(0)
    weights = {f"{key}.lora_{part}.weight": torch.randn(64, 64, generator=random) for part in ("up", "down")}
    save_file({**weights, f"{key}.alpha": torch.tensor(64.0)}, folder / "tiny_style.safetensors")
    command = ["--workflow", workflow, "--server", host.url, "--set", "Refine.resume=false"]
    pictures = []
    for number, options in enumerate(([], ["--no-controlnet"], ["--lora", "tiny_style:0.9"], ["--seed", "9"])):
        out = tmp_path / f"{number}.png"
        done = cli("upscale", picture, "-o", out, *command, *options)
        assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
        pictures.append(np.asarray(Image.open(out), np.int16))
    for other in pictures[1:]:
        assert np.abs(pictures[0] - other).mean() > 0.1
    lacking = cli("upscale", picture, "-o", tmp_path / "x.png", *command, "--lora", "tiny_stile")
    assert lacking.returncode == 2 and "upscale_test/tiny_style" in lacking.stderr, lacking.stderr
    assert not (tmp_path / "x.png").exists()


def test_a_failed_image_does_not_stop_the_others(
    cli: Cli, host: RunningHost, workflow: Path, picture: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "flat.png"
    flat.write_bytes(b"no picture")
    options = ["--workflow", workflow, "--server", host.url, "-o", tmp_path / "out"]
    done = cli("upscale", flat, picture, *options)
    assert done.returncode in (1, 2) and "flat.png" in done.stderr
    assert done.returncode == 2 or (tmp_path / "out" / "photo.png").is_file()


def test_the_library_function(host: RunningHost, workflow: Path, picture: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    request = UpscaleRequest(prompt="a harbour", scale=1, control_net=False)
    with Client(host.url) as client:
        result = upscale(
            client, picture, tmp_path / "b.png", request, workflow=workflow, on_event=lambda e: heard.append(e.text)
        )
    assert Image.open(tmp_path / "b.png").size == (WIDTH, HEIGHT)
    assert "Tile 6 of 6" in heard and result.reports["Refine"]["images"][0]["refined"] == 6


def test_wrong_usage_is_known_without_a_server(cli: Cli, picture: Path, tmp_path: Path) -> None:
    out = ["-o", tmp_path / "b.png"]
    for arguments in (
        ["--scale", "3"],
        ["--scale", "2", "--long-side", "9"],
        ["--lora"],
        ["--workflow", "absent.json"],
    ):
        done = cli("upscale", picture, *out, *arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "no file" in cli("upscale", tmp_path / "absent.png", *out).stderr
    assert cli("upscale", picture, picture, *out).returncode == 2
