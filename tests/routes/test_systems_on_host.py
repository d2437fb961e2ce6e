"""The systems' graphs on the real host: it takes each of them, captions come back by name, tiles in their sizes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from vectrahub.tests.client.graphs import node, slow
from vectrahub.tests.host.runs import Graph, post, submit
from vectrahub.tests.host.tile_graphs import new_picture
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.tiny_captioner import write_tiny_captioner
from vectrahub.vectrahub_client import Client, JobResult
from vectrahub.vectrahub_client._workflow import find_node, is_link
from vectrahub.vectrahub_client.errors import UsageError, WorkflowError
from vectrahub.vectrahub_client.service.systems.registry import EVERY_SYSTEM, SYSTEMS

pytestmark = pytest.mark.host

# What the shipped workflows load, as files that nobody reads here: folder of models -> names.
NAMED = {
    "checkpoints": ["sam3.1_multiplex_fp16", "sd_xl_base_1.0", "flux1-dev-fp8"],
    "background_removal": ["birefnet"],
    "geometry_estimation": ["depth_anything_3_mono_large"],
    "controlnet": [
        "controlnet-depth-sdxl-1.0",
        "controlnet-canny-sdxl-1.0",
        "controlnet-tile-sdxl-1.0",
        "Flux.1-dev-Controlnet-Upscaler",
    ],
    "loras": ["grain"],
}


@pytest.fixture
def client(host: RunningHost) -> Iterator[Client]:
    """One for each test, because it keeps what it was told of the host's files."""
    with Client(host.url) as client:
        yield client


@pytest.fixture(scope="module")
def named(host: RunningHost) -> Iterator[RunningHost]:
    """The session's host with those files, for as long as they are needed."""
    files = [host.models / folder / f"{name}.safetensors" for folder, names in NAMED.items() for name in names]
    made = [file for file in files if not file.exists()]
    for file in made:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    try:
        yield host
    finally:
        for file in made:
            file.unlink()


def built(client: Client, system: str, params: dict[str, Any], files: dict[str, str]) -> Graph:
    found = EVERY_SYSTEM[system]
    return found.build(found.params.model_validate(params), files, client.schema)


ORDERS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("vectorize", {"route": "illustration", "colors": 8, "draft": True}, ("image",)),
    ("upscale", {}, ("image",)),
    ("upscale", {"scale": 4, "checkpoint": "sd_xl_base_1.0", "loras": [["grain", 0.5]], "caption": False}, ("image",)),
    ("upscale", {"workflow": "flux", "control_net": False, "seed": 2**64 - 1}, ("image",)),
    ("caption", {"style": "sentence", "temperature": 0.5}, tuple(f"picture {number}" for number in range(12))),
    ("logo", {"prompt": "a paper plane", "sizes": [64, 512], "svg": True, "guidance": 3}, ()),
    ("tryon", {"mode": "lora", "resolution": "480p", "comparison": True}, ("person", "garment")),
    ("tryon", {"cfg": 20}, ("person", "garment", "mask")),
    ("vehicle", {"palette": ["#F00", "00FF00"], "preview": True, "loras": [["grain", 1]]}, ("image",)),
    ("vehicle", {"skip": ["sanitize", "vectorize"], "retries": 0}, ("image",)),
    (
        "tiles",
        {
            "checkpoint": "z-image",
            "names": {"z-image": "sd_xl_base_1.0", "sdxl-tile": "controlnet-tile-sdxl-1.0"},
            "loras": [["grain", 1]],
            "control_net": "sdxl-tile",
            "tiles": [{"tile_id": "0_0"}, {"tile_id": "0_1", "side": 64}],
        },
        ("0_0", "0_1"),
    ),
]


@pytest.mark.parametrize(("system", "params", "files"), ORDERS, ids=[f"{one[0]} {len(one[1])}" for one in ORDERS])
def test_the_host_takes_the_graph(
    named: RunningHost, client: Client, system: str, params: dict[str, Any], files: tuple[str, ...]
) -> None:
    graph = built(client, system, params, {name: new_picture(named) for name in files})
    before = submit(named, slow(60))  # so that nothing of it runs
    try:
        answer = post(named, graph)
        assert answer.status_code == 200, answer.text
        assert not answer.json()["node_errors"]
        client.cancel(answer.json()["prompt_id"])
    finally:
        client.cancel(before)


@pytest.mark.parametrize("system", [name for name in SYSTEMS if name != "workflows"])
def test_a_stated_range_is_within_that_of_the_node(client: Client, system: str) -> None:
    """The lowest and highest values that a schema allows, where they arrive in the graph."""
    least: dict[str, Any] = {"prompt": "a plane"} if system == "logo" else {}
    files = {name: "x.png" for name in SYSTEMS[system].files} or {"x": "x.png"}
    plain = built(client, system, least, files)
    wrong, checked = [], set()
    for field, about in SYSTEMS[system].params.model_json_schema()["properties"].items():
        kind = next((one for one in about.get("anyOf", [about]) if "maximum" in one), None)
        for bound in () if kind is None else (kind["minimum"], kind["maximum"]):
            for owner, name, value in changed(plain, built(client, system, {**least, field: bound}, files)):
                schema = client.schema(owner)
                assert schema is not None
                options = {**schema["input"].get("required", {}), **schema["input"].get("optional", {})}[name][1]
                checked.add(field)
                if not options["min"] <= value <= options["max"]:
                    wrong.append(f"{field} {bound}: {owner}.{name} takes {options['min']} to {options['max']}")
    assert not wrong
    assert checked


def changed(one: Graph, other: Graph) -> Iterator[tuple[str, str, float]]:
    """(class, input, value) of the numbers in `other` that are not those of `one`."""
    for key, taken in other.items():
        before = one[key]["inputs"] if key in one else {}
        for name, value in taken["inputs"].items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and before.get(name) != value:
                yield taken["class_type"], name, value


def test_what_the_host_lacks_is_named(client: Client, host: RunningHost) -> None:
    with pytest.raises(WorkflowError, match=r"Checkpoint\.ckpt_name has no choice 'z-image'"):
        built(client, "tiles", {"checkpoint": "z-image", "tiles": [{"tile_id": "1"}]}, {"1": "x.png"})


# Captions


@pytest.fixture(scope="module")
def captioner(host: RunningHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """The session's host with a tiny captioner, `spoken`."""
    written = write_tiny_captioner(tmp_path_factory.mktemp("captioner") / "spoken")
    place = host.models / "LLM"
    place.mkdir(exist_ok=True)
    (place / "spoken").symlink_to(written, target_is_directory=True)
    try:
        yield host
    finally:
        shutil.rmtree(place)


def film(host: RunningHost) -> str:
    """A picture of two frames."""
    first, second = (Image.open(host.input / new_picture(host)) for _ in range(2))
    first.save(host.input / "film.gif", save_all=True, append_images=[second])
    return "film.gif"


def test_captions_come_back_by_the_names_of_their_pictures(captioner: RunningHost, client: Client) -> None:
    """More pictures than one list of the host's takes, of several sizes, the first one with two frames."""
    params = {"model": "spoken", "max_tokens": 12}
    pictures = {"film": film(captioner)} | {f"0_{n}": new_picture(captioner, 64 + 8 * n, 64) for n in range(11)}
    graph = built(client, "caption", params, pictures)
    told = SYSTEMS["caption"].tell(graph, client.run(graph, timeout=240).reports)
    captions = told["captions"]
    assert list(captions) == list(pictures) and all(captions.values())
    assert len(set(captions.values())) > 6, "a random network's, but each of its own picture"
    assert max(image["batch"] for image in told["Captions"]["images"]) == 2, "several at a time"
    for name in ("film", "0_10"):
        alone = built(client, "caption", params, {name: pictures[name]})
        said = SYSTEMS["caption"].tell(alone, client.run(alone, timeout=240).reports)["captions"]
        assert said == {name: captions[name]}


def test_a_captioner_that_is_not_there_is_named(captioner: RunningHost, client: Client) -> None:
    with pytest.raises(UsageError, match="'7b'; one of: auto, spoken"):
        built(client, "caption", {"model": "7b"}, {"a": "a.png"})


# Tiles


@pytest.fixture(scope="module")
def loras(named: RunningHost) -> Iterator[None]:
    """Two LoRAs that fit the tiny SDXL."""
    random = torch.Generator().manual_seed(1)
    files = [named.models / "loras" / f"tiled_{name}.safetensors" for name in ("one", "two")]
    for file in files:
        shapes = {"lora_up": (128, 4), "lora_down": (4, 32)}  # of the layer's (128, 32)
        part = {f"lora_unet_time_embed_0.{k}.weight": torch.randn(s, generator=random) for k, s in shapes.items()}
        save_file(part, file)
    yield
    for file in files:
        file.unlink()


def refined(host: RunningHost, client: Client, pictures: dict[str, str], **params: Any) -> dict[str, np.ndarray]:
    """{tile id: its picture (H, W, 3)}, by the tiny SDXL in the checkpoint's place."""
    tiles = [{"tile_id": name, "side": 128} for name in pictures]
    given = {"checkpoint": "sd_xl_base_1.0", "tiles": tiles, "steps": 2, "cfg": 3, "denoise": 0.6, **params}
    graph = built(client, "tiles", given, pictures)
    graph[find_node(graph, "Checkpoint")] = node("Checkpoint", "VectraHubTest_TinySDXL", seed=0)
    result: JobResult = client.run(graph, timeout=240)
    paths = {file.title: host.output / file.subfolder / file.filename for file in result.files}
    return {title: opened(path) for title, path in paths.items()}


def opened(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), np.int16)


def test_tiles_keep_their_sizes_and_take_every_lora(named: RunningHost, client: Client, loras: None) -> None:
    """One is smaller than its square and of an odd size, one is larger."""
    pictures = {"0_0": new_picture(named, 75, 50), "0_1": new_picture(named, 200, 136)}
    one, two = ["tiled_one", 0.8], ["tiled_two", 0.8]
    plain, first, both = (refined(named, client, pictures, loras=chain) for chain in ([], [one], [one, two]))
    assert {name: tile.shape for name, tile in both.items()} == {"0_0": (50, 75, 3), "0_1": (136, 200, 3)}
    for name in pictures:
        assert np.abs(plain[name] - first[name]).mean() > 0.1
        assert np.abs(both[name] - first[name]).mean() > 0.1
        assert np.abs(plain[name] - opened(named.input / pictures[name])).mean() > 0.5


def test_a_tile_has_a_seed_and_words_of_its_own(named: RunningHost, client: Client) -> None:
    same = new_picture(named, 64, 64)
    made = refined(named, client, {"a": same, "b": same}, seed=3)
    assert np.abs(made["a"] - made["b"]).mean() > 0.1
    later = refined(named, client, {"c": same}, seed=4)
    assert np.array_equal(made["b"], later["c"]), "the second tile's seed is the first one's and one"
    tiles = [{"tile_id": "d", "prompt": "a wall", "side": 128}]
    assert np.abs(refined(named, client, {"d": same}, seed=4, tiles=tiles)["d"] - later["c"]).mean() > 0.1


# Workflows


def test_what_the_host_had_made_for_another_graph_is_named_by_this_one(host: RunningHost, client: Client) -> None:
    picture = new_picture(host, 64, 64)
    for number, title in (("2", "Keep"), ("7", "Mine")):
        body = {
            "1": node("Photo", "LoadImage", image=picture),
            number: node(title, "SaveImage", images=["1", 0], filename_prefix="cached"),
        }
        graph = built(client, "workflows", {"workflow": body}, {})
        assert [file.title for file in client.run(graph, timeout=120).files] == [title]


def test_a_workflow_of_ones_own_runs_with_its_file_and_values(host: RunningHost, client: Client) -> None:
    body = {
        "1": node("Photo", "LoadImage", image="none.png"),
        "2": node("Size", "ImageScale", image=["1", 0], upscale_method="area", width=8, height=8, crop="disabled"),
        "3": node("Keep", "SaveImage", images=["2", 0], filename_prefix="own"),
    }
    graph = built(client, "workflows", {"workflow": body, "set": {"width": 20}}, {"Photo": new_picture(host)})
    assert is_link(graph["2"]["inputs"]["image"])
    (file,) = client.run(graph, timeout=120).files
    assert opened(host.output / file.subfolder / file.filename).shape == (8, 20, 3)
    assert httpx.get(f"{host.url}/queue", timeout=30, trust_env=False).json()["queue_pending"] == []
