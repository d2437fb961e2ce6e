"""What stands behind a link of the running graph, as text that is the same after a restart.

The host has such a key itself, but gives it to cache providers only, and only for nodes that run. Here it is needed
before anything runs: to see which tiles are done already, without loading a single model.
"""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any, Protocol

import folder_paths
from comfy_api.latest import io
from comfyui_version import __version__

from .core_nodes import node_class

Link = list[Any]  # [node id, output slot]

_NOT_ASKED = getattr(io.ComfyNode.fingerprint_inputs, "__func__", None)


class Graph(Protocol):
    """The part of the host's DynamicPrompt that is read here."""

    def has_node(self, node_id: str) -> bool: ...
    def get_node(self, node_id: str) -> dict[str, Any]: ...


class RunningGraph(Graph, Protocol):
    """The same with where its nodes came from: those of an expansion stand for the node that became it."""

    def get_display_node_id(self, node_id: str) -> str: ...
    def get_real_node_id(self, node_id: str) -> str: ...


class Untraceable(Exception):
    """A node behind the link says that it never gives the same twice, or got an object as a constant."""


def lineage(graph: Graph, link: Link) -> str:
    """64 hex digits for what arrives over `link`: the nodes behind it, their values, the files that they name.

    A file counts with its size and time of change, so a model replaced under its old name is another model.
    Raises Untraceable when equal graphs may give unequal things.
    """
    seen: dict[str, str] = {}
    return _digest([__version__, _behind(graph, link, seen)])


def embeddings(text: str) -> list[object]:
    """Size and time of the files of the textual inversions ("embedding:name") in a prompt, in their order."""
    names = re.findall(r"embedding:([^\s,()\[\]]+)", text)
    return [_files(f"{name}{ending}") for name in names for ending in ("", ".safetensors", ".pt", ".bin")]


def is_link(value: object) -> bool:
    """Whether an input's value is a link as the host writes them."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def _behind(graph: Graph, link: Link, seen: dict[str, str]) -> list[object]:
    node_id, slot = link
    if node_id not in seen:
        if not graph.has_node(node_id):
            raise Untraceable(f"node {node_id} is not in the graph")
        node = graph.get_node(node_id)
        inputs = {
            name: _behind(graph, value, seen) if is_link(value) else _constant(node, value)
            for name, value in sorted(node["inputs"].items())
        }
        seen[node_id] = _digest([node["class_type"], _state(node), inputs])
    return [seen[node_id], slot]


def _state(node: dict[str, Any]) -> object:
    """What the node itself says about the things that it reads beside its inputs."""
    if "is_changed" in node:  # asked by the host at the start of the run
        return _constant(node, node["is_changed"])
    kind = node_class(node["class_type"])
    asked = getattr(kind, "fingerprint_inputs", None)
    if hasattr(kind, "IS_CHANGED") or getattr(asked, "__func__", None) not in (None, _NOT_ASKED):
        raise Untraceable(f"the host runs without its cache and does not ask {node['class_type']} what it reads")
    return None


def _constant(node: dict[str, Any], value: object) -> object:
    if isinstance(value, str):
        return [value, *_files(value)]
    if isinstance(value, (list, tuple)):
        return [_constant(node, item) for item in value]
    if isinstance(value, dict):
        return {str(name): _constant(node, item) for name, item in sorted(value.items())}
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and not math.isnan(value)):
        return value
    raise Untraceable(f"{node['class_type']} has a value that cannot be compared")


def _files(name: str) -> list[object]:
    if not 0 < len(name) < 512 or "\n" in name or "\0" in name:
        return []
    found = (folder_paths.get_full_path(kind, name) for kind in sorted(folder_paths.folder_names_and_paths))
    states = (Path(path).stat() for path in found if path is not None)
    return [[state.st_size, state.st_mtime_ns] for state in states]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
