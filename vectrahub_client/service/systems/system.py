"""What a system is: the values that it takes, the files that it wants, and the graph that it makes of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ..._workflow import Graph, SchemaOf

# Values, and files by name as LoadImage takes them -> the graph. Raises UsageError.
Build = Callable[[BaseModel, Mapping[str, str], SchemaOf | None], Graph]
# The graph, and what its nodes reported by title -> what the caller is told.
Tell = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]


def as_reported(_graph: Mapping[str, Any], reports: Mapping[str, Any]) -> dict[str, Any]:
    """The reports alone."""
    return dict(reports)


@dataclass(frozen=True)
class System:
    """`params`: forbids unknown fields, and its JSON schema states the ranges. `files`: name -> whether it is required;
    with `any_files` names are the caller's own. `tell` may add to the reports of a job that was completed.
    `own_graph`: it runs what the caller wrote, with every node of the server.
    """

    name: str
    summary: str
    params: type[BaseModel]
    build: Build
    files: Mapping[str, bool]
    any_files: bool = False
    tell: Tell = as_reported
    own_graph: bool = False
