"""The caption request as data, its graph, and the captions by the names of their pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ._graph_edit import add_node, named_choice
from ._values import check_seed
from ._workflow import Graph, SchemaOf, is_link, title_of
from .errors import UsageError

STYLES = ("keywords", "sentence")
MOST_PICTURES = 100
# The titles of the nodes that are put in, beside those named as the pictures are.
CAPTIONS, SHOWN = "Captions", "Shown captions"

_KIND = "VectraHub_QwenCaption"
_LIST_HOLDS = 10  # inputs of a CreateList


@dataclass(frozen=True)
class CaptionRequest:
    """What a caller may choose beside the pictures; None is the node's own value, and one choice holds for all of them.

    `style`: one of STYLES. `instruction`: the system prompt, instead of the style's own. `max_tokens`: a word takes 1
    to 2. `temperature` 0 = always the likeliest word; `seed` and `top_p` are for those above. `model`: a folder of the
    server's models/LLM, or auto. `free_after`: unload the network afterwards.
    """

    style: str | None = None
    instruction: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    model: str | None = None
    free_after: bool | None = None

    def __post_init__(self) -> None:
        if self.style is not None and self.style not in STYLES:
            raise UsageError(f"style is one of {', '.join(STYLES)}; {self.style!r} is not")
        check_seed(self.seed)
        for name in ("temperature", "top_p", "repetition_penalty"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(f"{name} is 0 or more; {value} is not")


def caption_graph(request: CaptionRequest, uploaded: Mapping[str, str], schema_of: SchemaOf | None = None) -> Graph:
    """The graph for uploaded pictures by name: one node describes them all, in this order.

    Of a picture with several frames the first counts. With `schema_of` the model is looked up in what the server has.
    Raises UsageError for no picture or more than MOST_PICTURES, WorkflowError for a model that is not there.
    """
    if not 1 <= len(uploaded) <= MOST_PICTURES:
        raise UsageError(f"1 to {MOST_PICTURES} pictures at a time; {len(uploaded)} were given")
    graph: Graph = {}
    pictures = []
    for name, file in uploaded.items():
        loader = add_node(graph, name, "LoadImage", {"image": file})
        first = {"image": [loader, 0], "batch_index": 0, "length": 1}
        pictures.append(add_node(graph, f"First frame of {name}", "ImageFromBatch", first))
    inputs = {name: value for name, value in asdict(request).items() if value is not None}
    node = add_node(graph, CAPTIONS, _KIND, {"images": [_listed(graph, pictures), 0], **inputs})
    if request.model is not None:
        graph[node]["inputs"]["model"] = named_choice(graph, node, "model", request.model, schema_of)
    add_node(graph, SHOWN, "PreviewAny", {"source": [node, 0]})  # a graph needs an output node
    return graph


def captions_by_name(graph: Mapping[str, Any], reports: Mapping[str, Any]) -> dict[str, str]:
    """{name of the picture: its caption}, from a graph of `caption_graph` and its job's reports by node title.

    Raises KeyError for reports of another graph, ValueError where their number is not that of the pictures.
    """
    (node,) = (key for key, one in graph.items() if one["class_type"] == _KIND)
    said = [image["caption"] for image in reports[title_of(graph, node)]["images"]]
    return dict(zip(_names(graph, graph[node]["inputs"]["images"][0]), said, strict=True))


def _listed(graph: Graph, nodes: list[str]) -> str:
    """The node that gives the pictures of all nodes as one list: lists of lists are flat."""
    while len(nodes) > 1:
        groups = [nodes[start : start + _LIST_HOLDS] for start in range(0, len(nodes), _LIST_HOLDS)]
        nodes = [
            add_node(graph, "Pictures", "CreateList", {f"inputs.input{at}": [key, 0] for at, key in enumerate(group)})
            for group in groups
        ]
    return nodes[0]


def _names(graph: Mapping[str, Any], node_id: str) -> list[str]:
    """The titles of the loaders behind a node, in the order in which their pictures come out of it."""
    node = graph[node_id]
    if node["class_type"] == "LoadImage":
        return [title_of(graph, node_id)]
    links = sorted(node["inputs"].items(), key=lambda item: item[0])  # input0 to input9, whatever kept the graph
    return [name for _, link in links if is_link(link) for name in _names(graph, link[0])]
