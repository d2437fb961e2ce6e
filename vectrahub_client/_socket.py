"""The websocket of one job: messages into a queue, a lost connection is made again."""

from __future__ import annotations

import json
import queue
import struct
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import websocket

from ._http import is_loopback

_RECEIVE_SECONDS = 0.5  # how long closing may have to wait for the thread, should it be just about to listen
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0
_TEXT = 3  # the host's number for a binary message that is no picture


class JobSocket:
    """Listens for `client_id` on a thread of its own until `close`.

    `messages` gets the host's JSON messages as dicts, a node's words on its progress as {"type": "progress_text",
    "data": {"node", "text"}}, and {"type": "connection_lost"} and {"type": "connection_back"}. Messages sent while
    the connection was down are gone: whoever waits for one must also ask the history.
    """

    def __init__(self, url: str, client_id: str) -> None:
        self.messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._address = f"ws{url[4:]}/ws?clientId={quote(client_id)}"
        self._options: dict[str, Any] = {"http_no_proxy": ["*"]} if is_loopback(url) else {}
        self._closing = threading.Event()
        self._connected = threading.Event()
        self._link: websocket.WebSocket | None = None
        self._thread = threading.Thread(target=self._listen, name="job-socket", daemon=True)

    def open(self, wait: float = 3.0) -> None:
        """Start listening; returns when connected, at the latest after `wait` seconds (it goes on trying)."""
        self._thread.start()
        self._connected.wait(wait)

    def close(self) -> None:
        self._closing.set()
        if (link := self._link) is not None:
            with suppress(OSError):  # it ended by itself
                link.abort()  # wakes the thread: every job would wait half a second for it
        self._thread.join(2 * _RECEIVE_SECONDS + 1)

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def _listen(self) -> None:
        pause, known_lost = _FIRST_PAUSE, False
        while not self._closing.is_set():
            try:
                link = websocket.create_connection(self._address, timeout=5, **self._options)
            except (OSError, websocket.WebSocketException):
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            self._connected.set()
            if known_lost:
                self.messages.put({"type": "connection_back"})
            self._receive(link)
            self._connected.clear()
            if not self._closing.is_set():
                known_lost = True
                self.messages.put({"type": "connection_lost"})
                self._closing.wait(pause)

    def _receive(self, link: websocket.WebSocket) -> None:
        self._link = link
        try:
            link.settimeout(_RECEIVE_SECONDS)
            while not self._closing.is_set():
                try:
                    text = link.recv()
                except websocket.WebSocketTimeoutException:
                    continue
                if not text:
                    return
                if isinstance(text, str):
                    self._put(text)
                elif words := progress_text(text):
                    self.messages.put({"type": "progress_text", "data": words})
        except (OSError, websocket.WebSocketException):
            return
        finally:
            self._link = None
            with suppress(OSError, websocket.WebSocketException):
                link.close(timeout=1)

    def _put(self, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        if isinstance(message, dict):
            self.messages.put(message)


def progress_text(message: bytes) -> dict[str, str] | None:
    """{"node", "text"} of a binary message, or None where it is a preview: kind, length of the id, id, text."""
    if len(message) < 8:
        return None
    kind, length = struct.unpack(">II", message[:8])
    if kind != _TEXT or length > len(message) - 8:
        return None
    node, text = message[8 : 8 + length], message[8 + length :]
    return {"node": node.decode("utf-8", "replace"), "text": text.decode("utf-8", "replace")}
