"""What a caller hears while a job runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["queued", "started", "node", "progress", "connection_lost", "connection_back", "done"]


@dataclass(frozen=True)
class Event:
    """One step of a job.

    `node_id`, `node_type` and `title` name the node at work ("node", "progress"); `value` of `maximum` is how far
    it is, and `text` says it in the node's own words ("Tile 7 of 24") where it has some; `done` of `total` counts the
    workflow's nodes. Fields that a kind does not use keep their defaults.
    """

    kind: Kind
    prompt_id: str
    node_id: str | None = None
    node_type: str | None = None
    title: str | None = None
    value: float = 0.0
    maximum: float = 0.0
    done: int = 0
    total: int = 0
    text: str = ""

    @property
    def share(self) -> float:
        """How far the whole job is, 0..1, each node counted alike."""
        if self.kind == "done":
            return 1.0
        inside = min(1.0, self.value / self.maximum) if self.maximum > 0 else 0.0
        return min(1.0, (self.done + inside) / self.total) if self.total else 0.0

    def as_dict(self) -> dict[str, object]:
        fields = asdict(self)
        kind = fields.pop("kind")
        return {"event": kind, **fields, "share": round(self.share, 4)}


Listener = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Listen to nothing."""


class EventReader:
    """Turns the host's websocket messages about one job into events."""

    def __init__(self, prompt_id: str, graph: Mapping[str, Any]) -> None:
        self._prompt_id = prompt_id
        self._graph = graph
        self._finished: set[str] = set()
        self._current: str | None = None
        self._states_come = False
        self._bars: dict[str, tuple[float, float]] = {}
        self._texts: dict[str, str] = {}

    def read(self, message: Mapping[str, Any]) -> Event | None:
        """The event of a message, or None for messages of other jobs and kinds."""
        data = message.get("data")
        if message.get("type") == "progress_text" and isinstance(data, Mapping):  # names no job; the socket is ours
            return self._say(str(data.get("node")), str(data.get("text")))
        if not isinstance(data, Mapping) or data.get("prompt_id") != self._prompt_id:
            return None
        kind = message.get("type")
        if kind == "execution_start":
            return self.event("started")
        if kind == "execution_cached":
            self._finished.update(node for node in data.get("nodes") or () if node in self._graph)
        elif kind == "executing":
            return self._enter(data.get("display_node") or data.get("node"))
        elif kind == "executed":
            self._finished.add(str(data.get("node")))
        elif kind == "progress_state":
            return self._state(data.get("nodes") or {})
        return None

    def event(self, kind: Kind, node_id: str | None = None, value: float = 0.0, maximum: float = 0.0) -> Event:
        node_type, title = describe(self._graph, node_id)
        done = len(self._finished & set(self._graph) - {node_id})
        text = self._texts.get(node_id or "", "")
        return Event(kind, self._prompt_id, node_id, node_type, title, value, maximum, done, len(self._graph), text)

    def _enter(self, node: object) -> Event | None:
        if self._current is not None and not self._states_come:
            self._finished.add(self._current)
        self._current = str(node) if node is not None else None
        if self._current is None:
            return None
        return self.event("node", self._current, *self._bars.get(self._current, (0.0, 0.0)))

    def _state(self, nodes: Mapping[str, Any]) -> Event | None:
        self._states_come = True
        running = None
        for node_id, state in nodes.items():
            shown = str(state.get("display_node_id") or node_id)
            if state.get("state") == "finished":
                self._finished.add(node_id)
            elif state.get("state") == "running" and float(state.get("max") or 0) > 1:
                running = shown, state
        if running is None:
            return None
        # A node that is at work through others, as an expansion, may count for itself: that is the bar of the whole.
        shown, state = running
        own = nodes.get(shown, state)
        state = own if float(own.get("max") or 0) > 1 else state
        self._bars[shown] = float(state.get("value") or 0), float(state["max"])
        return self.event("progress", shown, *self._bars[shown])

    def _say(self, node_id: str, text: str) -> Event:
        shown = node_id if node_id in self._graph else node_id.split(".")[0]
        self._texts[shown] = " ".join(text.split())
        return self.event("progress", shown, *self._bars.get(shown, (0.0, 0.0)))


def describe(graph: Mapping[str, Any], node_id: str | None) -> tuple[str | None, str | None]:
    """(class, title) of a node; of its parent where the id is that of an expansion (`5.0.0.3`)."""
    if node_id is None:
        return None, None
    node = graph.get(node_id) or graph.get(node_id.split(".")[0]) or {}
    return node.get("class_type"), (node.get("_meta") or {}).get("title")
