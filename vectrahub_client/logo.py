"""The logo request as data, its graph, and its files: one PNG per size with real alpha, and an SVG if asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ._events import Listener, ignore
from ._fetch import fetched, png_width, saved_by, settle
from ._graph_edit import MODEL_FILES, cut_titled, file_behind, named_choice, without_previews
from ._names import distinct
from ._outputs import JobResult
from ._paths import check_folder
from ._values import check_seed
from ._workflow import Graph, SchemaOf, find_node, read_workflow
from .client import Client
from .errors import OutputError, UsageError, WorkflowError
from .vectorize import shipped_workflow

SHIPPED = "logo_flux"
BACKGROUNDS = ("outside", "everywhere", "keep")
SHORTEST_PROMPT, LONGEST_PROMPT = 3, 500
SMALLEST, LARGEST, MOST_SIZES = 8, 4096, 32
STEM = "logo"

# The titles of the workflow's nodes that this module relies on.
PROMPT, SIZES, GUIDANCE, SAMPLE, GROUND = "Prompt", "Sizes", "Guidance", "Sample", "Ground"
SAVE, SAVE_SVG = "Save", "Save SVG"


@dataclass(frozen=True)
class LogoRequest:
    """What a caller may choose beside the prompt; None is the workflow's own value.

    `sizes`: sides in px. `svg`: an SVG too. `name`: of the business, for the words of the logo. `style`, `logo_type`:
    choices of the node Prompt. `colors`: words, hex codes or both. `background`: which ground becomes transparent,
    one of BACKGROUNDS. `checkpoint`: the file of the diffusion model, without folder and suffix where that is
    unambiguous.
    """

    sizes: tuple[int, ...] | None = None
    svg: bool = False
    name: str | None = None
    style: str | None = None
    logo_type: str | None = None
    colors: str | None = None
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    checkpoint: str | None = None
    background: str | None = None

    def __post_init__(self) -> None:
        if self.sizes is not None and not 1 <= len(self.sizes) <= MOST_SIZES:
            raise UsageError(f"1 to {MOST_SIZES} sizes at a time; {len(self.sizes)} were given")
        for size in self.sizes or ():
            if not (isinstance(size, int) and SMALLEST <= size <= LARGEST):
                raise UsageError(f"a size is a whole number of {SMALLEST} to {LARGEST} px; {size} is not")
        if self.background is not None and self.background not in BACKGROUNDS:
            raise UsageError(f"background is one of {', '.join(BACKGROUNDS)}; {self.background!r} is not")
        check_seed(self.seed)
        if self.steps is not None and self.steps < 1:
            raise UsageError(f"steps is 1 or more; {self.steps} is less")
        if self.guidance is not None and not 0 <= self.guidance < math.inf:
            raise UsageError(f"guidance is 0 or more; {self.guidance} is not")

    def settings(self) -> Iterator[tuple[str, str, object]]:
        """(node title, input, value) where the request differs from the workflow's own values; files apart."""
        sizes = None if self.sizes is None else ", ".join(map(str, self.sizes))
        wanted = (
            (PROMPT, "business_name", self.name),
            (PROMPT, "style", self.style),
            (PROMPT, "logo_type", self.logo_type),
            (PROMPT, "colors", self.colors),
            (SIZES, "sizes", sizes),
            (SAMPLE, "seed", self.seed),
            (SAMPLE, "steps", self.steps),
            (GUIDANCE, "guidance", self.guidance),
            (GROUND, "background", self.background),
        )
        yield from ((title, name, value) for title, name, value in wanted if value is not None)


def logo_graph(
    prompt: str, request: LogoRequest, workflow: Path | None = None, schema_of: SchemaOf | None = None
) -> Graph:
    """The graph for one logo. With `schema_of` file names are looked up in what the server has.

    Raises UsageError for a prompt of another length, WorkflowError where the workflow lacks what the request needs.
    """
    wish = prompt.strip()
    if not SHORTEST_PROMPT <= len(wish) <= LONGEST_PROMPT:
        raise UsageError(f"a prompt has {SHORTEST_PROMPT} to {LONGEST_PROMPT} characters; this one has {len(wish)}")
    graph = without_previews(read_workflow(workflow or shipped_workflow(SHIPPED)))
    find_node(graph, SAVE)
    graph[find_node(graph, PROMPT)]["inputs"]["prompt"] = wish
    for title, name, value in request.settings():
        graph[find_node(graph, title)]["inputs"][name] = value
    if request.checkpoint is not None:
        loader, name = file_behind(graph, find_node(graph, SAMPLE), "model", MODEL_FILES)
        graph[loader]["inputs"][name] = named_choice(graph, loader, name, request.checkpoint, schema_of)
    if request.svg:
        find_node(graph, SAVE_SVG)
    else:
        cut_titled(graph, SAVE_SVG)
    return graph


def seed_of(graph: Graph) -> int:
    """The seed that the graph samples with. Raises WorkflowError where that is no number."""
    seed = graph[find_node(graph, SAMPLE)]["inputs"].get("seed")
    if not isinstance(seed, int):
        raise WorkflowError(f"{SAMPLE}.seed of the workflow is not a number; give a seed")
    return seed


def logo(
    client: Client,
    prompt: str,
    folder: Path,
    request: LogoRequest | None = None,
    *,
    stem: str = STEM,
    workflow: Path | None = None,
    on_event: Listener = ignore,
    timeout: float | None = None,
) -> list[Path]:
    """Make one logo on the client's server; the files in `folder`, `stem`-256.png and so on, and `stem`.svg.

    Raises UsageError where `folder` is none, and what `logo_graph`, `Client.run` and `download_logo` raise.
    """
    check_folder(folder)
    wanted = request or LogoRequest()
    graph = logo_graph(prompt, wanted, workflow, client.schema)
    result = client.run(graph, on_event=on_event, timeout=timeout)
    return download_logo(client, result, folder, wanted, stem)


def download_logo(
    client: Client, result: JobResult, folder: Path, request: LogoRequest, stem: str = STEM
) -> list[Path]:
    """Fetch what the nodes Save and Save SVG saved; sizes are read from the pictures.

    Files of these names are replaced, once every new one is whole. Raises OutputError, also where a size is missing.
    """
    pictures = saved_by(result, SAVE, ".png")
    drawings = saved_by(result, SAVE_SVG, ".svg") if request.svg else []
    with fetched(client, [(file, folder) for file in (*pictures, *drawings)]) as parts:
        sides = [png_width(part, SAVE) for part in parts[: len(pictures)]]
        if missing := sorted(set(request.sizes or ()) - set(sides)):
            raise OutputError(f"no picture of {', '.join(map(str, missing))} px came; there are {sides}")
        names = distinct([*(f"{stem}-{side}.png" for side in sides), *(f"{stem}.svg" for _ in drawings)])
        return settle(parts, [folder / name for name in names])
