"""The RunPod worker: by the runpod package's own local server, and as RunPod runs it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from vectrahub.tests.host_fixture import ROOT, RunningHost, make_host
from vectrahub.tests.routes.runpod_stand_in import RunPod
from vectrahub.vectrahub_client.host_config import HostConfig
from vectrahub.vectrahub_client.host_process import free_port
from vectrahub.vectrahub_client.jobs import JobsClient
from vectrahub.vectrahub_client.warmup import small_picture

pytest.importorskip("runpod", reason="pip install 'vectrahub[runpod]'")

HANDLER = ROOT / "deploy" / "runpod" / "handler.py"
PICTURE = base64.b64encode(small_picture()).decode()


def sleeping(seconds: float, color: int, side: int = 64) -> dict[str, Any]:
    """An order for a workflow that takes its time and saves a picture."""
    graph = {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": side, "height": side, "batch_size": 1, "color": color},
        },
        "2": {"class_type": "VectraHubTest_Sleep", "inputs": {"image": ["1", 0], "seconds": seconds}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    }
    return {"system": "workflows", "params": {"workflow": graph}}


def start(environ: Mapping[str, str], *arguments: str, log: Path) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if name != "COMFYUI_URL"}
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, str(HANDLER), *arguments],
            env={**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environ},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )


def end(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(20)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


class Local:
    """The worker behind the runpod package's local server."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = url
        self.process = process
        self.log = log

    def ask(self, path: str, wanted: object = None) -> dict[str, Any]:
        body = {"input": wanted} if wanted is not None else None
        return httpx.post(self.url + path, json=body, timeout=200, trust_env=False).raise_for_status().json()

    def host(self, after: int = 0) -> psutil.Process:
        """The ComfyUI of the worker, once it is there; another one than the process `after`."""
        for _ in range(1200):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    if child.pid != after and any(part.endswith("_guard.py") for part in child.cmdline()):
                        return child
            time.sleep(0.1)
        raise TimeoutError(self.log.read_text("utf-8"))

    def busy(self, after: int = 0) -> psutil.Process:
        """The same, once a job runs there."""
        host = self.host(after)
        arguments = host.cmdline()
        with JobsClient(f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}") as jobs:
            for _ in range(600):
                if jobs.jobs("running")["jobs"]:
                    return host
                time.sleep(0.1)
        raise TimeoutError(self.log.read_text("utf-8"))


@pytest.fixture(scope="module")
def local(host_config: HostConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    folder = tmp_path_factory.mktemp("runpod")
    host = make_host(host_config, folder, ["slow_node"])
    paths = {"python": host_config.python, "comfyui": host_config.comfyui, "base": host.base}
    prepared = folder / "host.json"
    prepared.write_text(json.dumps({name: str(path) for name, path in paths.items()}), encoding="utf-8")
    port = free_port()
    environ = {"VECTRAHUB_HOST": str(prepared), "VECTRAHUB_WARMUP": "vectorize"}
    worker = start(environ, "--rp_serve_api", "--rp_api_port", str(port), log=folder / "worker.log")
    try:
        running = Local(f"http://localhost:{port}", worker, folder / "worker.log")
        deadline = time.monotonic() + 240
        while True:
            assert worker.poll() is None and time.monotonic() < deadline, running.log.read_text("utf-8")
            try:
                httpx.get(running.url, trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield running
    finally:
        end(worker)


def test_an_order_for_a_system_gives_its_results(local: Local) -> None:
    order = {"system": "vectorize", "params": {"draft": True}, "files": {"image": PICTURE}, "metadata": {"n": 1}}
    answer = local.ask("/runsync", order)
    assert answer["status"] == "COMPLETED", answer
    (output,) = answer["output"]["outputs"]
    drawing = base64.b64decode(output["data"])
    assert drawing.startswith(b"<svg") and len(drawing) == output["bytes"] and "url" not in output
    assert answer["output"]["metadata"] == {"n": 1} and answer["output"]["report"]


def test_run_and_status(local: Local) -> None:
    accepted = local.ask("/run", sleeping(0.1, 1))
    assert accepted["status"] == "IN_PROGRESS"
    answer = local.ask(f"/status/{accepted['id']}")
    assert answer["status"] == "COMPLETED" and answer["output"]["outputs"][0]["type"] == "image/png"


def test_the_old_client_of_pictures_is_served(local: Local) -> None:
    answer = local.ask("/runsync", {"image": PICTURE, "filename": "logo.png"})
    assert answer["status"] == "COMPLETED", answer
    assert answer["output"]["success"] is True and answer["output"]["svg_url"]


def test_the_old_client_of_actions_is_served(local: Local) -> None:
    answer = local.ask("/runsync", {"action": "health"})
    assert answer["status"] == "COMPLETED" and answer["output"]["status"] == "ok"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"system": "vectorize", "params": {"bogus": 1}, "files": {"image": PICTURE}}, "bogus"),
        ({"system": "vectorize", "files": {"image": "no base64!"}}, "'image'"),
        ({"system": "vectorize", "image": PICTURE}, "unknown image"),
        ({"system": "vectorize", "params": [], "files": {}}, "`params`"),
        ({"nothing": "known"}, "input"),
        ({"action": "dance"}, "dance"),
        (sleeping(0, 2, side=1900) | {"params": {"workflow": {}}}, "workflow"),
    ],
)
def test_what_is_wrong_is_said(local: Local, wanted: object, words: str) -> None:
    answer = local.ask("/runsync", wanted)
    assert answer["status"] == "FAILED" and words in answer["error"], answer


def test_results_that_runpod_cannot_carry_are_an_error(local: Local) -> None:
    order = sleeping(0, 3)
    graph = order["params"]["workflow"]
    graph["1"] = {"class_type": "LoadImage", "inputs": {"image": "noise.png"}, "_meta": {"title": "Noise"}}
    answer = local.ask("/runsync", {**order, "files": {"Noise": base64.b64encode(noise(1700)).decode()}})
    assert answer["status"] == "FAILED" and "VECTRAHUB_PUBLIC_URL" in answer["error"], answer


def noise(side: int) -> bytes:
    """A PNG of random pixels, three bytes each."""
    from io import BytesIO

    import numpy as np
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_a_host_that_is_killed_comes_back_and_does_the_job(local: Local) -> None:
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(local.ask("/runsync", sleeping(3, 4))))
    asking.start()
    first = local.busy()
    first.kill()
    asking.join(200)
    assert answers[0]["status"] == "COMPLETED" and len(answers[0]["output"]["outputs"]) == 1, answers
    assert local.host().pid != first.pid


def test_a_host_that_is_killed_twice_ends_the_worker(local: Local) -> None:
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(local.ask("/runsync", sleeping(60, 5))))
    asking.start()
    first = local.busy()
    first.kill()
    local.busy(first.pid).kill()
    asking.join(200)
    assert answers[0]["status"] == "FAILED" and "the private host" in answers[0]["error"], answers


@pytest.fixture
def runpod(host: RunningHost, tmp_path: Path) -> Iterator[RunPod]:
    """A worker as RunPod runs it, in front of the session's host."""
    service = RunPod()
    worker = start({**service.environ(), "COMFYUI_URL": host.url}, log=tmp_path / "worker.log")
    try:
        yield service
    finally:
        end(worker)
        service.close()


def eventually(true: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := true()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return done


def test_runpod_hears_of_progress_and_can_stop_a_job(host: RunningHost, runpod: RunPod) -> None:
    runpod.order("one", sleeping(2.5, 6))
    told = runpod.wait("one", final=False)["output"]
    assert told["state"] in ("queued", "running") and 0 <= told["progress"] < 1
    assert runpod.wait("one")["output"]["outputs"]
    updates = [one for one in runpod.told["one"] if one.get("status") == "IN_PROGRESS"]
    assert len(updates) <= 5  # one a second

    runpod.order("two", sleeping(300, 7))
    assert runpod.wait("two", final=False)
    with JobsClient(host.url) as jobs:
        assert eventually(lambda: bool(jobs.jobs("running")["jobs"]))
        runpod.stops.put("two")
        assert eventually(lambda: not jobs.jobs("running")["jobs"] and not jobs.jobs("queued")["jobs"])
        assert jobs.jobs("cancelled")["jobs"]


def test_a_host_that_is_gone_for_good_asks_for_another_worker() -> None:
    """Asked of the handler itself: what RunPod makes of `refresh_worker` is RunPod's."""
    import asyncio

    from vectrahub.vectrahub_client._worker_host import GivenHost
    from vectrahub.vectrahub_client.errors import NoServer
    from vectrahub.vectrahub_client.runpod import Worker

    class Gone(GivenHost):
        starts = 0

        def restart(self) -> None:
            self.starts += 1
            raise NoServer("nobody is there")

        def why_ended(self) -> str | None:
            return "it was unplugged"

    host = Gone(f"http://127.0.0.1:{free_port()}")
    worker = Worker(host, lambda _event, _progress: None)
    answer = asyncio.run(worker.handle({"id": "1", "input": {"action": "health"}}))
    assert answer == {"error": "nobody is there", "refresh_worker": True} and host.starts == 1
