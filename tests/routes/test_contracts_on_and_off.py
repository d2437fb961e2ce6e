"""Which addresses there are is the settings' decision; what they take of an old configuration is pure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from vectrahub.routes.contracts import Around, contract_routes
from vectrahub.routes.contracts.intake import came_through
from vectrahub.routes.contracts.toolbox_inputs import Upscale, tiles_params
from vectrahub.routes.contracts.vectrahub import Input
from vectrahub.routes.contracts.vehicle_overrides import overridden
from vectrahub.routes.fresh import Fresh
from vectrahub.routes.models.hashes import Hashes
from vectrahub.routes.models.store import ModelStore
from vectrahub.routes.models.uploads import Uploads
from vectrahub.tests.routes.model_files import DiskFolders
from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.records import Job
from vectrahub.vectrahub_client.service.route import PREFIX, Route
from vectrahub.vectrahub_client.service.service import Folders, Service
from vectrahub.vectrahub_client.service.settings import load_settings
from vectrahub.vectrahub_client.service.systems.registry import EVERY_SYSTEM
from vectrahub.vectrahub_client.service.systems.vectrahub_trace import traced_graph


def routes(folder: Path, *on: str) -> set[str]:
    """METHOD PATH of what is there when these contracts are on."""
    return {*made(folder, {f"VECTRAHUB_CONTRACTS__{name.upper()}__ENABLED": "true" for name in on})}


def made(folder: Path, environ: dict[str, str]) -> dict[str, Route]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        settings = load_settings()
    places = Folders(folder, folder, folder / "jobs.sqlite")
    service = Service(settings, places, lambda _service: cast(Any, None), EVERY_SYSTEM)
    store = ModelStore(DiskFolders(folder), Hashes(folder / "hashes.json"))
    probes = [Route("GET", f"{PREFIX}/{name}", cast(Any, None)) for name in ("ready", "metrics")]
    around = Around(service, Fresh(lambda: None, None), Fresh(lambda: None, None), store, Uploads(store), probes)
    found = contract_routes(around)
    named = {f"{route.method} {route.path}": route for route in found}
    assert len(named) == len(found), "each address once"
    return named


def test_nothing_is_there_unless_it_is_turned_on(tmp_path: Path) -> None:
    assert routes(tmp_path) == set()


def test_an_open_one_takes_guests_and_the_others_do_not(tmp_path: Path) -> None:
    names = ("vectrahub", "toolbox", "logo", "vehicle")
    environ = {f"VECTRAHUB_CONTRACTS__{name.upper()}__ENABLED": "true" for name in names}
    environ |= {f"VECTRAHUB_CONTRACTS__{name}__OPEN": "true" for name in ("LOGO", "TOOLBOX")}
    found = made(tmp_path, environ)
    assert found["POST /api/generate_logo"].scope is None
    assert found["POST /api/v1/process"].scope == "jobs"
    assert found["POST /run"].scope == "jobs"  # one of the two behind it wants tokens
    environ["VECTRAHUB_CONTRACTS__VECTRAHUB__OPEN"] = "true"
    assert made(tmp_path, environ)["POST /run"].scope is None


def test_each_has_its_own_addresses(tmp_path: Path) -> None:
    door = {f"{way}{path}" for way in ("POST ",) for path in ("/run", "/runsync", "/cancel/{job_id}", "/purge-queue")}
    door |= {f"POST /v2/{{endpoint}}{path.removeprefix('POST ')}" for path in door}
    assert door | {"GET /status/{job_id}", "GET /health", "GET /v2/{endpoint}/health"} <= routes(tmp_path, "toolbox")
    assert "GET /php/api/file_proxy.php" in routes(tmp_path, "vectrahub") - routes(tmp_path, "toolbox")
    assert routes(tmp_path, "logo") == {"POST /api/generate_logo", "GET /health"}
    probes = {f"GET /{name}" for name in ("health", "test", "version", "metrics")}
    assert routes(tmp_path, "vton") == probes | {"POST /tryon", "POST /infer", "GET /gpu/status"}
    assert {"POST /api/v1/process", "GET /ready", "GET /metrics"} <= routes(tmp_path, "vehicle")
    names = ("vectrahub", "toolbox", "logo", "vton", "vehicle")
    assert routes(tmp_path, *names) == set().union(*(routes(tmp_path, name) for name in names))


def test_old_configuration_becomes_values() -> None:
    phase2 = {
        "controlnet": {"depth_weight": 0.7, "canny_weight": 0.5},
        "prompt_override": "a flat car",
        "sdxl": {"num_inference_steps": 25},
        "iou_retry": {"allow_skip_on_failure": True},
    }
    given = {"phases": {"phase1": {"enabled": False}, "phase2": phase2, "phase3": {"enabled": True}}}
    assert overridden(given) == {
        "skip": ["sanitize"],
        "depth": 0.7,
        "canny": 0.5,
        "prompt": "a flat car",
        "steps": 25,
        "keep_best": True,
    }
    assert overridden({}) == {}
    for wrong in (
        {"phases": {"phase1": {"enabled": None}}},
        {"phases": 3},
        {"phases": {"phase2": {"prompt_override": 3}}},
    ):
        with pytest.raises(Problem, match="config_overrides"):
            overridden(wrong)


def test_a_seed_is_drawn_where_none_is_given() -> None:
    tile = {"tile_id": "0_0", "image_b64": "x"}
    for given in ({}, {"seed": None}, {"seed": -1}):
        asked = {"model_config": {"base_model": "pony"}, "generation_params": given, "tiles": [tile]}
        drawn = {tiles_params(Upscale.model_validate(asked), {})["seed"] for _ in range(3)}
        assert len(drawn) == 3 and min(drawn) >= 0
    assert tiles_params(Upscale.model_validate({**asked, "generation_params": {"seed": 42}}), {})["seed"] == 42


def test_what_php_sends_is_understood() -> None:
    """An empty array for an empty object, digits for a number."""
    asked = Input.model_validate({"image": "x", "upscale": "2", "vtracer_params": []})
    assert (asked.upscale, asked.vtracer_params) == (2, {})


def test_the_tracers_own_values_count_only_with_its_own_ways() -> None:
    def trace(**given: Any) -> dict[str, Any]:
        graph = traced_graph({"trace": given, "upscale": 2, "color_mode": "color"}, "x.png")
        assert graph["3"]["inputs"]["megapixels"] == 3
        return graph["5"]["inputs"]

    assert trace()["hierarchical"] == "layers" and trace()["mode"] == "refit"
    assert trace(color_precision=6)["hierarchical"] == "stacked"
    assert trace(color_precision=6, hierarchical="cutout")["hierarchical"] == "cutout"
    assert trace(corner_threshold=30)["mode"] == "spline"
    with pytest.raises(UsageError, match=r"blur.*corner_threshold"):
        trace(blur=1)
    with pytest.raises(UsageError, match="route"):
        trace(route="logo")


def test_a_job_of_another_system_did_not_come_through_a_door() -> None:
    """Metadata are the client's own; a workflow that says "toolbox" has no tiles to show."""
    forged = Job("a", 1, "workflows", "completed", "t", {}, {}, {}, {"contract": "toolbox"}, 1.0, 0.0)
    assert not came_through(forged, "toolbox")
    assert came_through(replace(forged, system="caption"), "toolbox", "vectrahub")
