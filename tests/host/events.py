"""What a client hears of a job: which nodes really ran, and the previews."""

from __future__ import annotations

import json
import struct
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import websocket

from vectrahub.tests.host.runs import Graph, Outcome, post, wait
from vectrahub.tests.host_fixture import RunningHost


@dataclass
class Heard:
    """ran: titles of the nodes that were executed, in order. previews: (node title, picture's bytes)."""

    outcome: Outcome
    ran: list[str] = field(default_factory=list)
    previews: list[tuple[str, bytes]] = field(default_factory=list)


_PREVIEW = 4  # the host's number for a picture that says which node it is of


def listen(host: RunningHost, graph: Graph, seconds: float = 90) -> Heard:
    """Run a graph and hear it through to its end."""
    me = uuid.uuid4().hex
    titles = {number: node["_meta"]["title"] for number, node in graph.items()}
    socket = websocket.create_connection(f"{host.url.replace('http', 'ws')}/ws?clientId={me}", timeout=seconds)
    try:
        socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
        answer = post(host, graph, client_id=me)
        assert answer.status_code == 200, answer.text
        job = answer.json()["prompt_id"]
        ran, previews = _until_the_end(socket, job, titles, time.monotonic() + seconds)
    finally:
        socket.close()
    return Heard(wait(host, job, seconds), ran, previews)


def _until_the_end(
    socket: websocket.WebSocket, job: str, titles: dict[str, str], deadline: float
) -> tuple[list[str], list[tuple[str, bytes]]]:
    ran: list[str] = []
    previews: list[tuple[str, bytes]] = []
    while time.monotonic() < deadline:
        message = socket.recv()
        if isinstance(message, bytes):
            if struct.unpack(">I", message[:4])[0] == _PREVIEW:
                size = struct.unpack(">I", message[4:8])[0]
                about = json.loads(message[8 : 8 + size])
                previews.append((titles[about["display_node_id"]], message[8 + size :]))
            continue
        event: dict[str, Any] = json.loads(message)
        data = event.get("data", {})
        if data.get("prompt_id") != job:
            continue
        if event["type"] == "executing" and data["node"] is not None:
            ran.append(titles[data["display_node"]])
        if event["type"] in ("execution_success", "execution_error", "execution_interrupted"):
            return ran, previews
    raise TimeoutError(f"job {job} not heard to its end")
