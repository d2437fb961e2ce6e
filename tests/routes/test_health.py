"""Probes: they answer at once, whatever is slow, and tell strangers nothing of jobs and paths."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from vectrahub.routes.fresh import Fresh
from vectrahub.routes.gpu_figures import Gpu
from vectrahub.routes.probes import HostState, probe_routes
from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.service.job_server import job_server
from vectrahub.vectrahub_client.service.metrics import Metrics
from vectrahub.vectrahub_client.service.settings import Limits, Settings

HOST = HostState("0.30.0", 1, 2, ("SDXL", "AutoencoderKL"), 5 * 10**9)
GPU = Gpu("NVIDIA H100", 80 * 2**30, 3 * 2**30, 12.0)


@dataclass
class Probed:
    settings: Settings = field(default_factory=lambda: Settings(node_id="gpu-7", limits=Limits(queue=3)))
    metrics: Metrics = field(default_factory=Metrics)
    jobs: int = 0

    def unfinished(self) -> int:
        return self.jobs


def fail() -> Any:
    raise RuntimeError("/secret/device is lost")


def asked(folder: Path, *paths: str, gpu: Any = lambda: GPU, host: Any = lambda: HOST, **more: Any) -> list[Any]:
    """(status, body, headers) of strangers' requests, one after the other."""
    trouble = more.pop("trouble", None)
    routes = probe_routes(Probed(**more), Fresh(gpu, None), Fresh(host, None), lambda: trouble)

    async def main() -> list[Any]:
        async with job_server(folder, routes, auth={"trust_loopback": False}) as server:
            await asyncio.sleep(0)
            return [await server.ask("GET", path, bare=True) for path in paths]

    return asyncio.run(main())


def test_health_shows_the_server_as_it_is(tmp_path: Path) -> None:
    ((status, body, _),) = asked(tmp_path, "/health", jobs=2)
    assert status == 200
    assert body.pop("version")
    assert body == {
        "status": "ok",
        "node_id": "gpu-7",
        "comfyui": "0.30.0",
        "gpu": {
            "name": "NVIDIA H100",
            "memory_total_bytes": 80 * 2**30,
            "memory_used_bytes": 3 * 2**30,
            "utilization_percent": 12.0,
        },
        "queue": {"running": 1, "queued": 2},
        "jobs": 2,
        "models": ["SDXL", "AutoencoderKL"],
        "disk_free_bytes": 5 * 10**9,
    }


def test_a_server_that_would_take_a_job_is_ready(tmp_path: Path) -> None:
    for gpu in (GPU, None):
        ((status, body, _),) = asked(tmp_path, "/ready", gpu=lambda gpu=gpu: gpu)
        checks = dict.fromkeys(("gpu", "model_cache", "disk_space", "ledger", "queue"), "ok")
        assert (status, body) == (200, {"status": "ready", "checks": checks})


@pytest.mark.parametrize(
    ("part", "state"),
    [
        ("gpu", {"gpu": fail}),
        ("model_cache", {"host": fail}),
        ("disk_space", {"host": lambda: replace(HOST, disk_free=10**8)}),
        ("ledger", {"trouble": "/secret/jobs.sqlite is locked"}),
        ("queue", {"jobs": 3}),
    ],
)
def test_what_is_wrong_is_named_and_nothing_else_is_told(tmp_path: Path, part: str, state: dict[str, Any]) -> None:
    ((status, body, headers),) = asked(tmp_path, "/ready", **state)
    assert (status, body["status"]) == (503, "not_ready")
    wrong = {name for name, text in body["checks"].items() if text != "ok"}
    assert part in wrong
    assert wrong <= {part, "disk_space"}
    assert "secret" not in json.dumps(body)
    assert headers["Retry-After"]


def test_a_device_that_hangs_does_not_stop_the_probes(tmp_path: Path) -> None:
    gate = threading.Event()

    def hang() -> Any:
        gate.wait(60)
        return GPU

    try:
        (health, metrics) = asked(tmp_path, "/health", "/metrics", gpu=hang)
        assert health[0] == metrics[0] == 200
        assert health[1]["gpu"] is None
    finally:
        gate.set()


def test_many_probes_are_one_reading() -> None:
    begun: list[int] = []

    def read() -> int:
        begun.append(1)
        return len(begun)

    async def main() -> None:
        fresh = Fresh(read, 0, seconds=3600)
        assert await asyncio.gather(*(fresh.get(30) for _ in range(100))) == [1] * 100
        assert await fresh.get() == 1

    asyncio.run(main())


def test_a_reading_that_fails_leaves_the_one_before_and_says_so() -> None:
    readings: list[Any] = [1, ValueError("lost"), 2]

    def read() -> int:
        one = readings.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    async def main() -> list[Any]:
        fresh = Fresh(read, 0, seconds=0)
        seen: list[Any] = [fresh.trouble]
        for _ in range(3):
            seen += [await fresh.get(30), fresh.trouble]
        return seen

    assert asyncio.run(main()) == ["not read yet", 1, None, 1, "lost", 2, None]


def test_the_page_of_figures_is_prometheus_text(tmp_path: Path) -> None:
    ((status, page, headers),) = asked(tmp_path, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"\nvton_inference_count 0.0\n" in page


# On the real host.


def get(host: RunningHost, path: str) -> httpx.Response:
    return httpx.get(f"{host.url}/vectrahub/v1/{path}", timeout=60, trust_env=False)


def test_the_host_says_how_it_is(host: RunningHost) -> None:
    answer = get(host, "health").json()
    assert answer["status"] == "ok"
    assert answer["comfyui"] == "0.30.0"
    assert answer["disk_free_bytes"] > 0
    assert answer["queue"].keys() == {"running", "queued"}
    assert str(host.base) not in json.dumps(answer)


def test_the_host_is_ready(host: RunningHost) -> None:
    answer = get(host, "ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready"), answer.text


def test_the_hosts_page_has_every_promised_name(host: RunningHost) -> None:
    get(host, "health")
    page = get(host, "metrics").text
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}
    assert names >= {
        "vton_inference_count",
        "vton_inference_latency_ms",
        "vton_inference_errors_total",
        "gpu_memory_used_bytes",
        "gpu_utilization_percent",
        "job_queue_size",
        "errors_total",
        "pipeline_duration_seconds",
    }
    assert 'vectrahub_http_requests_total{route="/vectrahub/v1/health",status="200"}' in page
