"""How long probes take while nodes compute and a hundred clients post, upload and look.

`python -m benchmarks.serving.probes URL SECONDS` is the clients: a process of their own, so that a probe waits for the
server and not for them.
"""

import io
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import httpx
import numpy as np
from PIL import Image

API = "vectrahub/v1"
CLIENTS = 100
PAUSE = 1.0  # seconds between two looks of a client at its job
TARGET_MS = 100.0


def measure(url: str, seconds: float) -> dict[str, Any]:
    """Milliseconds of /health and /ready, one after the other, and what the clients got meanwhile."""
    command = [sys.executable, "-m", "benchmarks.serving.probes", url, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        taken = _probe(url, seconds)
        said, _ = load.communicate(timeout=600)
    return {
        "clients": CLIENTS,
        "probes": len(taken),
        **{name: round(float(np.percentile(taken, share)), 1) for name, share in (("p50_ms", 50), ("p99_ms", 99))},
        "max_ms": round(max(taken), 1),
        "answers": json.loads(said),
    }


def _probe(url: str, seconds: float) -> list[float]:
    taken = []
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for path in ("health", "ready"):
                began = time.perf_counter()
                answer = http.get(f"{API}/{path}")
                taken.append(1000 * (time.perf_counter() - began))
                if answer.status_code not in (200, 503):
                    raise SystemExit(f"/{path} answers {answer.status_code}")
            time.sleep(0.05)
    return taken


class _Clients:
    """Half of them post pictures and look at their jobs once a second, half list jobs once a second."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._picture = _picture()
        self.stop = threading.Event()
        self.answers: Counter[int] = Counter()

    def run(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=300, trust_env=False) as http:
            while not self.stop.is_set():
                job = self._post(http) if number % 2 else self._get(http, f"{API}/jobs?limit=20")
                for _ in range(5 if number % 2 else 0):
                    self.stop.wait(PAUSE)
                    if "job_id" in job:
                        self._get(http, f"{API}/jobs/{job['job_id']}")
                self.stop.wait(PAUSE)

    def _post(self, http: httpx.Client) -> dict[str, Any]:
        form = {"image": ("p.png", self._picture, "image/png"), "request": (None, '{"params": {"draft": true}}')}
        return self._counted(http.post(f"{API}/vectorize", files=form))

    def _get(self, http: httpx.Client, path: str) -> dict[str, Any]:
        return self._counted(http.get(path))

    def _counted(self, answer: httpx.Response) -> dict[str, Any]:
        self.answers[answer.status_code] += 1
        return answer.json()


def _picture() -> bytes:
    """A megapixel of soft noise: work for decoder and nodes, as PNG."""
    small = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(small).resize((1024, 1024), Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


def main() -> None:
    """Be the clients for a while; prints {status: answers}."""
    url, seconds = sys.argv[1], float(sys.argv[2])
    clients = _Clients(url)
    threads = [threading.Thread(target=clients.run, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    clients.stop.set()
    for thread in threads:
        thread.join(60)
    print(json.dumps({str(status): count for status, count in sorted(clients.answers.items())}))


if __name__ == "__main__":
    main()
