"""S3 on the real host, a tiny Qwen-Image in the files' place; asset service and load balancer listen."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.tests.client.graphs import slow
from vectrahub.tests.host.runs import submit
from vectrahub.tests.host.tryon_graphs import Watching
from vectrahub.tests.routes.old_clients import ASSETS, BALANCER, TOKEN, Old, opened, png, until

pytestmark = pytest.mark.host

FILES = (  # of the mode fp8
    "diffusion_models/qwen_image_edit_2511_fp8_e4m3fn_scaled_lightning_comfyui_4steps_v1.0.safetensors",
    "text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors",
    "vae/qwen_image_vae.safetensors",
)


@pytest.fixture(scope="module", autouse=True)
def files(old: Old) -> list[Path]:
    """Empty ones: the tiny network stands in for them."""
    found = [old.host.models / name for name in FILES]
    for file in found:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return found


def tryon(old: Old, job_id: str | None = None, token: str | None = TOKEN, **fields: Any) -> httpx.Response:
    """As the CPU bridge posts it; `colours`: another garment."""
    files = pictures(fields.pop("colours", 5))
    data = {
        "job_id": job_id or uuid.uuid4().hex,
        "user_id": "u1",
        "session_id": "s1",
        "provider": "lightxv",
        "config": json.dumps({"seed": 42, "steps": 1, "cfg": 1.0, "prompt": None}),
        **fields,
    }
    auth = {"X-Internal-Auth": token} if token else {}
    return old.post("/tryon", token=None, headers=auth, data=data, files=files)


def pictures(colours: int = 5) -> dict[str, tuple[str, bytes, str]]:
    person, garment = png(96, 128), png(64, 64, seed=colours)
    return {
        "masked_user_image": ("person.png", person, "image/png"),
        "garment_image": ("garment.png", garment, "image/png"),
    }


def idle(old: Old) -> None:
    until(lambda: old.get("/gpu/status").json()["busy"] is False, 120)


def test_a_job_is_accepted_and_its_result_is_brought(old: Old) -> None:
    idle(old)
    job_id = uuid.uuid4().hex
    answer = tryon(old, job_id)
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert set(said) == {"status", "job_id", "message"}
    assert (said["status"], said["job_id"]) == ("accepted", job_id)
    result = old.neighbour.wait_for("/v1/vton/result", lambda one: one.fields["job_id"] == job_id)
    assert result.headers["X-Internal-Auth"] == ASSETS
    assert {**result.fields, "inference_time_ms": None} == {
        "job_id": job_id,
        "user_id": "u1",
        "session_id": "s1",
        "provider": "lightxv",
        "node_id": "gpu-node-1",
        "model_version": "2511",
        "inference_time_ms": None,
    }
    assert int(result.fields["inference_time_ms"]) > 0
    picture = opened(result.files["output_image"])
    assert picture.size == (96, 128) and not picture.info, "no graph in it"
    told = old.neighbour.wait_for("/lb/job_complete", lambda one: one.document["job_id"] == job_id)
    assert told.headers["X-Internal-Auth"] == BALANCER
    assert told.document == {
        "node_id": "gpu-node-1",
        "job_id": job_id,
        "metadata": {"user_id": "u1", "session_id": "s1", "provider": "lightxv"},
    }


def test_a_busy_server_says_when_to_come_again(old: Old) -> None:
    idle(old)
    before = submit(old.host, slow(120))
    job_id = uuid.uuid4().hex
    try:
        assert tryon(old, job_id).status_code == 202
        answer = tryon(old)
        assert answer.status_code == 429 and answer.headers["Retry-After"] == "5"
        assert {**answer.json(), "message": ""} == {"status": "busy", "message": "", "retry_after": 5}
        state = old.get("/gpu/status").json()
        assert state == {"node_id": "gpu-node-1", "busy": True, "current_job_id": None, "queue_length": 1}
    finally:
        httpx.post(f"{old.host.url}/interrupt", json={"prompt_id": before}, timeout=30, trust_env=False)
    old.neighbour.wait_for("/v1/vton/result", lambda one: one.fields["job_id"] == job_id)


def test_infer_answers_with_the_picture_and_config_is_used(old: Old) -> None:
    idle(old)
    given = {"seed": "7", "steps": "2", "cfg": "1.0", "prompt": "wear the red one"}
    with Watching(old.host) as watching:
        answer = old.post("/infer", data=given, files=pictures())
        seen = watching.seen()
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png" and opened(answer.content).size == (96, 128)
    assert not opened(answer.content).info, "no graph in it"
    assert int(answer.headers["X-Inference-Time-Ms"]) > 0 and uuid.UUID(answer.headers["X-Job-Id"])
    assert len(seen.calls) == 2, "steps"
    assert any("wear the red one" in text for text, _ in seen.encoded)
    other = old.post("/infer", data={**given, "seed": "8"}, files=pictures())
    assert other.content != answer.content


def test_what_is_wrong_is_a_400(old: Old) -> None:
    assert tryon(old, token=None).status_code == 401
    assert tryon(old, token="a-token-that-nobody-has").json()["status"] == "error"
    for fields, word in (
        ({"provider": "dalle"}, "provider"),
        ({"config": "{"}, "config: it is not JSON"),
        ({"config": "[1]"}, "config is a JSON object"),
        ({"config": '{"steps": -1}'}, "steps"),
        ({"config": '{"strength": 1}'}, "config.strength: there is no such member; there are seed, steps, cfg, prompt"),
        ({"colour": "x"}, "colour"),
        ({"job_id": "x" * 201}, "job_id"),
    ):
        answer = tryon(old, **fields)
        assert answer.status_code == 400 and word in answer.json()["message"], answer.text
    files = {**pictures(), "garment_image": ("x.png", b"no picture", "image/png")}
    answer = old.post("/infer", data={}, files=files)
    assert answer.status_code == 400 and "garment" in answer.json()["message"]
    files.pop("garment_image")
    assert "garment_image" in old.post("/infer", data={}, files=files).json()["message"]


def test_a_failed_job_is_told_as_such(old: Old) -> None:
    idle(old)
    job_id = uuid.uuid4().hex
    (old.host.base / "stand_ins").unlink()  # nothing to dress with
    try:
        assert tryon(old, job_id).status_code == 202
    finally:
        (old.host.base / "stand_ins").touch()
    result = old.neighbour.wait_for("/v1/vton/result", lambda one: one.fields["job_id"] == job_id)
    assert result.fields["error"] and not result.files


def test_a_job_id_that_comes_again_is_one_run(old: Old) -> None:
    idle(old)
    before = submit(old.host, slow(120))
    job_id = uuid.uuid4().hex
    try:
        first, again = tryon(old, job_id), tryon(old, job_id)
        assert first.status_code == 202 and (again.status_code, again.json()) == (202, first.json())
        for other in (tryon(old, job_id, colours=6), tryon(old, job_id, user_id="u2"), tryon(old, job_id, config="{}")):
            assert other.status_code == 400 and job_id in other.json()["message"], other.text
        assert old.get("/gpu/status").json()["queue_length"] == 1
    finally:
        httpx.post(f"{old.host.url}/interrupt", json={"prompt_id": before}, timeout=30, trust_env=False)
    jobs = [job for job in old.get("/vectrahub/v1/jobs").json()["jobs"] if job["metadata"].get("job_id") == job_id]
    assert len(jobs) == 1
    old.neighbour.wait_for("/lb/job_complete", lambda one: one.document["job_id"] == job_id)
    idle(old)
    assert tryon(old, job_id).status_code == 202, "it is over: a bridge that missed the result asks again"
    until(lambda: len([one for one in old.neighbour.arrived if one.fields.get("job_id") == job_id]) == 2)


def test_without_its_files_the_server_says_what_it_lacks(old: Old, files: list[Path]) -> None:
    idle(old)
    away = files[0].with_suffix(".away")
    files[0].rename(away)
    try:
        for answer in (tryon(old), old.post("/infer", data={}, files=pictures())):
            assert answer.status_code == 503, answer.text
            said = answer.json()
            assert set(said) == {"status", "message"} and said["status"] == "error"
            assert files[0].name in said["message"] and "models get qwen-edit-2511-fp8" in said["message"]
    finally:
        away.rename(files[0])


def test_probes_are_open(old: Old) -> None:
    assert old.get("/test", token=None).json() == {"status": "hot"}
    version = old.get("/version", token=None).json()
    assert {"model_type", "model_version", "backend", "git_commit", "node_id"} <= set(version)
    assert {"status", "model_loaded", "node_id"} <= set(old.get("/health", token=None).json())
    page = old.get("/metrics", token=None)
    assert page.headers["Content-Type"].startswith("text/plain")
    names = {line.split("{")[0].split(" ")[0] for line in page.text.splitlines() if not line.startswith("#")}
    assert {"vton_inference_count", "vton_inference_latency_ms", "vton_inference_errors_total"} <= names
    assert all(f"# TYPE {name} gauge" in page.text for name in ("gpu_memory_used_bytes", "gpu_utilization_percent"))
    assert old.get("/gpu/status", token=None).status_code == 401
