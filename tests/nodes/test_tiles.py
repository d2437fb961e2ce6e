"""TileSplit and TileBlend on the real host."""

import json
import uuid
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from vectrahub.tests.host.runs import Outcome, run
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.rrdbnet import write_rrdbnet

pytestmark = pytest.mark.host


def core(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def graph(source: dict[str, Any], blend: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    split = {"upscale": "2x", "long_side": 1024, "method": "lanczos", "tile": 128, "overlap": 32, **inputs}
    return {
        "1": source,
        "2": core("VectraHub_TileSplit", image=["1", 0], **split),
        "3": core("VectraHub_TileBlend", **{"tiles": ["2", 0], "grid": ["2", 1], "match": "none", **(blend or {})}),
        "4": core("PreviewImage", images=["3", 0]),
        "5": core("PreviewImage", images=["2", 2]),
        "6": core("PreviewImage", images=["2", 0]),
    }


def photo(host: RunningHost, width: int = 150, height: int = 110, mode: str = "RGB") -> dict[str, Any]:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    name = f"photo {uuid.uuid4().hex[:8]}.png"
    Image.fromarray(pixels).convert(mode).save(host.input / name)
    return core("LoadImage", image=name)


def report(outcome: Outcome, node: str) -> dict[str, Any]:
    assert outcome.problem is None, outcome.problem
    return json.loads(outcome.entry["outputs"][node]["vectrahub_report"][0])["images"][0]


def pictures(outcome: Outcome, node: str) -> list[np.ndarray]:
    assert outcome.problem is None, outcome.problem
    files = outcome.entry["outputs"][node]["images"]
    url = f"{outcome.host.url}/view"
    return [
        np.asarray(Image.open(BytesIO(httpx.get(url, params=file, trust_env=False, timeout=60).content)).convert("RGB"))
        for file in files
    ]


def test_split_and_blend_give_the_enlarged_image(host: RunningHost) -> None:
    outcome = run(host, graph(photo(host)))
    joined, image, tiles = (pictures(outcome, node) for node in ("4", "5", "6"))
    assert joined[0].shape == (220, 300, 3)
    assert np.abs(joined[0].astype(int) - image[0]).max() <= 1  # saved by cutting off the fraction
    assert len(tiles) == 6 and all(tile.shape == (128, 128, 3) for tile in tiles)
    assert np.array_equal(tiles[4], image[0][92:, 96:224])
    figures = {"size_out": [300, 220], "tile": 128, "overlap": 32, "rows": 2, "columns": 3, "padding": [0, 0]}
    assert report(outcome, "2") == {"engine": "lanczos", "size_in": [150, 110], **figures}
    assert report(outcome, "3") == {"match": "none", **figures}


@pytest.mark.parametrize(
    ("settings", "size", "engine"),
    [
        ({"upscale": "none"}, [150, 110], "none"),
        ({"upscale": "none", "method": "model"}, [150, 110], "none"),
        ({"upscale": "4x", "method": "bicubic"}, [600, 440], "bicubic"),
        ({"upscale": "long side", "long_side": 100}, [100, 73], "lanczos"),
    ],
)
def test_sizes_and_methods(host: RunningHost, settings: dict[str, Any], size: list[int], engine: str) -> None:
    outcome = run(host, graph(photo(host), **settings))
    assert (report(outcome, "2")["size_out"], report(outcome, "2")["engine"]) == (size, engine)
    assert pictures(outcome, "4")[0].shape == (size[1], size[0], 3)


def test_smaller_than_a_tile(host: RunningHost) -> None:
    outcome = run(host, graph(photo(host, 1, 1), upscale="none"))
    assert report(outcome, "2")["padding"] == [127, 127]
    assert np.array_equal(pictures(outcome, "4")[0], pictures(outcome, "5")[0])


def test_a_network_enlarges_to_the_exact_size(host: RunningHost) -> None:
    folder = host.models / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    name = write_rrdbnet(folder / f"Tiny_x2_{uuid.uuid4().hex[:8]}.safetensors", 2).name
    body = graph(photo(host, 60, 40), upscale="long side", long_side=130, method="model", upscale_model=["7", 0])
    outcome = run(host, body | {"7": core("UpscaleModelLoader", model_name=name)})
    assert report(outcome, "2")["engine"] == "model x2, 1 pass"
    assert pictures(outcome, "5")[0].shape == (87, 130, 3)


@pytest.mark.parametrize("match", ["lab", "wavelet"])
def test_match_brings_the_source_back(host: RunningHost, match: str) -> None:
    body = graph(photo(host), {"tiles": ["7", 0], "match": match, "source": ["2", 2]})
    darker = core("ImageBlend", image1=["2", 0], image2=["8", 0], blend_factor=0.4, blend_mode="normal")
    black = core("EmptyImage", width=128, height=128, batch_size=1, color=0)
    outcome = run(host, body | {"7": darker, "8": black})
    assert report(outcome, "3")["match"] == match
    drift, image = (pictures(outcome, node)[0].astype(int) for node in ("4", "5"))
    assert abs(drift.mean() - image.mean()) < 6 < 0.3 * image.mean()


def test_tiles_may_come_as_one_batch(host: RunningHost) -> None:
    batch = core("VectraHubTest_Batch", count=6, width=128, height=128)
    outcome = run(host, graph(photo(host), {"tiles": ["7", 0]}) | {"7": batch})
    assert pictures(outcome, "4")[0].shape == (220, 300, 3)


def error(host: RunningHost, body: dict[str, Any]) -> str:
    return run(host, body).error


def test_bad_input(host: RunningHost) -> None:
    source = photo(host)
    batch = core("VectraHubTest_Batch", count=2, width=64, height=64)
    assert "2 VectraHub_TileSplit: Images to split into tiles: got shape (2, 64" in error(host, graph(batch))
    assert "Tile size: got 132 px" in error(host, graph(source, tile=132))
    assert "less than the tile" in error(host, graph(source, overlap=128))
    assert "Connect Load Upscale Model" in error(host, graph(source, method="model"))
    large = core("EmptyImage", width=8200, height=8, batch_size=1, color=0)
    assert "allowed 1 to 16384 px" in error(host, graph(large))
    assert "Connect the 'image' output of Tile Split" in error(host, graph(source, {"match": "lab"}))
    one = {"tiles": ["7", 0]}
    assert "3 VectraHub_TileBlend: Number of tiles: got 2, allowed 6" in error(host, graph(source, one) | {"7": batch})
    small = core("VectraHubTest_Batch", count=6, width=64, height=64)
    assert "Size of tile 1 (row 1, column 1)" in error(host, graph(source, one) | {"7": small})
    other = {"match": "lab", "source": ["1", 0]}
    assert "does not fit the tile grid" in error(host, graph(source, other))
    list_ = core("VectraHubTest_List", count=1, broken=1, salt=0)
    nan = graph(list_, upscale="none", tile=448, overlap=0)
    assert "Values of tile 1 (row 1, column 1): got 1 of 602112 are NaN" in error(host, nan)
    grids = graph(core("VectraHubTest_List", count=1, broken=0, salt=1)) | {
        "8": core("RebatchImages", images=["9", 0], batch_size=1),
        "9": core("VectraHubTest_Batch", count=2, width=150, height=110),
    }
    grids["2"]["inputs"]["image"] = ["8", 0]
    assert "Tile grids: got 2, allowed one" in error(host, grids)


@pytest.mark.parametrize("settings", [{"tile": 8}, {"overlap": -1}, {"upscale": "8x"}, {"long_side": 20000}])
def test_values_outside_the_schema_are_refused(host: RunningHost, settings: dict[str, Any]) -> None:
    body = {"prompt": graph(photo(host), **settings)}
    reply = httpx.post(f"{host.url}/prompt", json=body, trust_env=False, timeout=60)
    assert reply.status_code == 400 and next(iter(settings)) in json.dumps(reply.json()["node_errors"]["2"])
