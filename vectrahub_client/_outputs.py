"""What a finished job left in the history: its verdict, its files, its stages' reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._events import describe
from .errors import BadAnswer, JobCancelled, JobFailed


@dataclass(frozen=True)
class OutputFile:
    """A file that the server keeps, as /view wants it, and the node that made it. Not to be used as a path."""

    node_id: str
    title: str
    filename: str
    subfolder: str
    kind: str  # "output" or "temp"

    def as_dict(self) -> dict[str, object]:
        return {"node": self.node_id, "title": self.title, "filename": self.filename, "subfolder": self.subfolder}


@dataclass(frozen=True)
class JobResult:
    """A finished job. `reports` is {node title: what the node reported}; `outputs` the history's own record."""

    prompt_id: str
    files: tuple[OutputFile, ...]
    reports: Mapping[str, Any]
    outputs: Mapping[str, Any]
    seconds: float


def read_entry(prompt_id: str, entry: Mapping[str, Any], graph: Mapping[str, Any], seconds: float) -> JobResult:
    """The result in a finished job's history entry. Raises JobFailed, JobCancelled, BadAnswer."""
    try:
        check_verdict(entry, graph)
        return result_of(prompt_id, entry, graph, seconds)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadAnswer(f"the server's history of the job {prompt_id} cannot be read: {error!r}") from error


def check_verdict(entry: Mapping[str, Any], graph: Mapping[str, Any]) -> None:
    """Raise JobFailed or JobCancelled unless the history entry is that of a success."""
    status = entry.get("status") or {}
    if status.get("completed") or status.get("status_str") == "success":
        return
    for name, data in status.get("messages") or ():
        if name == "execution_interrupted":
            raise JobCancelled("the job was cancelled on the server")
        if name == "execution_error":
            raise _failure(data, graph)
    raise BadAnswer(f"the server's history has a job without a verdict: {status}")


def result_of(prompt_id: str, entry: Mapping[str, Any], graph: Mapping[str, Any], seconds: float) -> JobResult:
    """The result in a successful history entry."""
    outputs = entry.get("outputs") or {}
    files: list[OutputFile] = []
    reports: dict[str, tuple[str, Any]] = {}
    about = entry.get("meta") or {}
    for made_by, shown in outputs.items():
        # What a node that expanded shows comes from the nodes of its expansion, the last word from the last.
        node_id = str((about.get(made_by) or {}).get("display_node") or made_by)
        if made_by in graph:  # what came from the host's cache names the node of the graph that first made it
            node_id = made_by
        node_type, title = describe(graph, node_id)
        name = title or node_type or node_id
        files += [
            OutputFile(node_id, name, str(item["filename"]), str(item.get("subfolder") or ""), str(item["type"]))
            for items in shown.values()
            if isinstance(items, list)
            for item in items
            if isinstance(item, Mapping) and item.get("filename") and item.get("type") in ("output", "temp")
        ]
        if report := _report(shown.get("vectrahub_report")):
            same = reports.get(name, (node_id,))[0] == node_id
            reports[name if same else f"{name} ({node_id})"] = node_id, report
    # A preview is only a result where the workflow saves nothing.
    kept = [file for file in files if file.kind == "output"] or files
    said = {name: report for name, (_, report) in reports.items()}
    return JobResult(prompt_id, tuple(kept), said, outputs, seconds)


def _report(shown: Any) -> Any:
    if not isinstance(shown, list) or not shown:
        return None
    try:
        return json.loads(shown[0])
    except (TypeError, ValueError):
        return {"unreadable": shown[0]}


def _failure(data: Mapping[str, Any], graph: Mapping[str, Any]) -> JobFailed:
    node_id = str(data.get("node_id"))
    node_type, title = describe(graph, node_id)
    node_type = str(data.get("node_type") or node_type)
    reason = str(data.get("exception_message") or data.get("exception_type") or "no reason given").strip()
    named = f"{title!r} ({node_type})" if title else node_type
    return JobFailed(f"node {named}, id {node_id}, failed: {reason}", node_id, node_type, title)
