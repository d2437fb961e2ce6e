"""What a caller hears of a node that is at work through others, in messages as the host sends them."""

from __future__ import annotations

import struct
from typing import Any

from vectrahub.tests.client.graphs import Graph, node
from vectrahub.vectrahub_client import Event
from vectrahub.vectrahub_client._events import EventReader
from vectrahub.vectrahub_client._socket import progress_text

GRAPH: Graph = {
    "1": node("Image", "LoadImage", image="x.png"),
    "5": node("Refine", "VectraHub_TileRefine", image=["1", 0]),
    "9": node("Save", "SaveImage", images=["5", 0]),
}


def state(own: str, shown: str, kind: str, value: float, maximum: float) -> dict[str, Any]:
    return {"node_id": own, "display_node_id": shown, "state": kind, "value": value, "max": maximum}


class Host:
    """Sends as the host does: the states of all nodes that ever ran, each time."""

    def __init__(self) -> None:
        self.reader = EventReader("me", GRAPH)
        self.nodes: dict[str, dict[str, Any]] = {}
        self.heard: list[Event] = []

    def send(self, kind: str, **data: object) -> None:
        event = self.reader.read({"type": kind, "data": {"prompt_id": "me", **data}})
        self.heard += [event] if event else []

    def enters(self, own: str, shown: str) -> None:
        self.progress(own, shown, "running", 0, 1)
        self.send("executing", node=own, display_node=shown)

    def progress(self, own: str, shown: str, kind: str, value: float, maximum: float) -> None:
        self.nodes[own] = state(own, shown, kind, value, maximum)
        self.send("progress_state", nodes=dict(self.nodes))


def test_the_tiles_are_the_bar_not_the_steps_of_each() -> None:
    host = Host()
    host.enters("1", "1")
    host.progress("1", "1", "finished", 1, 1)
    host.enters("5", "5")
    host.progress("5", "5", "running", 0, 4)
    for tile in range(1, 5):
        name = f"5.0.0.tile{tile}_sample"
        host.enters(name, "5")
        for step in range(1, 21):
            host.progress(name, "5", "running", step, 20)
        host.progress(name, "5", "finished", 20, 20)
        host.send("executed", node=name, display_node="5", output={})
        host.progress("5", "5", "running", tile, 4)
        host.send("progress_text", node="5", text=f"Tile {tile} of\n4")
    inside = [event for event in host.heard if event.title == "Refine" and event.kind == "progress"]
    assert {event.maximum for event in inside} == {4.0}
    assert [event.value for event in inside] == sorted(event.value for event in inside)
    assert inside[-1].text == "Tile 4 of 4" and inside[-1].as_dict()["text"] == "Tile 4 of 4"
    host.progress("5", "5", "finished", 4, 4)
    host.enters("9", "9")
    assert (host.heard[-1].title, host.heard[-1].done, host.heard[-1].text) == ("Save", 2, "")
    shares = [event.share for event in host.heard]
    assert shares == sorted(shares) and max(event.done for event in host.heard) == 2


def test_an_expansion_that_does_not_count_shows_its_parts() -> None:
    host = Host()
    host.enters("5", "5")
    host.enters("5.0.0.only", "5")
    host.progress("5.0.0.only", "5", "running", 3, 20)
    assert (host.heard[-1].title, host.heard[-1].value, host.heard[-1].maximum) == ("Refine", 3, 20)


def test_only_texts_are_read_from_binary_messages() -> None:
    message = struct.pack(">II", 3, 3) + b"5.0" + "Tile 1 of 2 \u00e9".encode()
    assert progress_text(message) == {"node": "5.0", "text": "Tile 1 of 2 \u00e9"}
    assert progress_text(struct.pack(">II", 3, 99) + b"5") is None
    assert progress_text(struct.pack(">II", 4, 3) + b"5.0") is None
    assert progress_text(b"\0\0") is None and progress_text(b"") is None
    assert progress_text(struct.pack(">II", 3, 1) + b"5\xff\xfe") == {"node": "5", "text": "\ufffd\ufffd"}
