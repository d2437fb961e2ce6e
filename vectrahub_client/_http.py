"""HTTP to one ComfyUI, with the library's exceptions turned into this client's."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from .errors import BadAnswer, ServerLost, UsageError


class Unreachable(ServerLost):
    """The request did not reach a server, or its answer did not come back."""


class Silent(Unreachable):
    """Connected, but no answer in time: a node may be holding the server's interpreter."""


def normal_url(text: str) -> str:
    """`host:port` or a URL as `http(s)://host[:port][/path]`, without a slash at the end. Raises UsageError."""
    candidate = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(candidate)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
    except ValueError:  # a port that is no number
        pass
    raise UsageError(f"{text!r} is not the address of a server; give http://HOST:PORT")


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, to which no proxy of the environment leads."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Http:
    """GET and POST below one base address. Every method raises Unreachable, Silent or BadAnswer.

    UsageError where what is sent cannot be JSON, or is larger than the server takes.
    """

    def __init__(self, url: str, timeout: float = 15.0) -> None:
        self.url = url
        # Without the trailing slash httpx would still join correctly, but a path prefix of a proxy needs it.
        self._client = httpx.Client(
            base_url=url + "/", trust_env=not is_loopback(url), timeout=httpx.Timeout(timeout, connect=5.0)
        )

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **params: str) -> Any:
        """The JSON at `path`."""
        return self._json(self._request("GET", path, params=params))

    def get_or_none(self, path: str) -> Any:
        """The JSON at `path`, or None where the server has no such path."""
        response = self._request("GET", path, accept=(404, 405))
        return None if response.status_code in (404, 405) else self._json(response)

    def post(self, path: str, body: Mapping[str, object], accept: tuple[int, ...] = ()) -> tuple[int, Any]:
        """(status, JSON or None for an empty or other body) of a POST."""
        try:
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:  # NaN, half a character
            raise UsageError(f"the workflow cannot be sent as JSON: {error}") from error
        headers = {"Content-Type": "application/json"}
        response = self._request("POST", path, content=content, headers=headers, accept=accept)
        try:
            return response.status_code, response.json() if response.content else None
        except ValueError:
            return response.status_code, None

    def upload(self, path: str, field: str, name: str, source: Path, form: Mapping[str, str]) -> Any:
        """POST a file as multipart under the name `name`; OSError where it cannot be read."""
        with source.open("rb") as stream:
            return self._json(self._request("POST", path, files={field: (name, stream)}, data=form, timeout=120.0))

    def download(self, path: str, params: Mapping[str, str], write: Callable[[bytes], object]) -> int:
        """Stream a GET into `write`; the number of bytes."""
        size = 0
        with self._translated("GET", path), self._client.stream("GET", path.lstrip("/"), params=params) as response:
            self._check(response, ())
            for chunk in response.iter_bytes():
                write(chunk)
                size += len(chunk)
        return size

    def _request(self, method: str, path: str, accept: tuple[int, ...] = (), **options: Any) -> httpx.Response:
        with self._translated(method, path):
            # Relative, so that a path in the base address (a reverse proxy's) is kept.
            response = self._client.request(method, path.lstrip("/"), **options)
        self._check(response, accept)
        return response

    @contextmanager
    def _translated(self, method: str, path: str) -> Iterator[None]:
        try:
            yield
        except (httpx.ReadTimeout, httpx.PoolTimeout) as error:
            raise Silent(f"{self.url} did not answer {method} {path} in time") from error
        except httpx.TransportError as error:
            raise Unreachable(f"{self.url} cannot be reached: {error}") from error
        except httpx.HTTPError as error:
            raise BadAnswer(f"{self.url} answered {method} {path} in a way that cannot be read: {error}") from error

    def _check(self, response: httpx.Response, accept: tuple[int, ...]) -> None:
        if response.is_success or response.status_code in accept:
            return
        response.read()
        text = response.text.strip()[:300]
        request = response.request
        answer = f"{request.method} {request.url.path} with {response.status_code} {response.reason_phrase} {text}"
        if response.status_code in (502, 503, 504):  # a reverse proxy whose ComfyUI is away
            raise Unreachable(f"{self.url} answered {answer}")
        if response.status_code == 413:
            raise UsageError(f"too large for the server (its --max-upload-size): {self.url} answered {answer}")
        raise BadAnswer(f"{self.url} answered {answer}")

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            where = response.request.url.path
            raise BadAnswer(f"{self.url}{where} did not answer JSON: it is not a ComfyUI") from error
