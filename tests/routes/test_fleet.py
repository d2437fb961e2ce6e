"""Two replicas on this machine's CPU, by Ray Serve, and what is killed of them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from vectrahub.tests.host_fixture import ROOT, make_host
from vectrahub.vectrahub_client.host_config import HostConfig
from vectrahub.vectrahub_client.host_process import free_port
from vectrahub.vectrahub_client.jobs import JobsClient, JobView, completed

pytest.importorskip("ray", reason="pip install 'vectrahub[fleet]'")


def sleeping(seconds: float, color: int) -> dict[str, Any]:
    """A graph that takes its time and saves a picture."""
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": color}},
        "2": {"class_type": "VectraHubTest_Sleep", "inputs": {"image": ["1", 0], "seconds": seconds}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    }


@dataclass
class Fleet:
    url: str
    state: Path
    process: subprocess.Popen[str]
    log: Path

    def processes(self, word: str) -> list[psutil.Process]:
        """Processes below it with this in their command line."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if word in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def story(self, jobs: JobsClient, job_ids: list[str]) -> str:
        """What became of jobs, and the end of the fleet's log."""
        told = [(job["state"], job["attempts"], job["error"], job["logs"][-3:]) for job in map(jobs.job, job_ids)]
        return "\n".join([*map(str, told), self.log.read_text("utf-8")[-3000:]])

    def files(self, job: JobView) -> int:
        return len(list((self.state / "output" / "vectrahub" / "jobs" / job["job_id"]).iterdir()))


def eventually(true: Callable[[], bool], seconds: float = 300) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := true()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return done


@pytest.fixture(scope="module")
def fleet(host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    host = make_host(host_config, folder, ["slow_node"])
    paths = {"python": host_config.python, "comfyui": host_config.comfyui, "base": host.base}
    prepared = {name: str(path) for name, path in paths.items()}
    (folder / "host.json").write_text(json.dumps({**prepared, "args": ["--cpu"]}), encoding="utf-8")
    (folder / "settings.toml").write_text("[limits]\nper_token = 20\nattempts = 4\n", encoding="utf-8")
    port, state = free_port(), folder / "state"
    arguments = ["--json", "--replicas", "2", "--gpus", "0", "--cpus", "0.5", "--port", str(port), "--grace", "60"]
    arguments += ["--state", str(state), "--config", str(folder / "settings.toml")]
    with (folder / "fleet.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "vectrahub_client", "fleet", *arguments],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "VECTRAHUB_HOST": str(folder / "host.json"),
            },
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] in ("result", "error"):
                assert "url" in line, line
                break
        yield Fleet(f"http://127.0.0.1:{port}", state, process, folder / "fleet.log")
    finally:
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for each in [process, *below]:
            with suppress(psutil.Error):
                each.kill()
        process.wait()


def test_jobs_go_to_both_and_survive_whatever_is_killed(fleet: Fleet) -> None:
    with JobsClient(fleet.url) as jobs:
        # Both at once, one ahead of each.
        four = [jobs.workflow(sleeping(2, color))["job_id"] for color in range(4)]
        assert eventually(lambda: len(jobs.jobs("running")["jobs"]) == 2)
        assert all(fleet.files(completed(jobs.wait(job_id))) == 1 for job_id in four)
        assert eventually(lambda: httpx.get(f"{fleet.url}/vectrahub/v1/ready", trust_env=False).status_code == 200)

        # One that runs and one that waits are cancelled.
        five = [jobs.workflow(sleeping(100, color))["job_id"] for color in range(10, 15)]
        assert eventually(lambda: len(jobs.jobs("running")["jobs"]) == 2)
        for job_id in five:
            jobs.cancel(job_id)
        assert [jobs.wait(job_id)["state"] for job_id in five] == ["cancelled"] * 5
        assert jobs.jobs("running")["jobs"] == []

        # The ComfyUI of one replica dies, then the other replica, then the edge.
        six = [jobs.workflow(sleeping(3, color))["job_id"] for color in range(20, 26)]
        assert eventually(lambda: len(jobs.jobs("running")["jobs"]) == 2)
        first, other = fleet.processes("ray::ServeReplica")
        (host,) = [child for child in first.children() if any(part.endswith("_guard.py") for part in child.cmdline())]
        host.kill()
        assert eventually(lambda: not first.is_running())  # its replica goes with it, so that Ray makes another
        other.kill()
        assert eventually(lambda: len(jobs.jobs("running")["jobs"]) > 0), fleet.story(jobs, six)
        (edge,) = fleet.processes("ray::Edge")
        edge.kill()
        over = [completed(jobs.wait(job_id)) for job_id in six]
        assert all(len(job["outputs"]) == 1 and fleet.files(job) == 1 for job in over)
        assert all(1 <= job["attempts"] <= 4 for job in over) and max(job["attempts"] for job in over) > 1


def test_ray_is_only_for_who_has_its_token(fleet: Fleet) -> None:
    (store,) = fleet.processes("gcs_server")
    (port,) = {each.laddr.port for each in store.net_connections("inet") if each.status == "LISTEN"}
    script = f"import ray; ray.init(address='127.0.0.1:{port}', log_to_driver=False); print('let in')"
    strangers = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    done = subprocess.run([sys.executable, "-c", script], env=strangers, capture_output=True, text=True, timeout=120)
    assert "let in" not in done.stdout and "oken" in done.stderr, done.stderr


def test_at_the_end_what_runs_is_done_and_what_waits_is_kept(fleet: Fleet) -> None:
    with JobsClient(fleet.url) as jobs:
        for color in range(30, 36):
            jobs.workflow(sleeping(3, color))
        assert eventually(lambda: len(jobs.jobs("running")["jobs"]) > 0)
    fleet.process.send_signal(signal.SIGTERM)
    printed, _ = fleet.process.communicate(timeout=300)
    assert fleet.process.returncode == 0, printed + fleet.log.read_text("utf-8")
    left = json.loads(printed.strip().splitlines()[-1])["left"]
    assert 2 <= left <= 5
    with sqlite3.connect(fleet.state / "jobs.sqlite") as ledger:
        states = dict(ledger.execute("select state, count(*) from jobs group by state").fetchall())
    assert states.pop("completed") == 4 + 6 + (6 - left) and states.pop("cancelled") == 5
    assert sum(states.values()) == left and "failed" not in states
