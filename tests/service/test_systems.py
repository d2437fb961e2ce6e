"""The systems without a server: what their models take, and the graphs that they build."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

import pytest
from pydantic import Field, ValidationError

from vectrahub.vectrahub_client import LogoRequest, TryOnRequest, UpscaleRequest, VectorizeRequest, VehicleRequest
from vectrahub.vectrahub_client._workflow import Graph, find_node, title_of
from vectrahub.vectrahub_client.caption import CaptionRequest
from vectrahub.vectrahub_client.errors import UsageError, WorkflowError
from vectrahub.vectrahub_client.service.systems.mirror import mirrored
from vectrahub.vectrahub_client.service.systems.registry import EVERY_SYSTEM, SYSTEMS
from vectrahub.vectrahub_client.service.systems.toolbox_tiles import seeds_of

REQUESTS = {
    "vectorize": VectorizeRequest,
    "upscale": UpscaleRequest,
    "caption": CaptionRequest,
    "logo": LogoRequest,
    "tryon": TryOnRequest,
    "vehicle": VehicleRequest,
}
FILES = {name: {file: f"vectrahub/jobs/1/{file}.png" for file in system.files} for name, system in SYSTEMS.items()}
LEAST: dict[str, dict[str, Any]] = {"logo": {"prompt": "a paper plane"}}


def built(system: str, params: dict[str, Any], files: dict[str, str] | None = None, schema_of: Any = None) -> Graph:
    """As the service does it: JSON in, graph out."""
    found = EVERY_SYSTEM[system]
    values = found.params.model_validate(json.loads(json.dumps(params)))
    return found.build(values, FILES.get(system, {}) if files is None else files, schema_of)


def inputs(graph: Graph, title: str) -> dict[str, Any]:
    return graph[find_node(graph, title)]["inputs"]


def test_the_systems_are_those_of_the_addresses() -> None:
    assert list(SYSTEMS) == ["vectorize", "upscale", "caption", "logo", "tryon", "vehicle", "workflows"]
    assert all(name == system.name and system.summary for name, system in EVERY_SYSTEM.items())


@pytest.mark.parametrize("name", REQUESTS)
def test_a_model_has_the_fields_and_defaults_of_its_request(name: str) -> None:
    params = SYSTEMS[name].params.model_validate(LEAST.get(name, {}))
    for field in fields(REQUESTS[name]):
        assert getattr(params, field.name) == field.default, field.name


@pytest.mark.parametrize("name", EVERY_SYSTEM)
def test_a_schema_describes_every_field_and_closes_the_object(name: str) -> None:
    schema = EVERY_SYSTEM[name].params.model_json_schema()
    assert schema["additionalProperties"] is False
    for field, about in schema["properties"].items():
        assert about["description"].endswith("."), field
        kinds = about.get("anyOf", [about])
        for kind in kinds:
            if kind.get("type") in ("integer", "number"):
                ranged = {"minimum", "maximum"} <= set(kind)
                assert ranged or "enum" in about or name == "workflows", f"{field} states no range"


BAD: list[tuple[str, dict[str, Any]]] = [
    ("vectorize", {"colours": 3}),
    ("vectorize", {"colors": "3"}),
    ("vectorize", {"colors": 33}),
    ("vectorize", {"colors": True}),
    ("vectorize", {"route": "photo"}),
    ("vectorize", {"draft": 1}),
    ("upscale", {"scale": True}),
    ("upscale", {"workflow": None}),
    ("upscale", {"workflow": "/etc/passwd"}),
    ("upscale", {"tile": 100}),
    ("upscale", {"loras": [["a"]]}),
    ("upscale", {"loras": [["a", float("inf")]]}),
    ("logo", {}),
    ("logo", {"prompt": "  a  "}),
    ("logo", {"prompt": "a plane", "sizes": []}),
    ("logo", {"prompt": "a plane", "sizes": [4]}),
    ("tryon", {"mode": "fp16"}),
    ("vehicle", {"palette": ["red"]}),
    ("vehicle", {"skip": ["paint"]}),
    ("workflows", {}),
    ("workflows", {"workflow": {}}),
    ("workflows", {"workflow": {"1": {}}, "set": {"a": [1]}}),
    ("tiles", {"checkpoint": "x", "tiles": []}),
]


@pytest.mark.parametrize(("name", "params"), BAD, ids=[f"{name} {list(one.items())}"[:40] for name, one in BAD])
def test_a_model_refuses_what_its_schema_excludes(name: str, params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EVERY_SYSTEM[name].params.model_validate(params)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("upscale", {"scale": 3}, "scale is one of"),
    ("upscale", {"scale": 2, "long_side": 512}, "not both"),
    ("upscale", {"tile": 64, "overlap": 64}, "less than tile"),
    ("vehicle", {"skip": ["sanitize", "stylize", "quantize", "vectorize"]}, "nothing is left"),
    ("vehicle", {"skip": ["vectorize"], "preview": True}, "preview"),
    ("workflows", {"workflow": {"nodes": []}}, "UI format"),
    ("workflows", {"workflow": {"1": {}}}, "class_type"),
]


@pytest.mark.parametrize(("name", "params", "said"), REFUSED)
def test_what_no_schema_can_say_is_refused_by_the_request(name: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        built(name, params)


@pytest.mark.parametrize("name", ["vectorize", "upscale", "logo", "tryon", "vehicle"])
def test_without_values_the_shipped_workflow_gets_the_files(name: str) -> None:
    graph = built(name, LEAST.get(name, {}))
    loaded = {node["inputs"].get("image") for node in graph.values() if node["class_type"].startswith("LoadImage")}
    assert loaded == set(FILES[name].values())


def test_values_reach_the_nodes() -> None:
    assert inputs(built("vectorize", {"colors": 5, "route": "logo"}), "Palette")["colors"] == 5
    flux = built("upscale", {"workflow": "flux", "scale": 4, "loras": [["grain", 0.5]]})
    assert inputs(flux, "Split")["upscale"] == "4x" and inputs(flux, "LoRA")["strength_model"] == 0.5
    assert "flux" in inputs(flux, "Checkpoint")["ckpt_name"]
    logo = built("logo", {"prompt": " a plane ", "svg": True, "sizes": [64, 128]})
    assert inputs(logo, "Prompt")["prompt"] == "a plane" and inputs(logo, "Sizes")["sizes"] == "64, 128"
    assert find_node(logo, "Save SVG")
    assert inputs(built("tryon", {"comparison": True}), "Try on")["comparison"] is True
    with pytest.raises(WorkflowError):
        find_node(built("tryon", {}), "Save comparison")
    car = built("vehicle", {"palette": ["f00", "#00FF00"], "preview": True})
    assert inputs(car, "Palette")["palette"] == "#FF0000, #00FF00" and find_node(car, "Save preview")


def test_a_rule_per_field_and_no_more() -> None:
    @dataclass(frozen=True)
    class Asked:
        size: int = 1

    with pytest.raises(ValueError, match=r"Asked\.size has no rule"):
        mirrored("AskedParams", Asked, {})
    with pytest.raises(ValueError, match="Asked lacks seize"):
        mirrored("AskedParams", Asked, {"size": Field(), "seize": Field()})


# workflows

SCHEMAS: dict[str, Any] = {
    "LoadImage": {"input": {"required": {"image": [["a.png"], {"image_upload": True}]}}},
    "Blur": {"input": {"required": {"size": ["INT", {"min": 0, "max": 9}], "on": ["BOOLEAN", {}], "by": ["FLOAT"]}}},
    "VectraHub_TileRefine": {"input": {"required": {"sampler_name": [["euler", "euler_ancestral", "dpmpp_2m"]]}}},
}
BODY = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}, "_meta": {"title": "Photo"}},
    "2": {"class_type": "Blur", "inputs": {"size": 1, "on": True, "by": 0.5}, "_meta": {"title": "Soft"}},
}


def test_a_workflow_gets_its_values_and_files_by_title() -> None:
    values = {"Soft.size": 7, "on": False, "Soft.by": "0.25"}
    graph = built("workflows", {"workflow": BODY, "set": values}, {"Photo": "jobs/1/x.png"}, SCHEMAS.get)
    assert inputs(graph, "Soft") == {"size": 7, "on": False, "by": 0.25}
    assert inputs(graph, "Photo") == {"image": "jobs/1/x.png"}
    assert built("workflows", {"workflow": {"prompt": BODY}}, {}) == BODY, "untouched, it needs no server"


@pytest.mark.parametrize(
    ("values", "files", "said"),
    [({"Soft.size": 10}, {}, "0 to 9"), ({"Soft.sise": 1}, {}, "no input"), ({}, {"Soft": "x"}, "loads no file")],
)
def test_a_workflow_refuses_what_its_nodes_do(values: dict[str, Any], files: dict[str, str], said: str) -> None:
    with pytest.raises(WorkflowError, match=said):
        built("workflows", {"workflow": BODY, "set": values}, files, SCHEMAS.get)


def test_a_workflow_cannot_be_set_where_no_nodes_are_known() -> None:
    with pytest.raises(UsageError, match="known"):
        built("workflows", {"workflow": BODY, "set": {"size": 1}}, {})


# tiles


def tiles(**params: Any) -> Graph:
    given = {"checkpoint": "z-image", "tiles": [{"tile_id": "0_0"}, {"tile_id": "0_1", "prompt": "a wall"}], **params}
    files = {tile["tile_id"]: f"jobs/1/{tile['tile_id']}.png" for tile in given["tiles"]}
    return built("tiles", given, files, SCHEMAS.get)


def test_every_tile_is_refined_by_itself_and_saved_under_its_id() -> None:
    graph = tiles(prompt="best quality, ", negative="blurry", seed=2**64 - 1, steps=5)
    assert seeds_of(graph) == {"0_0": 2**64 - 1, "0_1": 0}
    assert [inputs(graph, f"Plan {name}")["prompt"] for name in ("0_0", "0_1")] == [
        "best quality",
        "best quality, a wall",
    ]
    assert inputs(graph, "Refine 0_1")["steps"] == 5 and inputs(graph, "Plan 0_1")["negative"] == "blurry"
    assert inputs(graph, "Tile 0_1")["image"] == "jobs/1/0_1.png"
    assert len([node for node in graph.values() if node["class_type"] == "CheckpointLoaderSimple"]) == 1


def test_all_loras_lie_on_the_model_in_their_order() -> None:
    graph = tiles(loras=[["a", 0.5], ["b", 0.7]], names={"a": "sdxl/a.safetensors", "z-image": "z.safetensors"})
    at, files = inputs(graph, "Refine 0_1")["model"][0], []
    while graph[at]["class_type"] == "LoraLoader":
        files.append((graph[at]["inputs"]["lora_name"], graph[at]["inputs"]["strength_clip"]))
        assert graph[at]["inputs"]["clip"] == [graph[at]["inputs"]["model"][0], 1]
        at = graph[at]["inputs"]["model"][0]
    assert files == [("b", 0.7), ("sdxl/a.safetensors", 0.5)]
    assert graph[at]["inputs"]["ckpt_name"] == "z.safetensors" and title_of(graph, at) == "Checkpoint"


def test_a_control_net_is_there_if_asked_for() -> None:
    assert "control_net" not in inputs(tiles(), "Refine 0_0")
    graph = tiles(control_net="tile", control_strength=0.4)
    refine = inputs(graph, "Refine 0_0")
    assert inputs(graph, "ControlNet")["control_net_name"] == "tile" and refine["control_strength"] == 0.4


@pytest.mark.parametrize(
    ("name", "sampler", "scheduler"),
    [
        ("euler_a", "euler_ancestral", "normal"),
        ("Euler a", "euler_ancestral", "normal"),
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("dpmpp_2m", "dpmpp_2m", "normal"),
    ],
)
def test_samplers_go_by_either_name(name: str, sampler: str, scheduler: str) -> None:
    refine = inputs(tiles(sampler=name), "Refine 0_0")
    assert (refine["sampler_name"], refine["scheduler"]) == (sampler, scheduler)


def test_flux_is_guided_instead() -> None:
    refine = inputs(tiles(family="flux", cfg=3.5, sampler="euler"), "Refine 0_0")
    assert (refine["cfg"], refine["guidance"], refine["scheduler"]) == (1.0, 3.5, "simple")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"sampler": "magic"}, "euler_ancestral, dpmpp_2m; 'magic' is not"),
        ({"tiles": [{"tile_id": "0_0"}, {"tile_id": "0_0"}]}, "'0_0' is there twice"),
    ],
)
def test_bad_tiles_are_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tiles(**params)


def test_a_tile_without_its_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="'0_1' has no picture"):
        built("tiles", {"checkpoint": "x", "tiles": [{"tile_id": "0_0"}, {"tile_id": "0_1"}]}, {"0_0": "x.png"})
