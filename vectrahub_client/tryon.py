"""The try-on request as data, and its graph: a person, a garment, and what may be chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ._events import Listener, ignore
from ._fetch import fetched, png_width, saved_by, settle
from ._graph_edit import add_node, cut_input, cut_titled, without_previews
from ._outputs import JobResult
from ._paths import check_input, check_results
from ._values import check_seed
from ._workflow import Graph, find_node, read_workflow
from .client import Client
from .errors import UsageError
from .vectorize import shipped_workflow

SHIPPED = "tryon_qwen_edit_2511"
MODES = ("fp8", "lora", "base")
RESOLUTIONS = ("480p", "720p", "1080p")

# The titles of the workflow's nodes that this module relies on.
PERSON, GARMENT, PREPARE, TRY_ON = "Person", "Garment", "Prepare", "Try on"
SAVE, SAVE_COMPARISON = "Save", "Save comparison"
MASK = "Mask"  # the node that is put in


@dataclass(frozen=True)
class TryOnRequest:
    """What a caller may choose beside the pictures; None is the workflow's own value.

    `mode`: one of MODES, which decides the files that are loaded. `resolution`: one of RESOLUTIONS, the shorter side
    at which the person is dressed. `steps`, `cfg`: 0 = what suits the mode. `prompt`: instead of the node's own words.
    """

    mode: str | None = None
    resolution: str | None = None
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    prompt: str | None = None

    def __post_init__(self) -> None:
        if self.mode is not None and self.mode not in MODES:
            raise UsageError(f"mode is one of {', '.join(MODES)}; {self.mode!r} is not")
        if self.resolution is not None and self.resolution not in RESOLUTIONS:
            raise UsageError(f"resolution is one of {', '.join(RESOLUTIONS)}; {self.resolution!r} is not")
        check_seed(self.seed)
        for name, value in (("steps", self.steps), ("cfg", self.cfg)):
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(f"{name} is 0 or more; {value} is not")

    def settings(self) -> Iterator[tuple[str, str, object]]:
        """(node title, input, value) where the request differs from the workflow's own values."""
        wanted = {"mode": self.mode, "seed": self.seed, "steps": self.steps, "cfg": self.cfg, "prompt": self.prompt}
        if self.resolution is not None:
            yield PREPARE, "resolution", self.resolution
        yield from ((TRY_ON, name, value) for name, value in wanted.items() if value is not None)


@dataclass(frozen=True)
class TryOnFiles:
    """Pictures on this machine. `mask`: as large as the person's, white where the garment goes. `comparison`: an output
    too, person, garment and result side by side.
    """

    person: Path
    garment: Path
    target: Path
    mask: Path | None = None
    comparison: Path | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for an input that is missing, an output that is no PNG or would replace another file."""
        for path in self.inputs:
            check_input(path)
        for path in self.results:
            if path.suffix.lower() != ".png":
                raise UsageError(f"the result {path} is not a .png file")
        check_results(self.results, self.inputs)

    @property
    def inputs(self) -> list[Path]:
        return [path for path in (self.person, self.garment, self.mask) if path]

    @property
    def results(self) -> list[Path]:
        return [path for path in (self.target, self.comparison) if path]


def tryon_graph(
    request: TryOnRequest,
    person: str,
    garment: str,
    mask: str | None = None,
    comparison: bool = False,
    workflow: Path | None = None,
) -> Graph:
    """The graph for uploaded pictures. Raises WorkflowError where the workflow lacks what the request needs."""
    graph = without_previews(read_workflow(workflow or shipped_workflow(SHIPPED)))
    find_node(graph, SAVE)
    graph[find_node(graph, PERSON)]["inputs"]["image"] = person
    graph[find_node(graph, GARMENT)]["inputs"]["image"] = garment
    for title, name, value in request.settings():
        graph[find_node(graph, title)]["inputs"][name] = value
    try_on = find_node(graph, TRY_ON)
    if mask is not None:
        cut_input(graph, try_on, "mask")
        loader = add_node(graph, MASK, "LoadImageMask", {"image": mask, "channel": "red"})
        graph[try_on]["inputs"]["mask"] = [loader, 0]
    if comparison:
        find_node(graph, SAVE_COMPARISON)
        graph[try_on]["inputs"]["comparison"] = True
    else:
        cut_titled(graph, SAVE_COMPARISON)
    return graph


def tryon(
    client: Client,
    files: TryOnFiles,
    request: TryOnRequest | None = None,
    *,
    workflow: Path | None = None,
    on_event: Listener = ignore,
    timeout: float | None = None,
) -> JobResult:
    """Dress the person on the client's server, into `files.target` and, if named, `files.comparison`.

    Both are replaced once they are whole. Raises what `uploaded_graph`, `Client.run` and `download_tryon` raise.
    """
    graph = uploaded_graph(client, files, request or TryOnRequest(), workflow)
    result = client.run(graph, on_event=on_event, timeout=timeout)
    download_tryon(client, result, files)
    return result


def uploaded_graph(client: Client, files: TryOnFiles, request: TryOnRequest, workflow: Path | None = None) -> Graph:
    """The graph for pictures of this machine, which are uploaded."""
    mask = client.upload(files.mask) if files.mask else None
    person, garment = client.upload(files.person), client.upload(files.garment)
    return tryon_graph(request, person, garment, mask, files.comparison is not None, workflow)


def download_tryon(client: Client, result: JobResult, files: TryOnFiles) -> list[Path]:
    """Fetch what the nodes Save and Save comparison saved. Raises OutputError where that is no PNG.

    Nothing is replaced before all of it is whole.
    """
    titles = [SAVE, SAVE_COMPARISON][: len(files.results)]
    saved = [saved_by(result, title, ".png")[0] for title in titles]
    with fetched(client, [(file, target.parent) for file, target in zip(saved, files.results, strict=True)]) as parts:
        for part, title in zip(parts, titles, strict=True):
            png_width(part, title)
        return settle(parts, files.results)
