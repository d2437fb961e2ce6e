"""A small model hub on loopback, speaking what huggingface_hub asks for: HEAD, GET, Range."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class TinyHub:
    """Serves `files`: "repo/path" -> (content, etag), whatever the revision.

    `stall_after`: bytes after which a longer answer stops coming until the hub ends. `gets`: what was asked for,
    as (name of the file, Range header).
    """

    def __init__(self, files: Mapping[str, tuple[bytes, str]]) -> None:
        self.files = dict(files)
        self.stall_after: int | None = None
        self.gets: list[tuple[str, str | None]] = []
        self.ended = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                if served := self._served():
                    self._head(200, *served)

            def do_GET(self) -> None:
                if not (served := self._served()):
                    return
                content, etag = served
                asked = self.headers.get("Range")
                hub.gets.append((self.path.rsplit("/", 1)[-1], asked))
                start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
                self._head(206 if asked else 200, content, etag, start)
                body = content[start:]
                self.wfile.write(body[: hub.stall_after])
                self.wfile.flush()
                if hub.stall_after is not None and len(body) > hub.stall_after:
                    hub.ended.wait(60)
                    self.close_connection = True

            def _served(self) -> tuple[bytes, str] | None:
                repo, _, rest = self.path.strip("/").partition("/resolve/")
                served = hub.files.get(f"{repo}/{rest.partition('/')[2]}")
                if served is None:
                    self.send_error(404)
                return served

            def _head(self, status: int, content: bytes, etag: str, start: int = 0) -> None:
                total = len(content)
                self.send_response(status)
                self.send_header("Content-Length", str(total - start))
                self.send_header("ETag", f'"{etag}"')
                self.send_header("X-Repo-Commit", "0" * 40)
                self.send_header("Accept-Ranges", "bytes")
                if status == 206:
                    self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def ranges(self) -> list[str | None]:
        return [asked for _name, asked in self.gets]

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
