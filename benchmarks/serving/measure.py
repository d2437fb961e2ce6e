"""Tiny jobs on a real ComfyUI: many at once through the API, and one after the other through it and beside it."""

import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from vectrahub_client import Client, PrivateHost, load_config

from . import probes

PACK = Path(__file__).resolve().parents[2]
API = "vectrahub/v1"
PATIENCE = 600.0  # seconds
WARM_UP = 20  # jobs that are not counted

Run = Callable[[int], str]  # a number of its own -> the prompt's id, when it is done


def measure(folder: Path, jobs: int, clients: int, single: int, probing: float) -> dict[str, Any]:
    """Milliseconds. "over" is what a job took beyond the time from the start to the end of its nodes."""
    base = folder / "base"
    (base / "custom_nodes").mkdir(parents=True)
    (base / "custom_nodes" / "vectrahub").symlink_to(PACK, target_is_directory=True)
    with (
        PrivateHost(load_config(), base=base) as host,
        httpx.Client(base_url=host.url, timeout=60, trust_env=False) as http,
    ):
        numbers = itertools.count()
        ways = dict(_ways(http, host.url))
        for run in ways.values():
            for number in itertools.islice(numbers, WARM_UP):
                run(number)
        over: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(single):
            for name, run in ways.items():
                began = time.perf_counter()
                job_id = run(next(numbers))
                taken = 1000 * (time.perf_counter() - began)
                over[name].append(taken - _node_ms(http, job_id))
        many = _many(http, host.url, list(itertools.islice(numbers, jobs)), clients)
        probed = probes.measure(host.url, probing)
    return {
        "single": {name: _summary(values) for name, values in over.items()},
        "many": many,
        "probes": probed,
        "load": [round(one, 2) for one in os.getloadavg()],
    }


def _open(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=60, trust_env=False)


def _ways(http: httpx.Client, url: str) -> Iterator[tuple[str, Run]]:
    def through_the_api(number: int) -> str:
        answer = http.post(f"{API}/workflows", params={"wait": 30}, json=_order(number)).raise_for_status().json()
        if answer["state"] != "completed":
            raise SystemExit(f"a job ended as {answer['state']}: {answer['error']}")
        return answer["job_id"]

    def beside_it(number: int) -> str:
        return client.run(_graph(number)).prompt_id

    client = Client(url)
    yield "POST ?wait", through_the_api
    yield "/prompt and the client", beside_it


def _many(http: httpx.Client, url: str, numbers: list[int], clients: int) -> dict[str, Any]:
    with _open(url) as poster, ThreadPoolExecutor(clients) as pool:

        def post(number: int) -> str:
            return poster.post(f"{API}/workflows", json=_order(number)).raise_for_status().json()["job_id"]

        began = time.perf_counter()
        ids = list(pool.map(post, numbers))
        accepted = time.perf_counter() - began
        _until_over(http, set(ids))
        seconds = time.perf_counter() - began
    nodes = sum(_node_ms(http, job_id) for job_id in ids) / 1000
    return {
        "jobs": len(ids),
        "clients": clients,
        "seconds": round(seconds, 2),
        "accepted_after_s": round(accepted, 2),
        "node_seconds": round(nodes, 2),
        "over_ms": round(1000 * (seconds - nodes) / len(ids), 2),
        "jobs_per_s": round(len(ids) / seconds, 1),
    }


def _until_over(http: httpx.Client, wanted: set[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        waiting = [
            http.get(f"{API}/jobs", params={"state": state, "limit": 1}).json()["jobs"]
            for state in ("queued", "running")
        ]
        if not any(waiting):
            break
        time.sleep(0.1)
    states = [http.get(f"{API}/jobs/{job_id}").json()["state"] for job_id in wanted]
    if set(states) != {"completed"}:
        raise SystemExit(f"jobs ended as {sorted(set(states))}")


def _node_ms(http: httpx.Client, job_id: str) -> float:
    """From the start to the end of the run, as ComfyUI's own history has it."""
    messages = http.get(f"history/{job_id}").json()[job_id]["status"]["messages"]
    at = {name: data["timestamp"] for name, data in messages}
    return float(at["execution_success"] - at["execution_start"])


def _order(number: int) -> dict[str, Any]:
    return {"params": {"workflow": _graph(number)}}


def _graph(number: int) -> dict[str, dict[str, Any]]:
    """A picture of a colour of its own, so that nothing comes from the cache."""
    picture = {"width": 16, "height": 16, "batch_size": 1, "color": number}
    return {
        "1": {"class_type": "EmptyImage", "inputs": picture},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"tiny/{number}"}},
    }


def _summary(values: list[float]) -> dict[str, float]:
    tenths = statistics.quantiles(values, n=20)
    return {"median_ms": round(statistics.median(values), 2), "p95_ms": round(tenths[-1], 2)}
