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
API_WAY, BESIDE = "POST ?wait", "/prompt and the client"
WARM_UP = 20  # jobs that are not counted

Run = Callable[[int], str]  # a number of its own -> the prompt's id, when it is done


def measure(folder: Path, jobs: int, clients: int, single: int, probing: float) -> dict[str, Any]:
    """Milliseconds. "over" is what a job took beyond the time in its nodes."""
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
        taken: dict[str, list[float]] = {name: [] for name in ways}
        ids: dict[str, list[str]] = {name: [] for name in ways}
        before = _nodes(http)
        for _ in range(single):
            for name, run in ways.items():
                began = time.perf_counter()
                ids[name].append(run(next(numbers)))
                taken[name].append(1000 * (time.perf_counter() - began))
        nodes = {API_WAY: (_nodes(http) - before) / single, BESIDE: _mean_of_history(http, ids[BESIDE])}
        many = _many(http, host.url, list(itertools.islice(numbers, jobs)), clients)
        probed = probes.measure(host.url, probing)
    return {
        "single": {name: _summary(values, nodes[name]) for name, values in taken.items()},
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
    yield API_WAY, through_the_api
    yield BESIDE, beside_it


def _many(http: httpx.Client, url: str, numbers: list[int], clients: int) -> dict[str, Any]:
    with _open(url) as poster, ThreadPoolExecutor(clients) as pool:

        def post(number: int) -> str:
            return poster.post(f"{API}/workflows", json=_order(number)).raise_for_status().json()["job_id"]

        before, began = _nodes(http), time.perf_counter()
        ids = list(pool.map(post, numbers))
        accepted = time.perf_counter() - began
        _until_over(http, set(ids))
        seconds = time.perf_counter() - began
    nodes = (_nodes(http) - before) / 1000
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


def _nodes(http: httpx.Client) -> float:
    """Milliseconds in the nodes of all jobs so far, as the service counts them."""
    lines = http.get(f"{API}/metrics").text.splitlines()
    return 1000 * sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vectrahub_node_seconds_sum"))


def _mean_of_history(http: httpx.Client, ids: list[str]) -> float:
    """Milliseconds from the start to the end of a run, as ComfyUI's history has it."""
    spans = []
    for job_id in ids:
        messages = http.get(f"history/{job_id}").json()[job_id]["status"]["messages"]
        at = {name: data["timestamp"] for name, data in messages}
        spans.append(at["execution_success"] - at["execution_start"])
    return statistics.fmean(spans)


def _order(number: int) -> dict[str, Any]:
    return {"params": {"workflow": _graph(number)}}


def _graph(number: int) -> dict[str, dict[str, Any]]:
    """A picture of a colour of its own, so that nothing comes from the cache."""
    picture = {"width": 16, "height": 16, "batch_size": 1, "color": number}
    return {
        "1": {"class_type": "EmptyImage", "inputs": picture},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"tiny/{number}"}},
    }


def _summary(taken: list[float], nodes: float) -> dict[str, float]:
    twentieths = statistics.quantiles(taken, n=20)
    return {
        "median_ms": round(statistics.median(taken) - nodes, 2),
        "p95_ms": round(twentieths[-1] - nodes, 2),
        "nodes_ms": round(nodes, 2),
    }
