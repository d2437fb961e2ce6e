"""Server-sent events on the real host."""

import httpx

from vectrahub.tests.routes.jobs_over_http import V1, ask, ended, events, order


def test_a_job_is_told_from_where_it_stands_to_its_end(host):
    job_id = ask(host, "POST", "/workflows", json=order(seconds=1.5)).json()["job_id"]
    heard = list(events(host, job_id))
    kind, first = heard[0]
    assert kind == "state" and first["state"] in ("queued", "running") and first["job_id"] == job_id
    shares = [data["progress"] for kind, data in heard if kind == "progress"]
    assert len(shares) >= 3 and shares == sorted(shares) and 0 <= shares[0] <= shares[-1] <= 1
    assert any("Sleep" in (data["stage"] or "") for kind, data in heard if kind == "progress")
    assert heard[-1] == ("state", {"job_id": job_id, "state": "completed"})
    assert [data["state"] for _, data in events(host, job_id)] == ["completed"]


def test_a_cancelled_job_ends_its_stream(host):
    job_id = ask(host, "POST", "/workflows", json=order(seconds=60)).json()["job_id"]
    stream = events(host, job_id)
    next(stream)
    ask(host, "POST", f"/jobs/{job_id}/cancel")
    assert list(stream)[-1][1]["state"] == "cancelled"


def test_a_listener_that_goes_away_leaves_the_job_alone(host):
    job_id = ask(host, "POST", "/workflows", json=order(seconds=1)).json()["job_id"]
    with httpx.stream("GET", f"{host.url}{V1}/jobs/{job_id}/events", trust_env=False) as answer:
        next(answer.iter_lines())
    assert ended(host, job_id)["state"] == "completed"
    assert "Traceback" not in "\n".join(line for line in host.tail().splitlines() if "vectrahub" in line)
