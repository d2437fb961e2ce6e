"""Nothing is lost and nothing is done twice: ComfyUI is killed twenty times while two hundred jobs come in."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.tests.host_fixture import RunningHost

JOBS, KILLS = 200, 20
SEED = 7


class Receiver:
    """Takes callbacks; `got` is {webhook-id: job id}, `taken` counts every arrival."""

    def __init__(self) -> None:
        self.got: dict[str, str] = {}
        self.taken = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                import json

                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.got[self.headers["webhook-id"]] = body["data"]["job_id"]
                receiver.taken += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def tiny(number: int) -> dict[str, Any]:
    """A graph of its own colour, so that no two share a result."""
    picture = {"width": 8, "height": 8, "batch_size": 1, "color": number}
    return {
        "1": {"class_type": "EmptyImage", "inputs": picture, "_meta": {"title": "Picture"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"tiny/n{number}"}},
    }


class Poster:
    """A client that wants each of its jobs accepted, whatever happens to the server."""

    def __init__(self, host: RunningHost, callback: str) -> None:
        self._host, self._callback = host, callback
        self.accepted: dict[int, str] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        for number in range(JOBS):
            while number not in self.accepted:
                self._try(number)

    def _try(self, number: int) -> None:
        body = {"params": {"workflow": tiny(number)}, "callback_url": self._callback, "metadata": {"number": number}}
        try:
            answer = httpx.post(
                f"{self._host.url}/vectrahub/v1/workflows",
                json=body,
                headers={"Idempotency-Key": f"job-{number}"},
                timeout=30,
                trust_env=False,
            )
        except httpx.TransportError:
            time.sleep(0.1)
            return
        if answer.status_code in (200, 202):
            self.accepted[number] = answer.json()["job_id"]
        else:
            assert answer.status_code in (429, 503), answer.text
            time.sleep(0.2)


@pytest.mark.timeout(1500)
def test_two_hundred_jobs_survive_twenty_kills(
    make_job_host: Callable[..., RunningHost],
) -> None:
    chance = random.Random(SEED)
    receiver = Receiver()
    settings = f"""
        [limits]
        attempts = {KILLS + 1}
        [urls]
        internal = ["{receiver.origin}"]
    """
    host = make_job_host(settings)
    poster = Poster(host, f"http://{receiver.origin}/done")
    poster.start()
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0, 1.5))
            host.kill()
            host.start()
        assert poster.join(300), f"{len(poster.accepted)} of {JOBS} were accepted"
        jobs = settled(host, set(poster.accepted.values()))
        assert [job["state"] for job in jobs.values()] == ["completed"] * JOBS
        assert len(jobs) == JOBS
        check_results(host.output, poster.accepted, jobs)
        until(lambda: set(receiver.got.values()) == set(jobs))
        assert len(receiver.got) == JOBS  # one id for each job, however often it arrived
    finally:
        receiver.close()


def check_results(output: Path, accepted: dict[int, str], jobs: dict[str, Any]) -> None:
    """One file for each job, and no other."""
    for number, job_id in accepted.items():
        (result,) = jobs[job_id]["outputs"]
        files = [path.name for path in (output / "vectrahub" / "jobs" / job_id).iterdir()]
        assert files == [result["name"]] and result["name"].startswith(f"n{number}_")
        assert jobs[job_id]["metadata"] == {"number": number}
    assert {path.parent.name for path in output.rglob("*.png")} == set(jobs)


def settled(host: RunningHost, wanted: set[str]) -> dict[str, Any]:
    """All jobs of the server, when none of them waits any more."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found.clear()
        before: int | None = None
        while True:
            query = {"limit": 100, **({} if before is None else {"before": before})}
            page = httpx.get(f"{host.url}/vectrahub/v1/jobs", params=query, timeout=30, trust_env=False).json()
            found.update({job["job_id"]: job for job in page["jobs"]})
            before = page["next"]
            if before is None:
                return all(job["state"] in ("completed", "failed", "cancelled") for job in found.values())

    until(over)
    assert set(found) == wanted
    return found


def until(true: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it does not come to an end"
        time.sleep(0.2)
