"""Changing an API-format graph: taking nodes out, putting nodes in, naming the files that they load.

A body that names a file or node which the server lacks is refused as a whole, so what is not wanted is taken out of
the graph rather than switched off.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from ._values import combo_options, input_schemas, parse_value
from ._workflow import Graph, SchemaOf, is_link, title_of
from .errors import WorkflowError

MODEL_FILES = ("ckpt_name", "unet_name", "model_path")
_ONLY_SHOWS = ("ImageCompare", "PreviewImage")  # nobody looks, and they would write every large picture once more


def without_previews(graph: Graph) -> Graph:
    """The graph without the nodes that only show something."""
    return {key: node for key, node in graph.items() if node["class_type"] not in _ONLY_SHOWS}


def cut_input(graph: Graph, node_id: str, name: str) -> None:
    """Take the link to an input out, and every node behind it that nothing else needs."""
    link = graph[node_id]["inputs"].pop(name, None)
    if not is_link(link) or link[0] not in graph:
        return
    if not takers(graph, link[0]):
        cut_node(graph, link[0])


def cut_node(graph: Graph, node_id: str) -> None:
    """Take a node out that nothing needs, and every node behind it that nothing else needs."""
    for name in list(graph[node_id]["inputs"]):
        cut_input(graph, node_id, name)
    del graph[node_id]


def cut_titled(graph: Graph, title: str) -> None:
    """Take out the nodes of this title that nothing needs, and every node behind them that nothing else needs."""
    for node_id in list(graph):
        if node_id in graph and title_of(graph, node_id) == title and not takers(graph, node_id):
            cut_node(graph, node_id)


def takers(graph: Graph, node_id: str) -> list[tuple[str, str]]:
    """(node, input) of every link to a node."""
    return [
        (taker, name)
        for taker, node in graph.items()
        for name, value in node["inputs"].items()
        if is_link(value) and value[0] == node_id
    ]


def add_node(graph: Graph, title: str, kind: str, inputs: dict[str, object]) -> str:
    """Put a node in; its id."""
    number = 1 + max((int(key) for key in graph if key.isdecimal()), default=0)
    graph[str(number)] = {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}
    return str(number)


def file_behind(graph: Graph, node_id: str, name: str, files: tuple[str, ...]) -> tuple[str, str]:
    """(node, input) that names the file of what arrives at an input, through any nodes that pass it on."""
    at, seen = node_id, set[str]()
    while is_link(link := graph[at]["inputs"].get(name)) and link[0] in graph and link[0] not in seen:
        at = link[0]
        seen.add(at)
        for file in files:
            if isinstance(graph[at]["inputs"].get(file), str):
                return at, file
    raise WorkflowError(f"no node behind {title_of(graph, node_id)}.{name} loads a file; looked for {', '.join(files)}")


def named_choice(graph: Graph, node_id: str, name: str, wanted: str, schema_of: SchemaOf | None) -> object:
    """The server's choice (a file, mostly) of this name; without folder and suffix where only one fits.

    `wanted` itself without `schema_of`, and where the input is no list of choices. Raises WorkflowError.
    """
    node = graph[node_id]
    schema = schema_of(node["class_type"]) if schema_of else None
    kind, options = input_schemas(schema).get(name, (None, {})) if schema else (None, {})
    choices = combo_options(kind, options)
    if choices is None:
        return wanted
    short = [str(choice) for choice in choices if wanted.casefold() in _short_names(str(choice))]
    if len(short) == 1:
        return short[0]
    return parse_value(wanted, kind, options, f"{title_of(graph, node_id)}.{name}")


def _short_names(file: str) -> set[str]:
    path = PurePosixPath(file.replace("\\", "/").casefold())
    return {path.name, path.stem, str(path.with_suffix("")), str(path)}
