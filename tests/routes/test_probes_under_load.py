"""Probes are answered while a node computes and a hundred clients are busy; how quickly is the bench's business."""

from __future__ import annotations

import threading

import httpx

from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.routes.job_calls import API, call, drawing, look, nap, order, until
from vectrahub.tests.routes.jobs_over_http import ended

CLIENTS, ROUNDS = 100, 3


def test_a_hundred_clients_and_a_running_job_keep_no_probe_waiting(host: RunningHost) -> None:
    running = order(host, nap(300, 21))["job_id"]
    until(lambda: look(host, running)["state"] == "running")
    statuses: list[int] = []
    jobs: list[str] = []
    picture = drawing()

    def client(number: int) -> None:
        with httpx.Client(base_url=host.url, timeout=120, trust_env=False) as http:
            for _ in range(ROUNDS):
                if number % 10:
                    statuses.append(http.get(f"{API}/jobs").status_code)
                    continue
                answer = http.post(f"{API}/vectorize", files={"image": ("a.png", picture, "image/png")})
                statuses.append(answer.status_code)
                jobs.append(answer.json()["job_id"])

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    probed = 0
    while probed < 20 or any(thread.is_alive() for thread in threads):
        for path in ("health", "ready", "metrics"):
            assert call(host, "GET", f"{API}/{path}").status_code == 200
            probed += 1
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 202} and len(statuses) == CLIENTS * ROUNDS
    assert look(host, running)["state"] == "running"  # all of that went on beside it
    for job_id in [*jobs, running]:
        call(host, "POST", f"{API}/jobs/{job_id}/cancel")
    assert {ended(host, job_id)["state"] for job_id in [*jobs, running]} == {"cancelled"}
