"""What stands around the old servers: website, asset service and load balancer in one, and a host for them all."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
from PIL import Image

from vectrahub.tests.host_fixture import RunningHost

TOKEN, MODELS_TOKEN = "an-old-client-token-01", "an-old-client-token-02"
LINKS, UPLOADS = "the-secret-of-links", "the-secret-of-uploads"
ASSETS, BALANCER, SIGNING = "the-secret-of-assets", "the-secret-of-the-balancer", "the-secret-of-callbacks"
PATIENCE = 180.0


@dataclass(frozen=True)
class Arrival:
    """A request that came: `fields` of a form as text, `files` of it as bytes, or `document` of a JSON body."""

    path: str
    headers: dict[str, str]
    body: bytes
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Neighbour:
    """Answers POST with 200 (uploads as the website does) and GET /picture.png with a picture."""

    def __init__(self) -> None:
        self.arrived: list[Arrival] = []
        self.refuses_uploads = False
        neighbour = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    body = _unchunked(self.rfile)
                neighbour.arrived.append(_arrival(self.path, dict(self.headers), body))
                self._say(200, neighbour.reply(self.path), "application/json")

            def do_GET(self) -> None:
                self._say(200, png(), "image/png")

            def _say(self, status: int, data: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.origin}"

    def reply(self, path: str) -> bytes:
        if not path.endswith("svg_upload.php"):
            return b"{}"
        if self.refuses_uploads:
            return b'{"success": false, "error": "the disk is full"}'
        return json.dumps({"success": True, "svg_url": f"https://pixel2vector.com/{len(self.arrived)}.svg"}).encode()

    def wait_for(self, path: str, fits: Callable[[Arrival], bool] = lambda _: True) -> Arrival:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for one in self.arrived:
                if one.path == path and fits(one):
                    return one
            time.sleep(0.05)
        raise TimeoutError(f"nothing came to {path}: {[one.path for one in self.arrived]}")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self.refuses_uploads = True
        try:
            yield
        finally:
            self.refuses_uploads = False

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def settings(neighbour: Neighbour) -> str:
    """All five contracts, the neighbour in all roles."""
    return f"""
        node_id = "gpu-node-1"
        [urls]
        internal = ["{neighbour.origin}"]
        [callbacks]
        pauses_s = [0.2, 0.2, 0.2]
        [contracts.vectrahub]
        enabled = true
        app_base_url = "{neighbour.url}"
        [contracts.toolbox]
        enabled = true
        wait_s = 120
        models = {{ "z-image" = "z_image.safetensors", "sdxl-tile" = "tile_sdxl.safetensors" }}
        [contracts.logo]
        enabled = true
        open = true
        steps = 2
        [contracts.vton]
        enabled = true
        resolution = "480p"
        callback_url = "{neighbour.url}/v1/vton/result"
        load_balancer_url = "{neighbour.url}/lb"
        [contracts.vehicle]
        enabled = true
    """


SECRETS = f"""
    links = "{LINKS}"
    svg_upload = "{UPLOADS}"
    asset_service = "{ASSETS}"
    load_balancer = "{BALANCER}"
    callbacks = "{SIGNING}"
    [tokens.old]
    secret = "{TOKEN}"
    [tokens.models]
    secret = "{MODELS_TOKEN}"
    scopes = ["jobs", "models"]
"""


class Old:
    """A host with the five contracts, as an old client sees it."""

    def __init__(self, host: RunningHost, neighbour: Neighbour) -> None:
        self.host, self.neighbour = host, neighbour

    def call(self, method: str, path: str, token: str | None = TOKEN, **more: Any) -> httpx.Response:
        headers = {**({"X-API-Key": token} if token else {}), **more.pop("headers", {})}
        # By a name that is not this machine's: nobody is let in for asking from here.
        headers.setdefault("Host", "gpu.example")
        url = path if path.startswith("http") else self.host.url + path
        return httpx.request(method, url, headers=headers, timeout=PATIENCE + 60, trust_env=False, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.call("POST", path, **more)

    def until(self, path: str, over: Callable[[dict[str, Any]], bool], **more: Any) -> dict[str, Any]:
        """What GET `path` says once it is `over`."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self.get(path, **more)
            assert answer.status_code == 200, answer.text
            if over(said := answer.json()):
                return said
            time.sleep(0.1)
        raise TimeoutError(f"{path}: {said}\n{self.host.tail()}")

    def runpod(self, job_id: str) -> dict[str, Any]:
        """The envelope of a job that is over."""
        return self.until(f"/status/{job_id}", lambda said: said["status"] not in ("IN_QUEUE", "IN_PROGRESS"))


def until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for something; TimeoutError where it does not come."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {seconds:g} s")
        time.sleep(0.1)


def png(width: int = 96, height: int = 64, seed: int | None = None) -> bytes:
    """A red sign on blue; with a seed one of its own colours."""
    ground, sign = ((20, 40, 160), (220, 30, 30))
    if seed is not None:
        ground, sign = (tuple(map(int, one)) for one in np.random.default_rng(seed).integers(0, 256, (2, 3)))
    pixels = np.full((height, width, 3), ground, np.uint8)
    pixels[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = sign
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def opened(data: bytes | str) -> Image.Image:
    """A picture from its bytes or their base64."""
    raw = base64.b64decode(data) if isinstance(data, str) else data
    picture = Image.open(io.BytesIO(raw))
    picture.load()
    return picture


def _arrival(path: str, headers: dict[str, str], body: bytes) -> Arrival:
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/form-data"):
        return Arrival(path, headers, body)
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields, files = {}, {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        if part.get_filename() is None:
            fields[name] = data.decode()
        else:
            files[name] = data
    return Arrival(path, headers, body, fields, files)


def _unchunked(stream: Any) -> bytes:
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body
