"""RunPod as a worker sees it: jobs to take, jobs to stop, and a place for results."""

from __future__ import annotations

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RunPod:
    """A server on loopback. `told[id]`: what the worker sent of a job, in order."""

    def __init__(self) -> None:
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stops: queue.Queue[str] = queue.Queue()
        self.told: dict[str, list[dict[str, Any]]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def environ(self) -> dict[str, str]:
        """What RunPod puts into a worker's environment."""
        base = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            "RUNPOD_POD_ID": "pod",
            "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=none",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
        }

    def order(self, job_id: str, wanted: object) -> None:
        """Give a worker something to do."""
        self.jobs.put({"id": job_id, "input": wanted})

    def wait(self, job_id: str, final: bool = True, seconds: float = 120) -> dict[str, Any]:
        """The worker's result, or its first report of progress."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for one in list(self.told.get(job_id, ())):
                if final == (one.get("status") != "IN_PROGRESS"):
                    return one
            time.sleep(0.05)
        raise TimeoutError(f"{job_id}: {self.told.get(job_id)}")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(runpod: RunPod) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer: object = None
            try:
                if "/job-take/" in self.path:
                    answer = runpod.jobs.get(timeout=0.5)
                elif "/job-stop/" in self.path:
                    answer = {"jobsToStop": [runpod.stops.get(timeout=0.5)]}
            except queue.Empty:
                pass
            body = json.dumps(answer).encode() if answer else b""
            self.send_response(200 if body else 204)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            job_id = self.path.split("?")[0].rsplit("/", 1)[1]
            runpod.told.setdefault(job_id, []).append(data)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
