"""What each phase of a running job takes: time and memory of the nodes that belong to it.

The host tells progress handlers when a node begins and ends. It asks every node at the start of a job whether
something changed; that is when the watch is put in, so loaders that run first are counted too.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import torch
from comfy import model_management
from comfy_execution.progress import NodeProgressState, ProgressHandler, get_progress_state
from typing_extensions import override

from ..engine.errors import BadInput
from .lineage import Graph, RunningGraph, is_link

_NAME = "vectrahub_phases"
_MB = 1024 * 1024
_ENTRY = {"node", "phase", "enabled", "report"}


@dataclass
class Spent:
    """seconds: in the node itself, not in what it waited for. memory: bytes of the process when it ended. gpu: bytes of
    torch's allocations, the most while it ran."""

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


def phase_made(graph: Graph, node_id: str, enabled: bool) -> bool:
    """Whether a Phase gives what its phase makes: it is on, and its nodes are neither missing nor bypassed.

    The editor leads a bypassed phase's links around it, so that its result comes from where it began.
    """
    inputs = graph.get_node(node_id)["inputs"]
    return enabled and "result" in inputs and inputs["result"] != inputs.get("before")


def figures_with(figures: str, node_id: str, name: str, made: bool, report: str | None) -> str:
    """The phases so far, as JSON, with the one of the node `node_id`. report: of its main node, JSON or any text.

    Raises BadInput when the figures are not those of a Phase.
    """
    name = " ".join(name.split())
    entry = {"node": node_id, "phase": name, "enabled": made, "report": _read_report(report) if report else None}
    return json.dumps([*_read_figures(figures), entry], sort_keys=True)


def phase_figures(graph: RunningGraph, figures: str) -> list[dict[str, Any]]:
    """Per phase, in order: name, whether it ran, its own report, ms, memory, how many of its nodes ran in this job.

    figures: what the last Phase gave. A node belongs to the first phase that is on and needs it. Costs are None when
    nothing was watched, memory is None where nothing ran. Raises BadInput when the figures are not those of a Phase.
    """
    entries = _read_figures(figures)
    seen, taken = watched(), {entry["node"] for entry in entries}
    rows: list[dict[str, Any]] = []
    for entry in entries:
        own = set(_behind(graph, entry["node"])) - taken if entry["enabled"] else set[str]()
        taken |= own
        rows.append({key: entry[key] for key in ("phase", "enabled", "report")} | _cost(graph, own, seen))
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
    if not phase["ran"]:
        return "from the cache"
    gpu = "" if phase["gpu_mb"] is None else f", {phase['gpu_mb']} MB of torch's on the GPU"
    return f"{phase['ms'] / 1000:8.2f} s, {phase['ran']} nodes ran, {phase['memory_mb']} MB{gpu}"


def _cost(graph: RunningGraph, own: set[str], seen: PhaseWatch | None) -> dict[str, object]:
    if seen is None:
        return {"ms": None, "memory_mb": None, "gpu_mb": None, "ran": None}
    costs = [(real, cost) for node_id, cost in seen.spent.items() if (real := graph.get_real_node_id(node_id)) in own]
    return {
        "ms": round(1000 * sum(cost.seconds for _, cost in costs)),
        "memory_mb": round(max(cost.memory for _, cost in costs) / _MB) if costs else None,
        "gpu_mb": round(max(cost.gpu for _, cost in costs) / _MB) if costs and _on_cuda() else None,
        "ran": len({real for real, _ in costs}),
    }


def _behind(graph: Graph, phase_id: str) -> list[str]:
    """All nodes that a phase's inputs come from, directly or not."""
    found: dict[str, None] = {}
    waiting = [[phase_id, 0]] if graph.has_node(phase_id) else []
    while waiting:
        value = waiting.pop()
        if is_link(value) and value[0] not in found:
            found[value[0]] = None
            waiting += graph.get_node(value[0])["inputs"].values()
    return list(found)


def _read_report(text: str) -> object:
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text


def _read_figures(text: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(text) if text else []
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(one, dict) and _ENTRY <= one.keys() for one in entries):
        raise BadInput(
            "The figures are not those of a Phase",
            value=repr(text[:60]),
            limit="what the output 'figures' of Phase gives",
            remedy="Connect 'figures' of the phase before, or nothing.",
        )
    return entries


def _on_cuda() -> bool:
    return model_management.get_torch_device().type == "cuda"
