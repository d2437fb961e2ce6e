"""What ComfyUI says of our jobs while they run, heard where its websocket clients hear it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..vectrahub_client._socket import progress_text

log = logging.getLogger("vectrahub")


class HostEvents:
    """Stands among the server's sockets, as a client that is always connected.

    The server sends what happens to a job only to the client that posted it. A loopback connection of our own would
    hear the same, but not while the server starts, and with every message encoded and decoded.
    """

    def __init__(self, hear: Callable[[Mapping[str, Any]], None]) -> None:
        self._hear = hear

    async def send_json(self, message: Mapping[str, Any]) -> None:
        """One event as its websocket clients get it."""
        try:
            self._hear(message)
        except Exception:  # the server's own loop calls this, and the server would end with it
            log.exception("an event of ComfyUI was not understood: %s", message.get("type"))

    async def send_bytes(self, message: bytes) -> None:
        """A preview, which nobody looks at here, or a node's words about itself."""
        if words := progress_text(bytes(message)):
            await self.send_json({"type": "progress_text", "data": words})
