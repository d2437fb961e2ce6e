"""What a restart finds: a job that ran, one that waited, one that cannot run any more, and a callback not yet made."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from vectrahub.tests.host_fixture import RunningHost
from vectrahub.tests.routes.job_calls import call, drawing, look, nap, order, picture, until
from vectrahub.tests.routes.jobs_over_http import ended


def test_everything_is_taken_up_or_ends_with_a_reason(make_job_host: Callable[..., RunningHost]) -> None:
    got: list[tuple[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.headers["webhook-id"], body["data"]["job_id"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    origin = f"127.0.0.1:{receiver.server_port}"
    host = make_job_host(f'[urls]\ninternal = ["{origin}"]\n', packs=["slow_node"])
    callback = {"callback_url": f"http://{origin}/done"}

    done = order(host, picture(1), wait=60, **callback)["job_id"]  # nobody answers yet
    until(lambda: look(host, done)["deliveries"][0]["attempts"] > 0 or bool(look(host, done)["deliveries"][0]["error"]))
    running = order(host, nap(3, 2))["job_id"]
    waiting = order(host, picture(3), **callback)["job_id"]
    gone = order(host, loading(host.input / "gone.png"))["job_id"]
    cancelled = order(host, picture(5))["job_id"]
    until(lambda: look(host, running)["state"] == "running")
    call(host, "POST", f"vectrahub/v1/jobs/{cancelled}/cancel")
    before = {one: look(host, one) for one in (done, cancelled)}

    host.kill()
    (host.input / "gone.png").unlink()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    host.start()
    try:
        jobs = {one: ended(host, one) for one in (running, waiting, gone)}
        assert jobs[running]["state"] == jobs[waiting]["state"] == "completed"
        assert jobs[running]["attempts"] == 2 and jobs[waiting]["attempts"] == 1
        assert any("restart" in line for line in jobs[running]["logs"])
        assert jobs[gone]["error"]["kind"] == "refused" and "gone.png" in jobs[gone]["error"]["message"]
        until(lambda: {job_id for _, job_id in got} == {done, waiting})
        until(lambda: look(host, done)["deliveries"][0]["state"] == "done")
        after = look(host, done)
        assert after["deliveries"][0]["id"] in {one for one, _ in got}
        assert after["outputs"] == before[done]["outputs"]
        assert look(host, cancelled) == before[cancelled]
    finally:
        receiver.shutdown()
        receiver.server_close()


def loading(path: Path) -> dict[str, dict[str, object]]:
    """Saves a picture that lies in ComfyUI's input folder."""
    path.write_bytes(drawing())
    graph = picture(0)
    graph["1"] = {"class_type": "LoadImage", "inputs": {"image": path.name}}
    return graph
