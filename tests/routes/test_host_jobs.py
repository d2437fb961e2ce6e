"""Jobs in the real ComfyUI: its queue, its nodes, its history, and what people do in the editor meanwhile."""

from __future__ import annotations

import time
from typing import Any

import websocket

from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.routes.job_calls import API, call, drawing, look, nap, order, picture, until
from vectrahub.tests.routes.jobs_over_http import ended


def test_results_lie_in_the_jobs_own_folder(host: RunningHost) -> None:
    first, second = (order(host, picture(0x101010), wait=60) for _ in range(2))
    for job in (first, second):
        assert job["state"] == "completed"
        folder = host.output / "vectrahub" / "jobs" / job["job_id"]
        names = sorted(path.name for path in folder.iterdir())
        assert names == sorted(output["name"] for output in job["outputs"]) and len(names) == 2
        assert all(name.startswith("tiny_") for name in names)
        assert {output["node"] for output in job["outputs"]} == {"Keep"}
    assert not (host.output / "somewhere").exists()
    call(host, "DELETE", f"{API}/jobs/{first['job_id']}")
    url = second["outputs"][0]["url"]
    assert call(host, "GET", url.removeprefix("/")).content.startswith(b"\x89PNG")


def test_what_a_node_saves_elsewhere_is_a_result_too(host: RunningHost) -> None:
    graph = picture(1)
    graph["4"] = {"class_type": "VectraHubTest_Svg", "inputs": {"image": ["1", 0], "svg": "<svg/>"}}
    job = order(host, graph, wait=60)
    (svg,) = [output for output in job["outputs"] if output["type"] == "image/svg+xml"]
    answer = call(host, "GET", svg["url"].removeprefix("/"))
    assert answer.text == "<svg/>" and answer.headers["Content-Disposition"].startswith("attachment")
    assert job["report"]["VectraHubTest_Svg"]["stage"] == "svg"


def elsewhere(color: int, name: str) -> dict[str, Any]:
    inputs = {"image": ["1", 0], "name": name, "text": "not a picture"}
    return {**picture(color), "4": {"class_type": "VectraHubTest_Elsewhere", "inputs": inputs}}


def test_a_copy_replaces_no_result(host: RunningHost) -> None:
    job = order(host, elsewhere(16, "tiny_00001_.png"), wait=60)
    contents = [call(host, "GET", output["url"].removeprefix("/")).content for output in job["outputs"]]
    assert len(contents) == 3 and sum(one == b"not a picture" for one in contents) == 1
    assert sum(one.startswith(b"\x89PNG") for one in contents) == 2


def test_a_result_that_nobody_can_read_ends_the_job(host: RunningHost) -> None:
    job = ended(host, order(host, elsewhere(17, "a\0b.png"))["job_id"])
    assert job["state"] == "failed" and job["error"]["kind"] == "internal"
    assert order(host, picture(18), wait=60)["state"] == "completed"


def test_a_failing_node_is_named(host: RunningHost) -> None:
    graph = picture(2)
    graph["3"] = {
        "class_type": "VectraHubTest_Fail",
        "inputs": {"image": ["1", 0], "reason": "no more ink"},
        "_meta": {"title": "Printer"},
    }
    graph["2"]["inputs"]["images"] = ["3", 0]
    job = order(host, graph, wait=60)
    assert job["state"] == "failed" and job["outputs"] == []
    assert job["error"]["kind"] == "node" and "no more ink" in job["error"]["message"]
    assert job["error"]["node"] == {"id": "3", "type": "VectraHubTest_Fail", "title": "Printer"}
    assert any("no more ink" in line for line in job["logs"])


def test_what_cannot_run_is_refused_with_the_node(host: RunningHost) -> None:
    graph = picture(3)
    graph["1"]["inputs"]["width"] = "wide"
    answer = call(host, "POST", f"{API}/workflows", json={"params": {"workflow": graph}})
    assert answer.status_code == 422 and "Picture" in answer.json()["detail"] and "width" in answer.json()["detail"]


def test_half_a_workflow_is_refused_whole(host: RunningHost) -> None:
    """ComfyUI itself would run the valid output."""
    graph = picture(4)
    graph["5"] = {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}, "_meta": {"title": "Lost"}}
    answer = call(host, "POST", f"{API}/workflows", json={"params": {"workflow": graph}})
    assert answer.status_code == 422 and "Lost" in answer.json()["detail"]


def test_results_cannot_be_sent_elsewhere(host: RunningHost) -> None:
    graph = picture(14, "../../up/..")
    graph["6"] = {"class_type": "PrimitiveString", "inputs": {"value": "../../evil"}, "_meta": {"title": "Words"}}
    linked = {**graph, "2": {**graph["2"], "inputs": {"images": ["1", 0], "filename_prefix": ["6", 0]}}}
    answer = call(host, "POST", f"{API}/workflows", json={"params": {"workflow": linked}})
    assert answer.status_code == 422 and "Keep.filename_prefix" in answer.json()["detail"]
    job = order(host, graph, wait=60)
    folder = host.output / "vectrahub" / "jobs" / job["job_id"]
    assert [path.name.split("_")[0] for path in folder.iterdir()] == ["result", "result"]
    strays = [*host.output.rglob("result_*"), *host.output.parent.rglob("evil*")]
    assert [path for path in strays if path.parent != folder] == []


def test_what_is_forgotten_is_not_in_the_hosts_history(host: RunningHost) -> None:
    job = order(host, picture(15), wait=60)
    until(lambda: call(host, "GET", f"history/{job['job_id']}").json() == {})


def test_a_job_that_takes_too_long_is_stopped(host: RunningHost) -> None:
    job = ended(host, order(host, nap(300, 5), timeout_s=0.5)["job_id"])
    assert job["state"] == "failed" and job["error"]["kind"] == "timeout" and "0.5 s" in job["error"]["message"]
    assert order(host, picture(6), wait=60)["state"] == "completed"


def test_places_count_the_whole_queue(host: RunningHost) -> None:
    running = order(host, nap(300, 7))["job_id"]
    until(lambda: look(host, running)["state"] == "running")
    call(host, "POST", "prompt", json={"prompt": nap(0.1, 8)})  # somebody in the editor
    third, fourth = (order(host, picture(number))["job_id"] for number in (9, 10))
    assert [look(host, one)["queue_place"] for one in (running, third, fourth)] == [0, 2, 3]
    call(host, "POST", f"{API}/jobs/{third}/cancel")
    assert look(host, third)["state"] == "cancelled" and look(host, fourth)["queue_place"] == 2
    call(host, "POST", f"{API}/jobs/{running}/cancel")
    assert ended(host, running)["state"] == "cancelled"
    assert ended(host, fourth)["state"] == "completed"


def test_a_queue_that_is_cleared_in_the_editor_loses_no_job_silently(host: RunningHost) -> None:
    running = order(host, nap(300, 11))["job_id"]
    waiting = order(host, picture(12))["job_id"]
    until(lambda: look(host, running)["state"] == "running")
    call(host, "POST", "queue", json={"clear": True})
    job = ended(host, waiting)
    assert job["state"] == "cancelled" and any("ComfyUI's queue" in line for line in job["logs"])
    call(host, "POST", "interrupt", json={})
    assert ended(host, running)["state"] == "cancelled"


def test_a_history_that_is_emptied_too_early_costs_a_second_run(host: RunningHost) -> None:
    """Nobody hears the end either: somebody took our place among the sockets, by the name that the queue shows."""
    job_id = order(host, nap(2, 19))["job_id"]
    until(lambda: look(host, job_id)["state"] == "running")
    (running,) = call(host, "GET", "queue").json()["queue_running"]
    thief = websocket.create_connection(f"{host.url.replace('http', 'ws')}/ws?clientId={running[3]['client_id']}")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not look(host, job_id)["state"] == "completed":
        call(host, "POST", "history", json={"clear": True})
    thief.close()
    job = look(host, job_id)
    assert job["state"] == "completed" and len(job["outputs"]) == 2


def test_progress_and_stage_are_told_while_it_runs(host: RunningHost) -> None:
    job_id = order(host, nap(300, 13))["job_id"]
    until(lambda: look(host, job_id)["progress"] > 0.3)  # Picture done, Nap begun
    job = look(host, job_id)
    assert job["stage"] == "Nap" and job["state"] == "running" and job["started_at"]
    call(host, "POST", f"{API}/jobs/{job_id}/cancel")
    assert ended(host, job_id)["progress"] < 1


def test_a_drawing_comes_out_of_the_real_pipeline(host: RunningHost) -> None:
    form = {"image": ("logo.png", drawing(), "image/png"), "request": (None, '{"params": {"draft": true}}')}
    answer = call(host, "POST", f"{API}/vectorize?wait=60", files=form)
    assert answer.status_code == 200, answer.text
    job = answer.json()
    (svg,) = job["outputs"]
    assert call(host, "GET", svg["url"].removeprefix("/")).text.startswith("<svg")
    assert {"Route", "Trace", "Gate"} <= set(job["report"])
    text = call(host, "GET", f"{API}/metrics").text
    assert 'vectrahub_node_seconds_count{node="VectraHub_VTracerTrace"}' in text
