"""ComfyUI's own loop calls this listener: whatever it hears, it must not raise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from vectrahub.routes.host_events import HostEvents


def test_what_is_not_understood_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    def hear(message: Mapping[str, Any]) -> None:
        raise AttributeError(message["type"])

    with caplog.at_level(logging.ERROR, "vectrahub"):
        asyncio.run(HostEvents(hear).send_json({"type": "executing", "data": None}))
    assert "executing" in caplog.text


def test_a_nodes_words_are_heard_and_pictures_are_not() -> None:
    heard: list[Mapping[str, Any]] = []
    events = HostEvents(heard.append)
    words, picture = b"\0\0\0\3\0\0\0\0015Tile 7", b"\0\0\0\1\0\0\0\2\x89PNG"
    for message in (words, picture, b""):
        asyncio.run(events.send_bytes(message))
    assert heard == [{"type": "progress_text", "data": {"node": "5", "text": "Tile 7"}}]
