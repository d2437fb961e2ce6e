"""RunPod's own client library at the door of S0 and S1: it changes its base URL and nothing else."""

from __future__ import annotations

import httpx
import pytest
import runpod

from vectrahub.tests.client.graphs import slow
from vectrahub.tests.host.runs import submit
from vectrahub.tests.routes.old_clients import MODELS_TOKEN, TOKEN, Old, b64, png

pytestmark = pytest.mark.host

QUICK = {"image": b64(png()), "upscale": 1}


@pytest.fixture
def endpoint(old: Old, monkeypatch: pytest.MonkeyPatch) -> runpod.Endpoint:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(runpod, "endpoint_url_base", f"{old.host.url}/v2")
    return runpod.Endpoint("any-name", api_key=TOKEN)


def test_a_job_is_run_and_asked_for(endpoint: runpod.Endpoint) -> None:
    job = endpoint.run({"input": QUICK, "s3Config": {"bucketName": "b"}})
    output = job.output(timeout=170)
    assert output["success"] is True and output["svg_url"]
    assert job.status() == "COMPLETED"
    assert endpoint.run_sync({"input": QUICK}, timeout=170)["success"] is True


def test_an_input_that_cannot_be_used_is_a_failed_job(endpoint: runpod.Endpoint) -> None:
    job = endpoint.run({**QUICK, "upscale": 3})
    assert job.status() == "FAILED"
    assert job.output()["success"] is False and "upscale" in job.output()["error"]


def test_what_waits_is_cancelled_or_purged(old: Old, endpoint: runpod.Endpoint) -> None:
    """A caller's own, and nobody else's."""
    health = endpoint.health()
    assert set(health) == {"jobs", "workers"}
    assert set(health["jobs"]) == {"completed", "failed", "inProgress", "inQueue", "retried"}
    assert set(health["workers"]) == {"idle", "initializing", "ready", "running", "throttled", "unhealthy"}
    before = submit(old.host, slow(120))
    try:
        first, *rest = (endpoint.run({"input": {**QUICK, "filename": f"{number}.png"}}) for number in range(3))
        other = old.post("/run", token=MODELS_TOKEN, json={"input": QUICK}).json()["id"]
        assert endpoint.health()["jobs"]["inQueue"] >= 4
        assert first.cancel() == {"id": first.job_id, "status": "CANCELLED"}
        assert endpoint.purge_queue() == {"removed": 2, "status": "completed"}
        assert [one.status() for one in (first, *rest)] == ["CANCELLED"] * 3
        assert old.get(f"/status/{other}", token=MODELS_TOKEN).json()["status"] == "IN_QUEUE"
        assert old.post("/purge-queue", token=MODELS_TOKEN).json()["removed"] == 1
        assert endpoint.purge_queue()["removed"] == 0
    finally:
        httpx.post(f"{old.host.url}/interrupt", json={"prompt_id": before}, timeout=30, trust_env=False)
    assert old.post("/purge-queue", token=None).status_code == 401
