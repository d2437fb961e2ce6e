"""A model hub of one file on loopback, speaking what huggingface_hub asks for: HEAD, GET, Range."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class TinyHub:
    """`stall_after`: bytes after which an answer stops coming until the hub ends. `ranges`: what GETs asked for."""

    def __init__(self, content: bytes, etag: str) -> None:
        self.content = content
        self.etag = etag
        self.stall_after: int | None = None
        self.ranges: list[str | None] = []
        self.ended = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._head(200, len(hub.content))

            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                hub.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
                body = hub.content[start:]
                self._head(206 if asked else 200, len(body), start)
                self.wfile.write(body[: hub.stall_after])
                self.wfile.flush()
                if hub.stall_after is not None:
                    hub.ended.wait(60)
                    self.close_connection = True

            def _head(self, status: int, length: int, start: int = 0) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.send_header("ETag", f'"{hub.etag}"')
                self.send_header("X-Repo-Commit", "0" * 40)
                self.send_header("Accept-Ranges", "bytes")
                if status == 206:
                    total = len(hub.content)
                    self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["TinyHub"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
