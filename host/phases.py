"""What each phase of a running job takes: time and memory of the nodes that belong to it.

The host tells progress handlers when a node begins and ends. It asks every node at the start of a job whether
something changed; that is when the watch is put in, so loaders that run first are counted too.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import psutil
import torch
from comfy import model_management
from comfy_execution.progress import NodeProgressState, ProgressHandler, get_progress_state
from typing_extensions import override

from .lineage import Graph, is_link

_NAME = "vectrahub_phases"
_MB = 1024 * 1024


class RunningGraph(Graph, Protocol):
    """The part of the host's DynamicPrompt that is read here."""

    def get_real_node_id(self, node_id: str) -> str: ...


@dataclass
class Spent:
    """seconds: in the node itself, not in what it waited for. gpu, memory: bytes, highest seen in it or at its ends."""

    seconds: float = 0.0
    gpu: int = 0
    memory: int = 0


@dataclass(eq=False)
class PhaseWatch(ProgressHandler):
    """Time and memory per node of one job. Nodes run one at a time; one that waits for others begins again after."""

    spent: dict[str, Spent] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        super().__init__(_NAME)
        self._process = psutil.Process()
        self._running: str | None = None
        self._since = self.began

    @override
    def start_handler(self, node_id: str, state: NodeProgressState, prompt_id: str) -> None:
        self._settle()
        self._running, self._since = node_id, time.perf_counter()
        if _on_cuda():
            torch.cuda.reset_peak_memory_stats()

    @override
    def finish_handler(self, node_id: str, state: NodeProgressState, prompt_id: str) -> None:
        if self._running == node_id:
            self._settle()

    def _settle(self) -> None:
        if self._running is None:
            return
        spent = self.spent.setdefault(self._running, Spent())
        spent.seconds += time.perf_counter() - self._since
        spent.memory = max(spent.memory, self._process.memory_info().rss)
        if _on_cuda():
            spent.gpu = max(spent.gpu, torch.cuda.max_memory_allocated())
        self._running = None


def watch() -> None:
    """Watch the nodes of the job that begins."""
    get_progress_state().register_handler(PhaseWatch())


def watched() -> PhaseWatch | None:
    """The watch of the running job; None where the host never asked, as it does with --cache-none."""
    handler = get_progress_state().handlers.get(_NAME)
    return handler if isinstance(handler, PhaseWatch) else None


def figures_with(figures: str, name: str, ran: bool, report: str | None) -> str:
    """The phases so far, as JSON, with one more. report: JSON of its main node, "" or None without one."""
    entry = {"phase": name, "enabled": ran, "report": json.loads(report) if report else None}
    return json.dumps([*(json.loads(figures) if figures else []), entry], sort_keys=True)


def phase_figures(graph: RunningGraph, report_id: str, figures: str) -> list[dict[str, Any]]:
    """Per phase, in order: name, whether it ran, its own report, ms, memory, how many of its nodes ran in this job.

    report_id: the node that asks. figures: what the last Phase gave it. A node belongs to the first phase that needs
    it. Costs are None when nothing was watched; ms is about 0 when all of a phase was cached.
    """
    entries = json.loads(figures) if figures else []
    seen, taken = watched(), set[str]()
    rows: list[dict[str, Any]] = []
    for node_id, entry in zip(_chain(graph, report_id), entries, strict=True):
        own = {node_id, *_behind(graph, node_id)} - taken
        taken |= own
        rows.append({**entry, **_cost(graph, own, seen)})
    return rows


def phase_table(phases: Sequence[Mapping[str, Any]]) -> str:
    """A line per phase, for people."""
    width = max((len(phase["phase"]) for phase in phases), default=0)
    return "\n".join(f"{phase['phase']:{width}}  {_cost_line(phase)}" for phase in phases)


def _cost_line(phase: Mapping[str, Any]) -> str:
    if not phase["enabled"]:
        return "off"
    if phase["ms"] is None:
        return "not timed: ComfyUI runs without its cache"
    gpu = "" if phase["gpu_mb"] is None else f", {phase['gpu_mb']} MB on the GPU"
    return f"{phase['ms'] / 1000:8.2f} s, {phase['ran']} nodes ran, {phase['memory_mb']} MB{gpu}"


def _chain(graph: Graph, report_id: str) -> list[str]:
    """The phases from first to last, along their figures."""
    found: list[str] = []
    link = graph.get_node(report_id)["inputs"].get("figures")
    while is_link(link):
        found.append(link[0])
        link = graph.get_node(link[0])["inputs"].get("figures")
    return found[::-1]


def _cost(graph: RunningGraph, own: Iterable[str], seen: PhaseWatch | None) -> dict[str, object]:
    if seen is None:
        return {"ms": None, "memory_mb": None, "gpu_mb": None, "ran": None}
    mine = set(own)
    spent = [cost for node_id, cost in seen.spent.items() if graph.get_real_node_id(node_id) in mine]
    return {
        "ms": round(1000 * sum(cost.seconds for cost in spent)),
        "memory_mb": round(max((cost.memory for cost in spent), default=0) / _MB),
        "gpu_mb": round(max((cost.gpu for cost in spent), default=0) / _MB) if _on_cuda() else None,
        "ran": len({graph.get_real_node_id(node_id) for node_id in seen.spent} & mine),
    }


def _behind(graph: Graph, node_id: str) -> list[str]:
    """All nodes that a node's inputs come from, directly or not."""
    found: dict[str, None] = {}
    waiting = [node_id]
    while waiting:
        inputs: Mapping[str, Any] = graph.get_node(waiting.pop())["inputs"]
        links = [value[0] for value in inputs.values() if is_link(value)]
        waiting += [link for link in links if link not in found]
        found.update(dict.fromkeys(links))
    return list(found)


def _on_cuda() -> bool:
    return model_management.get_torch_device().type == "cuda"
