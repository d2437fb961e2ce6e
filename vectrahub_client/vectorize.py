"""The vectorize request as data, and its graph: the pack's own workflow with the request's values set.

The workflow file exists once, workflows/api/vectorize.json of the pack. A checkout reads it there; the wheel
carries it, copied when it is built. So a change of the workflow needs no change here while the titles stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ._workflow import Graph, find_node, read_workflow
from .errors import UsageError

Route = Literal["auto", "logo", "illustration", "line_art"]
ROUTES: tuple[str, ...] = get_args(Route)
DRAFT_MEGAPIXELS = 3.0  # a quarter of the workflow's 12
MOST_COLORS = 32

# The titles of the workflow's nodes that this module relies on.
IMAGE, SAVE = "Image", "Save"


@dataclass(frozen=True)
class VectorizeRequest:
    """What a caller may choose. `colors` 0 = automatic, else 1..32. `palette` "" = from the image, else hex colours
    and remaps in PaletteSnap's notation. `draft` traces at 3 MP instead of 12.
    """

    route: str = "auto"
    colors: int = 0
    palette: str = ""
    draft: bool = False

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise UsageError(f"route is one of {', '.join(ROUTES)}; {self.route!r} is not")
        if not 0 <= self.colors <= MOST_COLORS:
            raise UsageError(f"colors is 0 (automatic) to {MOST_COLORS}; {self.colors} is outside")

    def settings(self) -> Iterator[tuple[str, str, object]]:
        """(node title, input, value) where the request differs from the workflow's own values."""
        if self.route != "auto":
            yield "Route", "force", self.route
        if self.colors:
            yield "Palette", "colors", self.colors
        if self.palette:
            yield "Palette", "palette", self.palette
        if self.draft:
            yield "Upscale", "megapixels", DRAFT_MEGAPIXELS


def shipped_workflows() -> Path:
    """The folder of the API-format workflows that came with this client (it may not exist)."""
    here = Path(__file__).resolve().parent
    carried = here / "workflows"
    return carried if carried.is_dir() else here.parent / "workflows" / "api"


def shipped_workflow(name: str = "vectorize") -> Path:
    """The path of one of them. Raises UsageError where it is missing."""
    path = shipped_workflows() / f"{name}.json"
    if not path.is_file():
        raise UsageError(f"this installation lacks the workflow {name!r}; name one with --workflow FILE.json")
    return path


def vectorize_graph(request: VectorizeRequest, uploaded: str, workflow: Path | None = None) -> Graph:
    """The graph for one uploaded image."""
    graph = read_workflow(workflow or shipped_workflow())
    graph[find_node(graph, IMAGE)]["inputs"]["image"] = uploaded
    for title, name, value in request.settings():
        graph[find_node(graph, title)]["inputs"][name] = value
    return graph
