"""The job API on the real host."""

import base64
import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from vectrahub.tests.routes.jobs_over_http import ask, ended, graph, order


def picture():
    data = io.BytesIO()
    Image.new("RGB", (24, 16), "teal").save(data, "PNG")
    return data.getvalue()


def test_a_job_runs_and_gives_its_result(host):
    answer = ask(host, "POST", "/workflows", json={**order(), "metadata": {"cart": 7}})
    assert answer.status_code == 202 and answer.headers["Location"].endswith(answer.json()["job_id"])
    job = ended(host, answer.json()["job_id"])
    assert (job["state"], job["progress"], job["attempts"], job["metadata"]) == ("completed", 1.0, 1, {"cart": 7})
    (output,) = job["outputs"]
    assert (output["node"], output["type"]) == ("Save", "image/png")
    path = output["url"].removeprefix("/vectrahub/v1")
    result = ask(host, "GET", path)
    assert Image.open(io.BytesIO(result.content)).size == (8, 8) and len(result.content) == output["bytes"]
    assert result.headers["Cache-Control"] == "no-store" and result.headers["Content-Type"] == "image/png"
    assert ask(host, "HEAD", path).headers["Content-Length"] == str(output["bytes"])
    part = ask(host, "GET", path, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    assert ask(host, "DELETE", f"/jobs/{job['job_id']}").status_code == 204
    assert ask(host, "GET", path).status_code == 404


@pytest.mark.parametrize("form", [True, False], ids=["form", "json"])
def test_a_file_reaches_the_node_of_its_name(host, form):
    body = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "nothing.png"}, "_meta": {"title": "Photo"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    wanted = {"params": {"workflow": body}}
    if form:
        files = {"Photo": ("../../x", picture()), "request": (None, json.dumps(wanted), "application/json")}
        answer = ask(host, "POST", "/workflows?wait=30", files=files)
    else:
        wanted["files"] = {"Photo": base64.b64encode(picture()).decode()}
        answer = ask(host, "POST", "/workflows?wait=30", json=wanted)
    assert answer.status_code == 200, answer.text
    result = ask(host, "GET", answer.json()["outputs"][0]["url"].removeprefix("/vectrahub/v1"))
    assert Image.open(io.BytesIO(result.content)).size == (24, 16)


def test_a_node_that_raises_is_named(host):
    job = ask(host, "POST", "/workflows?wait=30", json=order(fail="on purpose")).json()
    assert (job["state"], job["error"]["kind"]) == ("failed", "node")
    assert "on purpose" in job["error"]["message"] and job["error"]["node"]["id"] == "4"
    assert job["outputs"] == []


@pytest.mark.parametrize(
    "workflow",
    [
        {"1": {"class_type": "NoSuchNode", "inputs": {}}},
        {"1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}},
        {**graph(), "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}},
        {"1": {"inputs": {}}},
    ],
    ids=["unknown node", "no output", "one output lacks its input", "no class"],
)
def test_what_the_host_would_not_run_is_refused(host, workflow):
    answer = ask(host, "POST", "/workflows", json={"params": {"workflow": workflow}})
    assert answer.status_code == 422 and answer.json()["detail"], answer.text


def test_cancel_ends_a_running_and_a_waiting_job(host):
    running = ask(host, "POST", "/workflows", json=order(seconds=60)).json()["job_id"]
    waiting = ask(host, "POST", "/workflows", json=order(seconds=60)).json()["job_id"]
    while ask(host, "GET", f"/jobs/{running}").json()["state"] != "running":
        pass
    job = ask(host, "GET", f"/jobs/{waiting}").json()
    assert job["state"] == "queued" and job["queue_place"] == 1
    assert ask(host, "DELETE", f"/jobs/{running}").status_code == 409
    for job_id in (waiting, running):
        assert ask(host, "POST", f"/jobs/{job_id}/cancel").status_code == 200
        assert ended(host, job_id)["state"] == "cancelled"
    assert ask(host, "POST", f"/jobs/{running}/cancel").json()["state"] == "cancelled"


def test_a_job_that_takes_too_long_is_ended(host):
    job = ask(host, "POST", "/workflows?wait=30", json={**order(seconds=60), "timeout_s": 0.5}).json()
    assert (job["state"], job["error"]["kind"]) == ("failed", "timeout")


def test_one_key_is_one_job_however_often_it_is_sent_at_once(host):
    wanted, headers = order(), {"Idempotency-Key": uuid.uuid4().hex}
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(ask, host, "POST", "/workflows", json=wanted, headers=headers) for _ in range(16)]
        ids = {one.result().json()["job_id"] for one in sent}
    assert len(ids) == 1
    assert ask(host, "POST", "/workflows", json=order(color=9), headers=headers).status_code == 409
    assert ended(host, ids.pop())["attempts"] == 1


def test_the_addresses_answer_below_api_too(host):
    assert ask(host, "GET", "/../../api/vectrahub/v1/jobs?limit=1").status_code == 200


@pytest.mark.parametrize("path", ["..%2f..%2fjobs.sqlite", "%2e%2e%2f%2e%2e", "a%00b", "%2fetc%2fpasswd"])
def test_names_of_results_lead_nowhere_else(host, path):
    job_id = ask(host, "POST", "/workflows?wait=30", json=order()).json()["job_id"]
    assert ask(host, "GET", f"/jobs/{job_id}/outputs/{path}").status_code == 404
