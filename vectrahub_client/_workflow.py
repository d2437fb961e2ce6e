"""An API-format workflow as data: reading it, finding its nodes by title, setting their inputs.

A graph here is what /prompt takes as `prompt`: {"5": {"class_type": ..., "inputs": {...}, "_meta": {"title": ...}}}.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ._values import input_schemas, is_upload, parse_value
from .errors import WorkflowError

Graph = dict[str, dict[str, Any]]
# The schema of a node class as /object_info/{class} gives it, or None for a class that the server lacks.
SchemaOf = Callable[[str], Mapping[str, Any] | None]


def read_workflow(path: Path) -> Graph:
    """The graph in a JSON file; a whole /prompt body is accepted too. Raises WorkflowError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise WorkflowError(f"cannot read the workflow {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise WorkflowError(f"{path} is not JSON: {error}") from error
    return check_graph(data, str(path))


def check_graph(data: object, name: str) -> Graph:
    """`data` as a graph. Raises WorkflowError, for a UI-format workflow with the way to export it."""
    if isinstance(data, Mapping) and isinstance(data.get("nodes"), list):
        raise WorkflowError(
            f"{name} is a workflow in UI format; in ComfyUI open it and choose Workflow > Export (API), "
            "then give the exported file"
        )
    if isinstance(data, Mapping) and isinstance(data.get("prompt"), Mapping):
        data = data["prompt"]
    if not isinstance(data, Mapping) or not data:
        raise WorkflowError(f"{name} is not an API-format workflow: it is no JSON object of nodes")
    for node_id, node in data.items():
        usable = isinstance(node, Mapping) and isinstance(node.get("class_type"), str)
        if not usable or not isinstance(node.get("inputs", {}), Mapping):
            raise WorkflowError(f"{name} is not an API-format workflow: node {node_id!r} has no class_type and inputs")
        about = node.get("_meta") or {}
        if not isinstance(about, Mapping) or not isinstance(about.get("title") or "", str):
            raise WorkflowError(f"{name}: the _meta of node {node_id!r} is no object with a title in words")
    return {str(node_id): {"inputs": {}, **copy.deepcopy(node)} for node_id, node in data.items()}


def title_of(graph: Mapping[str, Any], node_id: str) -> str:
    """The node's title, else its class."""
    node = graph[node_id]
    return (node.get("_meta") or {}).get("title") or node["class_type"]


def find_node(graph: Graph, name: str) -> str:
    """The id of the node with this title, else with this id. Raises WorkflowError with what there is."""
    titled = [node_id for node_id in graph if title_of(graph, node_id) == name]
    if len(titled) > 1:
        raise WorkflowError(f"{len(titled)} nodes are titled {name!r}; use an id: {', '.join(titled)}")
    if titled:
        return titled[0]
    if name in graph:
        return name
    titles = sorted({title_of(graph, node_id) for node_id in graph})
    raise WorkflowError(f"no node is titled {name!r}; there are: {', '.join(titles)}")


def split_assignment(text: str, option: str) -> tuple[str, str]:
    """NAME=VALUE at its first `=`. Raises WorkflowError."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise WorkflowError(f"{option} takes NAME=VALUE; {text!r} has no {'NAME' if equals else '='}")
    return name.strip(), value


def set_value(graph: Graph, name: str, text: str, schema_of: SchemaOf) -> None:
    """Set `Title.input`, or an input that only one node of the graph has, to the value written in `text`."""
    node_id, input_name = _locate(graph, name, schema_of)
    kind, options = _schemas(graph, node_id, schema_of)[input_name]
    where = f"{title_of(graph, node_id)}.{input_name}"
    graph[node_id]["inputs"][input_name] = parse_value(text, kind, options, where)


def set_image(graph: Graph, name: str, uploaded: str, schema_of: SchemaOf) -> None:
    """Let the file-loading node titled `name` load the uploaded file."""
    node_id = find_node(graph, name)
    uploads = [key for key, (_, options) in _schemas(graph, node_id, schema_of).items() if is_upload(options)]
    if not uploads:
        kind = graph[node_id]["class_type"]
        loaders = [title_of(graph, other) for other in graph if graph[other]["class_type"].startswith("LoadImage")]
        hint = f"; these load images: {', '.join(loaders)}" if loaders else ""
        raise WorkflowError(f"node {name!r} is a {kind}, which loads no file{hint}")
    graph[node_id]["inputs"][uploads[0]] = uploaded


def _locate(graph: Graph, name: str, schema_of: SchemaOf) -> tuple[str, str]:
    title, dot, input_name = name.rpartition(".")
    if dot:
        node_id = find_node(graph, title)
        known = _schemas(graph, node_id, schema_of)
        if input_name not in known:
            raise WorkflowError(f"node {title!r} has no input {input_name!r}; it has: {', '.join(known) or 'none'}")
        return node_id, input_name
    # Links are not candidates: a bare `image` would otherwise always be ambiguous.
    owners = [i for i, node in graph.items() if name in node["inputs"] and not is_link(node["inputs"][name])]
    if not owners:
        owners = [i for i in graph if name in _settable(graph, i, schema_of)]
    if len(owners) == 1:
        return owners[0], name
    if owners:
        candidates = ", ".join(f"{title_of(graph, owner)}.{name}" for owner in owners)
        raise WorkflowError(f"several nodes have an input {name!r}; say which: {candidates}")
    names = sorted({f"{title_of(graph, i)}.{key}" for i in graph for key in _settable(graph, i, schema_of)})
    raise WorkflowError(f"no node has an input {name!r}; there are: {', '.join(names) or 'none'}")


def is_link(value: object) -> bool:
    """Whether an input's value is a link to another node's output, as /prompt writes it."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def _settable(graph: Graph, node_id: str, schema_of: SchemaOf) -> list[str]:
    schemas = _schemas(graph, node_id, schema_of)
    plain = ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO")
    return [
        key
        for key, (kind, _) in schemas.items()
        if (isinstance(kind, list) or kind in plain) and not is_link(graph[node_id]["inputs"].get(key))
    ]


def _schemas(graph: Graph, node_id: str, schema_of: SchemaOf) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    kind = graph[node_id]["class_type"]
    schema = schema_of(kind)
    if schema is None:
        raise WorkflowError(f"the server has no node {kind!r} (node {node_id}, {title_of(graph, node_id)!r})")
    return input_schemas(schema)
