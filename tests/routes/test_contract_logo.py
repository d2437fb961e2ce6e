"""S2 on the real host, a tiny Flux in the checkpoint's place."""

from __future__ import annotations

import pytest

from vectrahub.tests.routes.old_clients import Old, opened

pytestmark = pytest.mark.host

ADDRESS = "/api/generate_logo"


@pytest.fixture(scope="module")
def logos(old: Old) -> Old:
    (old.host.models / "checkpoints").mkdir(exist_ok=True)
    (old.host.models / "checkpoints" / "flux1-dev-fp8.safetensors").touch()
    return old


def test_a_logo_in_the_sizes_that_were_asked_for(logos: Old) -> None:
    """The request of the seed's manual test, and a size that is out of range."""
    body = {"prompt": "Modern tech logo", "sizes": [512, 64, 4000, 8]}
    answer = logos.post(ADDRESS, json=body, headers={"X-Request-ID": "abc-1"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Request-ID"] == "abc-1"
    said = answer.json()
    assert set(said) == {"message", "prompt", "images", "sizes", "model"}
    assert said["message"] == "Logo generated successfully!"
    assert said["prompt"] == "Modern tech logo" and said["sizes"] == [512, 64]
    assert {name: opened(data).size for name, data in said["images"].items()} == {"512": (512, 512), "64": (64, 64)}
    assert {opened(data).format for data in said["images"].values()} == {"PNG"}
    assert not any(opened(data).info for data in said["images"].values()), "no graph in it"
    assert "VectraHubTest" not in said["model"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"prompt": "ab"}, ["body", "prompt"]),
        ({"prompt": "x" * 501}, ["body", "prompt"]),
        ({"sizes": [256]}, ["body", "prompt"]),
        ({"prompt": "A paper plane", "sizes": [8, 4096]}, ["body", "sizes"]),
        ({"prompt": "A paper plane", "sizes": ["big"]}, ["body", "sizes", "0"]),
    ],
)
def test_what_cannot_be_used_is_a_422_as_fastapi_words_it(logos: Old, body: object, place: list[str]) -> None:
    answer = logos.post(ADDRESS, json=body)
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["loc"] == place and detail["msg"] and detail["type"]


def test_its_old_clients_send_no_token(logos: Old) -> None:
    """`open = true` for this contract, and for this one only."""
    assert logos.post(ADDRESS, json={"prompt": "A paper plane", "sizes": [64]}, token=None).status_code == 200
    assert logos.post(ADDRESS, json={"prompt": "ab"}, token=None).status_code == 422
    assert logos.post("/run", json={"input": {"action": "health"}}, token=None).status_code == 401
    assert logos.get("/vectrahub/v1/jobs", token=None).status_code == 401


def test_the_other_refusals(logos: Old) -> None:
    broken = logos.post(ADDRESS, content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400 and broken.json()["detail"].startswith("Invalid request: ")
    file = logos.host.models / "checkpoints" / "flux1-dev-fp8.safetensors"
    (logos.host.base / "stand_ins").unlink()  # now the empty file itself is loaded
    try:
        failed = logos.post(ADDRESS, json={"prompt": "A paper plane"})
    finally:
        (logos.host.base / "stand_ins").touch()
    assert file.stat().st_size == 0
    assert failed.status_code == 500
    assert failed.json()["detail"].startswith("Failed to generate logo: ")


def test_health_has_the_fields_of_every_contract(logos: Old) -> None:
    """All five are on: S0 and S1 want jobs and workers, S2 the model and the GPU, S3 the node."""
    answer = logos.get("/health", token=None)
    assert answer.status_code == 200
    said = answer.json()
    assert said["status"] == "healthy"
    assert {"status", "model", "model_loaded", "gpu", "environment", "node_id", "jobs", "workers"} == set(said)
    assert set(said["gpu"]) == {
        "gpu_available",
        "device_type",
        "device_name",
        "memory_allocated_gb",
        "memory_reserved_gb",
        "memory_total_gb",
    }
    assert set(said["jobs"]) == {"completed", "failed", "inProgress", "inQueue", "retried"}
    assert said["jobs"]["completed"] >= 1 and {"idle", "running"} <= set(said["workers"])
    assert said["model"] == "flux1-dev-fp8.safetensors" and said["node_id"] == "gpu-node-1"
    assert said["model_loaded"] is True, "the tiny Flux is still in memory"
