"""Graphs as this ComfyUI wants them: what its nodes take, and where their results go."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..host.core_nodes import node_class
from ..vectrahub_client._names import safe_name
from ..vectrahub_client._workflow import Graph, is_link, title_of
from ..vectrahub_client.errors import WorkflowError

_PREFIX = "filename_prefix"  # what every saving node of ComfyUI and of most packs calls it


def schema_of(node_type: str) -> Mapping[str, Any] | None:
    """A node class as /object_info gives it, as far as inputs go; None for a class that is not there."""
    try:
        return {"input": node_class(node_type).INPUT_TYPES()}
    except KeyError:
        return None


def into_folder(graph: Graph, folder: str) -> Graph:
    """A copy whose nodes save below `folder` of the output folder, each under the last part of its own prefix.

    So results of two jobs never mix, and those of a run that died can be found. Raises WorkflowError for a prefix that
    comes by a link: it is known only when the node runs, and could lead anywhere.
    """
    moved = copy.deepcopy(graph)
    for node_id, node in moved.items():
        prefix = node["inputs"].get(_PREFIX)
        if is_link(prefix):
            named = f"{title_of(graph, node_id)}.{_PREFIX}"
            raise WorkflowError(f"{named} is connected to another node; a job's results need a prefix that is written")
        if isinstance(prefix, str):
            node["inputs"][_PREFIX] = f"{folder}/{safe_name(prefix.rstrip('/'), 'result')}"
    return moved
