"""Bare class names as accepted ids: a graph that says "ClipRouter" gets VectraHub_ClipRouter.

The host's own replacement serves the front-end. In a /prompt body it fails on a node without "_meta" and on an
absent optional input, so bodies are renamed before it sees them. Neither touches an id that another pack owns.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from comfy_api.latest import ComfyAPI, io
from server import PromptServer

_WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}


async def accept_bare_names(classes: Sequence[type[io.ComfyNode]]) -> None:
    """Accept each class's name as an old id of its node; to be called from `on_load`."""
    names = {node.__name__: node.define_schema() for node in classes}
    api = ComfyAPI()
    for name, schema in names.items():
        await api.node_replacement.register(_replacement(name, schema))
    ids = {name: schema.node_id for name, schema in names.items()}
    PromptServer.instance.add_on_prompt_handler(lambda body: renamed(body, ids))


def renamed(body: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """The /prompt body with the ids in place of bare names that no other pack owns; the body given stays as it is."""
    graph = body.get("prompt")
    if not isinstance(graph, dict):
        return body
    changed = {
        key: {**node, "class_type": ids[node["class_type"]]}
        for key, node in graph.items()
        if isinstance(node, dict) and _is_bare(node.get("class_type"), ids)
    }
    return {**body, "prompt": {**graph, **changed}} if changed else body


def _is_bare(name: object, ids: dict[str, str]) -> bool:
    return isinstance(name, str) and name in ids and name not in _taken()


def _taken() -> Mapping[str, object]:
    """Every node id that the host knows. Its module is called as our own folder is, so it is fetched by name."""
    return import_module("nodes").NODE_CLASS_MAPPINGS


def _replacement(name: str, schema: io.Schema) -> io.NodeReplace:
    return io.NodeReplace(
        new_node_id=schema.node_id,
        old_node_id=name,
        old_widget_ids=[one.id for one in schema.inputs if one.get_io_type() in _WIDGETS],
        input_mapping=[{"new_id": one.id, "old_id": one.id} for one in schema.inputs],
        output_mapping=[{"new_idx": index, "old_idx": index} for index in range(len(schema.outputs))],
    )
