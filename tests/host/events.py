"""What a client hears of a job: which nodes really ran, and the previews. And cancelling it by what it hears."""

from __future__ import annotations

import json
import struct
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import websocket

from vectrahub.tests.host.runs import Graph, Outcome, busy, post, wait
from vectrahub.tests.host_fixture import RunningHost


@dataclass
class Heard:
    """ran: titles of the nodes that were executed, in order; ids: their ids, which tell an expansion's nodes apart.

    previews: (node title, picture's bytes). texts: (node id, what it says about itself).
    """

    outcome: Outcome = field(init=False)
    ran: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    previews: list[tuple[str, bytes]] = field(default_factory=list)


_TEXT, _PREVIEW = 3, 4  # the host's numbers for a text and a picture that say which node they are of


def listen(host: RunningHost, graph: Graph, seconds: float = 240) -> Heard:
    """Run a graph and hear it through to its end."""
    me = uuid.uuid4().hex
    titles = {number: node["_meta"]["title"] for number, node in graph.items()}
    socket = websocket.create_connection(f"{host.url.replace('http', 'ws')}/ws?clientId={me}", timeout=seconds)
    try:
        socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
        answer = post(host, graph, client_id=me)
        assert answer.status_code == 200, answer.text
        job = answer.json()["prompt_id"]
        heard = _until_the_end(socket, job, titles, time.monotonic() + seconds)
    finally:
        socket.close()
    heard.outcome = wait(host, job, seconds)
    return heard


def _until_the_end(socket: websocket.WebSocket, job: str, titles: dict[str, str], deadline: float) -> Heard:
    heard = Heard()
    while time.monotonic() < deadline:
        message = socket.recv()
        if isinstance(message, bytes):
            kind, size = struct.unpack(">II", message[:8])
            about, rest = message[8 : 8 + size], message[8 + size :]
            if kind == _PREVIEW:
                heard.previews.append((titles[json.loads(about)["display_node_id"]], rest))
            elif kind == _TEXT:
                heard.texts.append((about.decode(), rest.decode()))
            continue
        event: dict[str, Any] = json.loads(message)
        data = event.get("data", {})
        if data.get("prompt_id") != job:
            continue
        if event["type"] == "executing" and data["node"] is not None:
            heard.ran.append(titles[data["display_node"]])
            heard.ids.append(data["node"])
        if event["type"] in ("execution_success", "execution_error", "execution_interrupted"):
            return heard
    raise TimeoutError(f"job {job} not heard to its end")


_OVER = ("execution_success", "execution_error", "execution_interrupted")


def cancel(host: RunningHost, graph: Graph, node: str, share: float = 0.0, seconds: float = 240) -> None:
    """Cancel a job once the node of that id says that more than `share` of its work is done.

    Asserts that the node stopped before its work was done, that nothing after it ran, and that the host is free again.
    """
    me = uuid.uuid4().hex
    socket = websocket.create_connection(f"{host.url.replace('http', 'ws')}/ws?clientId={me}", timeout=seconds)
    shares: list[float] = []
    asked = False
    try:
        answer = post(host, graph, client_id=me)
        assert answer.status_code == 200, answer.text
        job = answer.json()["prompt_id"]
        while True:
            message = socket.recv()
            event: dict[str, Any] = {} if isinstance(message, bytes) else json.loads(message)
            data = event.get("data", {})
            if data.get("prompt_id") != job:
                continue
            if event["type"] in _OVER:
                break
            if event["type"] == "progress_state" and node in data["nodes"]:
                shares.append(data["nodes"][node]["value"] / data["nodes"][node]["max"])
                if not asked and share < shares[-1] < 1:
                    httpx.post(f"{host.url}/interrupt", timeout=60, trust_env=False).raise_for_status()
                    asked = True
    finally:
        socket.close()
    kind, said = wait(host, job, seconds).entry["status"]["messages"][-1]
    assert asked, f"it never said a share between {share} and 1: {shares}"
    assert (kind, said.get("node_id")) == ("execution_interrupted", node), (kind, shares)
    assert max(shares) < min(1, share + 0.5)
    assert busy(host) == 0
