"""`tryon`: the request as a graph, what is checked before, and what goes up and comes down on the real host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.client.conftest import Cli
from vectrahub.tests.client.graphs import Graph, node, save
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.vectrahub_client import Client, TryOnFiles, TryOnRequest, tryon, tryon_graph
from vectrahub.vectrahub_client._outputs import JobResult, OutputFile
from vectrahub.vectrahub_client.cli.main import build_parser
from vectrahub.vectrahub_client.errors import OutputError, UsageError, WorkflowError
from vectrahub.vectrahub_client.tryon import MODES, RESOLUTIONS, download_tryon, uploaded_graph
from vectrahub.vectrahub_client.vectorize import shipped_workflow


def shipped() -> Graph:
    return json.loads(shipped_workflow("tryon_qwen_edit_2511").read_text(encoding="utf-8"))


def by_title(graph: Graph) -> dict[str, dict[str, Any]]:
    return {one["_meta"]["title"]: one["inputs"] for one in graph.values()}


def test_every_option_reaches_its_node() -> None:
    full = TryOnRequest(mode="lora", resolution="480p", seed=7, steps=8, cfg=2.5, prompt="wear it")
    graph = tryon_graph(full, "p.png", "g.png", "m.png", comparison=True)
    found = by_title(graph)
    assert (found["Person"]["image"], found["Garment"]["image"]) == ("p.png", "g.png")
    assert found["Prepare"]["resolution"] == "480p"
    wanted = {"mode": "lora", "seed": 7, "steps": 8, "cfg": 2.5, "prompt": "wear it", "comparison": True}
    assert {name: found["Try on"][name] for name in wanted} == wanted
    loader, slot = found["Try on"]["mask"]
    assert slot == 0 and graph[loader]["class_type"] == "LoadImageMask"
    assert graph[loader]["inputs"] == {"image": "m.png", "channel": "red"}
    assert "Save comparison" in found


def test_nothing_asked_changes_nothing_but_the_pictures() -> None:
    whole = by_title(shipped())
    plain = by_title(tryon_graph(TryOnRequest(), "p.png", "g.png"))
    assert {title for title, inputs in plain.items() if inputs != whole[title]} == {"Person", "Garment"}
    assert set(whole) - set(plain) == {"Save comparison"}


def test_a_mask_takes_the_place_of_the_workflows_own(tmp_path: Path) -> None:
    graph = shipped()
    graph["20"] = node("My mask", "LoadImageMask", image="old.png", channel="red")
    by_title(graph)["Try on"]["mask"] = ["20", 0]
    path = save(graph, tmp_path / "w.json")
    assert "My mask" in by_title(tryon_graph(TryOnRequest(), "p", "g", workflow=path))
    found = by_title(tryon_graph(TryOnRequest(), "p", "g", "new.png", workflow=path))
    assert "My mask" not in found and found["Mask"]["image"] == "new.png"


def test_a_workflow_that_lacks_a_node_is_named(tmp_path: Path) -> None:
    path = save(tryon_graph(TryOnRequest(), "p", "g"), tmp_path / "w.json")
    with pytest.raises(WorkflowError, match="Save comparison"):
        tryon_graph(TryOnRequest(), "p", "g", comparison=True, workflow=path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "fp16"},
        {"resolution": "4k"},
        {"seed": -1},
        {"seed": 10**400},
        {"steps": -1},
        {"cfg": float("inf")},
        {"cfg": -0.1},
    ],
)
def test_a_wrong_request_is_bad_usage(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        TryOnRequest(**wrong)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two pictures of one name in the current folder, a.png and b/a.png."""
    monkeypatch.chdir(tmp_path)
    for folder, color in ((".", "red"), ("b", "blue")):
        Path(folder).mkdir(exist_ok=True)
        Image.new("RGB", (96, 160), color).save(Path(folder) / "a.png")
    return Path("a.png"), Path("b/a.png")


def test_no_result_replaces_anything_it_should_not(pictures: tuple[Path, Path]) -> None:
    person, garment = pictures
    mask = Path("mask.png")
    Image.new("L", (4, 4)).save(mask)
    Path("linked.png").symlink_to("a.png")
    Path("folder.png").mkdir()
    for target, comparison in (
        ("a.png", None),
        ("b/../b/a.png", None),
        ("mask.png", None),
        ("linked.png", None),
        ("out.png", "mask.png"),
        ("out.png", "out.png"),
        ("out.jpg", None),
        ("folder.png", None),
        ("out.png", "out.svg"),
    ):
        with pytest.raises(UsageError, match="the result"):
            TryOnFiles(person, garment, Path(target), mask, Path(comparison) if comparison else None)
    with pytest.raises(UsageError, match="no file"):
        TryOnFiles(person, Path("absent.png"), Path("out.png"))
    assert TryOnFiles(person, garment, Path("OUT.PNG"), mask, Path("c.png")).mask == mask


def test_the_command_line_is_the_request() -> None:
    text = "tryon p.png g.png -o o.png --mode base --resolution 1080p --seed 3 --steps 0 --cfg 4 --mask m.png"
    given = vars(build_parser().parse_args([*text.split(), "--comparison", "c.png", "--prompt", "two words"]))
    request = TryOnRequest(**{name: given[name] for name in TryOnRequest.__dataclass_fields__})
    assert request == TryOnRequest("base", "1080p", 3, 0, 4.0, "two words")
    files = {name: given[name] for name in TryOnFiles.__dataclass_fields__}
    assert files == {
        "person": Path("p.png"),
        "garment": Path("g.png"),
        "target": Path("o.png"),
        "mask": Path("m.png"),
        "comparison": Path("c.png"),
    }


def test_wrong_usage_is_known_without_a_server(cli: Cli, pictures: tuple[Path, Path], tmp_path: Path) -> None:
    both = [tmp_path / path for path in pictures]
    for arguments in (
        [both[0], "-o", "o.png"],
        [*both],
        [*both, "-o", both[0]],
        [*both, "-o", "o.png", "--mode", "fp16"],
        [*both, "-o", "o.png", "--resolution", "8k"],
        [*both, "-o", "o.png", "--steps", "-2"],
        [*both, "-o", "o.png", "--mask", "absent.png"],
        [*both, "-o", "o.png", "--workflow", "absent.json"],
        [tmp_path / "absent.png", both[1], "-o", "o.png"],
    ):
        done = cli("tryon", *arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr


# On the real host. Core nodes stand in for the network: what is tested is the client's part.


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """Under the titles of the shipped workflow: the result is the garment where the mask is, else the person."""
    graph = {
        "1": node("Person", "LoadImage", image="x.png"),
        "2": node("Garment", "LoadImage", image="x.png"),
        "3": node("Nowhere", "SolidMask", value=0.0, width=96, height=160),
        "4": node(
            *("Try on", "ImageCompositeMasked"),
            **{"destination": ["1", 0], "source": ["2", 0], "x": 0, "y": 0, "resize_source": True, "mask": ["3", 0]},
        ),
        "5": node("Save", "SaveImage", images=["4", 0], filename_prefix="tryon"),
        "6": node("Both", "ImageStitch", image1=["1", 0], image2=["4", 0], **_STITCH),
        "7": node("Save comparison", "SaveImage", images=["6", 0], filename_prefix="tryon_comparison"),
    }
    return save(graph, tmp_path / "w.json")


_STITCH = {"direction": "right", "match_image_size": True, "spacing_width": 0, "spacing_color": "white"}


def test_pictures_of_one_name_do_not_collide(host: RunningHost, pictures: tuple[Path, Path]) -> None:
    with Client(host.url) as client:
        found = by_title(uploaded_graph(client, TryOnFiles(*pictures, Path("o.png")), TryOnRequest()))
    names = found["Person"]["image"], found["Garment"]["image"]
    assert names[0] != names[1]
    colors = [Image.open(host.input / name).getpixel((0, 0)) for name in names]
    assert colors == [(255, 0, 0), (0, 0, 255)]


def color_at(path: Path, x: int, y: int) -> str:
    red, green, blue = np.asarray(Image.open(path).convert("RGB"), np.int16)[y, x]
    assert green < 8 and abs(red - blue) > 240
    return "red" if red > blue else "blue"


def test_white_in_the_mask_is_where_the_garment_goes(
    cli: Cli, host: RunningHost, workflow: Path, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    both = [tmp_path / path for path in pictures]
    mask = Image.new("L", (96, 160))
    mask.paste(255, (0, 80, 96, 160))
    mask.save(tmp_path / "mask.png")
    out, compared = tmp_path / "new" / "out.png", tmp_path / "c.png"
    command = ["tryon", *both, "-o", out, "--workflow", workflow, "--server", host.url]
    done = cli(*command, "--mask", tmp_path / "mask.png", "--comparison", compared, "--report", tmp_path / "r.json")
    assert (done.returncode, done.stdout) == (0, f"{out}\n{compared}\n"), done.stderr
    assert [color_at(out, 48, y) for y in (10, 150)] == ["red", "blue"]
    assert Image.open(compared).size == (192, 160)
    assert json.loads((tmp_path / "r.json").read_text()) == {str(both[0]): {}}
    # Without either, and over an old result.
    assert cli(*command).returncode == 0
    assert {color_at(out, x, y) for x in (0, 48, 95) for y in (0, 80, 159)} == {"red"}
    assert cli(*command, "--set", "Try on.x=48", "--mask", tmp_path / "mask.png").returncode == 0
    assert [color_at(out, x, 150) for x in (10, 90)] == ["red", "blue"]


def test_the_library_function(host: RunningHost, workflow: Path, pictures: tuple[Path, Path], tmp_path: Path) -> None:
    with Client(host.url) as client:
        result = tryon(client, TryOnFiles(*pictures, tmp_path / "o.png"), workflow=workflow)
        assert Image.open(tmp_path / "o.png").size == (96, 160) and result.seconds > 0
        graph = json.loads(workflow.read_text())
        graph["5"]["class_type"] = "SaveAnimatedWEBP"
        graph["5"]["inputs"] |= {"fps": 1.0, "lossless": True, "quality": 80, "method": "default"}
        with pytest.raises(OutputError, match="'Save' saved no PNG"):
            tryon(client, TryOnFiles(*pictures, tmp_path / "p.png"), workflow=save(graph, tmp_path / "webp.json"))
    assert not (tmp_path / "p.png").exists()


def test_nothing_is_replaced_unless_all_of_it_is_a_png(
    host: RunningHost, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "o.png").write_bytes(b"old")
    Image.new("RGB", (4, 4)).save(host.output / "good.png")
    (host.output / "bad.png").write_bytes(b"no picture")
    files = TryOnFiles(*pictures, tmp_path / "o.png", comparison=tmp_path / "new" / "c.png")
    good, bad, both = (
        OutputFile("1", title, name, "", "output")
        for title, name in (("Save", "good.png"), ("Save comparison", "bad.png"), ("Save comparison", "good.png"))
    )
    with Client(host.url) as client:
        with pytest.raises(OutputError, match="'Save comparison' saved a file that is no PNG"):
            download_tryon(client, JobResult("id", (good, bad), {}, {}, 0.0), files)
        assert (tmp_path / "o.png").read_bytes() == b"old" and not any((tmp_path / "new").iterdir())
        result = JobResult("id", (good, both), {}, {}, 0.0)
        (tmp_path / "new" / "c.png").mkdir()
        with pytest.raises(OutputError, match="a folder"):
            download_tryon(client, result, files)
        assert (tmp_path / "o.png").read_bytes() == b"old"
        (tmp_path / "new" / "c.png").rmdir()
        assert download_tryon(client, result, files) == files.results
    assert Image.open(tmp_path / "new" / "c.png").size == (4, 4)


def test_the_choices_are_those_of_the_nodes(host: RunningHost) -> None:
    with Client(host.url) as client:
        try_on, prepare = (client.schema(f"VectraHub_{name}") for name in ("VTONTryOn", "VTONPrepare"))
    assert try_on and tuple(try_on["input"]["required"]["mode"][1]["options"]) == MODES
    assert prepare and tuple(prepare["input"]["required"]["resolution"][1]["options"]) == RESOLUTIONS
