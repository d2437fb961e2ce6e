"""S4 on the real host: the phases that need no networks."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from vectrahub.tests.routes.old_clients import MODELS_TOKEN, Old, opened, png, until

pytestmark = pytest.mark.host

PALETTE = "FF0000,00FF00,0000FF,FFFF00,FF00FF,00FFFF,000000,FFFFFF,808080,404040,C0C0C0,FFA500,800080,008080,FFB6C1"
DRAW_ONLY = {"phases": {"phase1": {"enabled": False}, "phase2": {"enabled": False}}}


def process(old: Old, overrides: object = None, **more: Any) -> httpx.Response:
    data = {"palette_hex_list": PALETTE, "config_overrides": json.dumps(DRAW_ONLY if overrides is None else overrides)}
    files = {"file": ("test.jpg", png(), "image/jpeg")}
    return old.post("/api/v1/process", **{"data": data, "files": files, **more})


def finished(old: Old, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    accepted = answer.json()
    assert accepted == {"job_id": accepted["job_id"], "status": "pending"}
    return old.until(f"/api/v1/jobs/{accepted['job_id']}", lambda said: said["status"] in ("completed", "failed"))


def test_a_photo_becomes_a_drawing_and_a_picture_of_it(old: Old) -> None:
    said = finished(old, process(old))
    assert set(said) == {
        "job_id",
        "status",
        "progress",
        "result",
        "logs",
        "error",
        "created_at",
        "updated_at",
    }
    assert said["status"] == "completed", said
    assert (said["progress"], said["error"]) == (1.0, None) and said["logs"]
    result = said["result"]
    assert set(result) == {"svg_path", "png_path", "processing_time_ms"} and result["processing_time_ms"] > 0
    for kind in ("svg", "png"):
        assert (old.host.output / result[f"{kind}_path"]).is_file() and not result[f"{kind}_path"].startswith("/")
    one = f"/api/v1/jobs/{said['job_id']}"
    svg = old.get(f"{one}/output/svg")
    assert svg.headers["Content-Type"] == "image/svg+xml"
    fills = {fill.upper() for fill in re.findall(r'fill="#([0-9A-Fa-f]{6})"', svg.text)}
    assert fills and fills <= set(PALETTE.split(","))
    served = old.get(f"{one}/output/png")
    assert served.headers["Content-Type"] == "image/png"
    assert opened(served.content).format == "PNG" and not opened(served.content).info, "no graph in it"
    assert said["job_id"] in [job["job_id"] for job in old.get("/api/v1/jobs/").json()["jobs"]]
    assert old.get(one, token=MODELS_TOKEN).status_code == 404, "somebody else's"


def test_without_the_last_phase_there_is_a_picture_alone(old: Old) -> None:
    off = {"phases": {f"phase{number}": {"enabled": False} for number in (1, 2, 4)}}
    said = finished(old, process(old, off))
    assert said["status"] == "completed", said
    assert said["result"]["svg_path"] is None and said["result"]["png_path"]
    assert old.get(f"/api/v1/jobs/{said['job_id']}/output/svg").status_code == 404


def test_a_job_is_cancelled(old: Old) -> None:
    job = process(old).json()["job_id"]
    answer = old.post(f"/api/v1/jobs/{job}/cancel")
    assert answer.status_code == 200 and set(answer.json()) == {"job_id", "status", "message"}
    until(lambda: old.get(f"/api/v1/jobs/{job}").json()["status"] in ("failed", "completed"))


def test_refusals_are_problem_documents(old: Old) -> None:
    unknown = process(old, {"phases": {"phase2": {"controlnet": {"depth": 1}}, "phase9": {"enabled": True}}})
    assert unknown.status_code == 422 and unknown.headers["Content-Type"].startswith("application/problem+json")
    said = unknown.json()
    assert said["unknown"] == ["phases.phase2.controlnet.depth", "phases.phase9.enabled"]
    assert "phases.phase2.controlnet.depth_weight" in said["known"]
    for answer, status in (
        (process(old, {"phases": {"phase1": {"enabled": "no"}}}), 422),
        (process(old, []), 422),
        (process(old, {"phases": {f"phase{n}": {"enabled": False} for n in range(1, 5)}}), 422),
        (process(old, data={"palette_hex_list": "red"}), 422),
        (process(old, files={"photo": ("x.png", png(), "image/png")}), 400),
        (process(old, files={"file": ("x.png", b"nothing", "image/png")}), 422),
        (process(old, token=None), 401),
        (old.get("/api/v1/jobs/none"), 404),
        (old.get("/api/v1/jobs/none/output/pdf"), 404),
        (old.get("/api/v1/process"), 405),
        (old.get("/api/v1/nothing", token=None), 401),
    ):
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert {"type", "title", "status", "detail", "instance"} <= set(answer.json())
        assert answer.json()["status"] == status


def test_fields_are_called_as_the_client_calls_them(old: Old) -> None:
    for data, start in (
        ({"config_overrides": "{"}, "config_overrides: it is not JSON"),
        ({"config_overrides": "[]"}, "config_overrides is a JSON object"),
        ({"palette_hex_list": "FF0000,red"}, "palette_hex_list takes colours as hex, like FF0000; 'red' is none"),
    ):
        answer = process(old, data=data)
        assert answer.status_code == 422 and answer.json()["detail"].startswith(start), answer.text


def test_overrides_reach_the_graph(old: Old) -> None:
    """The networks are not there, so what the host lacks is named: and the values are in order."""
    phase2 = {"controlnet": {"depth_weight": 0.7, "canny_weight": 0.5}, "prompt_override": "a flat car"}
    answer = process(old, {"phases": {"phase1": {"enabled": False}, "phase2": phase2}})
    assert answer.status_code == 422 and "birefnet" in answer.json()["detail"]
    phase2["controlnet"]["depth_weight"] = 7
    assert "depth" in process(old, {"phases": {"phase2": phase2}}).json()["detail"]


def test_probes(old: Old) -> None:
    ready = old.get("/ready", token=None)
    assert set(ready.json()) == {"status", "checks"} and ready.json()["status"] == "ready"
    assert ready.status_code == 200 and {"gpu", "model_cache", "disk_space"} <= set(ready.json()["checks"])
    page = old.get("/metrics", token=None).text
    for name in ("job_queue_size", "errors_total", "pipeline_duration_seconds"):
        assert re.search(rf"^{name}", page, re.MULTILINE), name
