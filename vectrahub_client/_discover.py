"""Finding a ComfyUI to work with, or starting the private one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._http import Http, normal_url
from ._wait import Patience
from .client import Client
from .errors import NoServer, ServerError
from .host_config import load_config
from .host_process import PrivateHost

USUAL_SERVER = "http://127.0.0.1:8188"
PACK_PREFIX = "VectraHub_"


def _say_nothing(_text: str) -> None:
    return None


@contextmanager
def connect(
    server: str | None = None,
    *,
    host_json: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    say: Callable[[str], None] = _say_nothing,
    patience: Patience | None = None,
) -> Iterator[Client]:
    """A client of `server`, else of $COMFYUI_URL, else of a ComfyUI on 127.0.0.1:8188 that has the pack, else of
    the private host, which is started for it and stopped at the end.

    `say` hears what is being tried. Raises UsageError for a wrong address, NoServer, HostNotPrepared, HostFailed.
    """
    named = server or environ.get("COMFYUI_URL")
    if named:
        url = normal_url(named)
        server_stats(url, f"--server {server}" if server else f"$COMFYUI_URL = {named}")
    else:
        url = USUAL_SERVER if _has_pack(USUAL_SERVER) else None
    if url is not None:
        say(f"using the ComfyUI at {url}")
        with Client(url, patience=patience) as client:
            yield client
        return
    config = load_config(host_json)
    say("starting the private host (about 20 s)")
    with PrivateHost(config) as host:
        say(f"the private host answers at {host.url}")
        with Client(host.url, patience=patience, host_ended=host.why_ended) as client:
            yield client


def server_stats(url: str, source: str) -> Mapping[str, Any]:
    """The server's /system_stats. Raises NoServer, which names `source`, where no ComfyUI answers."""
    http = Http(url)
    try:
        stats = http.get("system_stats")
        if not isinstance(stats, Mapping) or "system" not in stats:
            raise NoServer(f"{url} ({source}) answers, but not as a ComfyUI does")
        return stats
    except NoServer:
        raise
    except ServerError as error:
        raise NoServer(f"no ComfyUI answers at {url} ({source}): {error}") from error
    finally:
        http.close()


def pack_nodes(object_info: object) -> list[str]:
    """The pack's node ids in an answer of /object_info, sorted."""
    names = object_info if isinstance(object_info, Mapping) else ()
    return sorted(name for name in names if name.startswith(PACK_PREFIX))


def _has_pack(url: str) -> bool:
    http = Http(url)
    try:
        return bool(pack_nodes(http.get("object_info")))
    except ServerError:
        return False
    finally:
        http.close()
