"""The ComfyUI of a worker: a running one that it is told of, or a private one that it starts, and once starts again."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from ._http import Http, normal_url
from .errors import NoServer, ServerError
from .host_config import load_config
from .host_process import PrivateHost

START_TIMEOUT = 1800.0  # seconds; a cold start on a network volume reads gigabytes
_ASK_EVERY = 0.5


class GivenHost:
    """A ComfyUI that somebody else runs, at `url`."""

    def __init__(self, url: str) -> None:
        self.url = normal_url(url)

    def start(self, timeout: float = START_TIMEOUT) -> None:
        """Wait until it answers. Raises NoServer."""
        deadline = time.monotonic() + timeout
        http = Http(self.url)
        try:
            while True:
                try:
                    http.get("system_stats")
                    return
                except ServerError as error:
                    if time.monotonic() > deadline:
                        raise NoServer(f"no ComfyUI answered at {self.url} within {timeout:.0f} s: {error}") from error
                time.sleep(_ASK_EVERY)
        finally:
            http.close()

    def restart(self) -> None:
        """Give whoever runs it a minute to start it again. Raises NoServer."""
        self.start(60.0)

    def stop(self) -> None:
        """It is not ours to stop."""

    def why_ended(self) -> str | None:
        """Not known."""
        return None


class OwnHost:
    """A private host that this process starts. `environ` is that of its process."""

    def __init__(self, environ: Mapping[str, str], base: Path | None = None) -> None:
        self._host = PrivateHost(load_config(), base=base, environ=environ, timeout=START_TIMEOUT)

    @property
    def url(self) -> str:
        return self._host.url

    def start(self) -> None:
        """Start it and wait for its first answer while its process lives. Raises HostFailed."""
        self._host.start()

    def restart(self) -> None:
        """Start it again after its end, in the same folders: its ledger takes up its jobs. Raises HostFailed."""
        self._host.kill()
        self._host.start()

    def stop(self) -> None:
        self._host.stop()

    def why_ended(self) -> str | None:
        return self._host.why_ended()


def worker_host(environ: Mapping[str, str] = os.environ, **settings: str) -> GivenHost | OwnHost:
    """The host of $COMFYUI_URL, else a private one that runs with `settings` as defaults of the environment.

    Raises HostNotPrepared.
    """
    if url := environ.get("COMFYUI_URL"):
        return GivenHost(url)
    return OwnHost({**settings, **environ})
