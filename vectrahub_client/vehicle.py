"""The vehicle request as data, and its graph: a photo, a palette, and which of the four phases run.

A phase is a node of its title in the workflow, which gives what came before where it is off. What only a phase that is
off needs is taken out of the graph: a server without its files would refuse the whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ._events import Listener, ignore
from ._fetch import fetched, png_width, saved_by, settle
from ._graph_edit import add_node, cut_input, cut_titled, named_choice, takers, without_previews
from ._outputs import JobResult
from ._paths import check_input, check_results
from ._values import check_seed
from ._workflow import Graph, SchemaOf, find_node, is_link, read_workflow
from .client import Client
from .errors import UsageError, WorkflowError
from .vectorize import MOST_COLORS, shipped_workflow

SHIPPED = "vehicle_to_vector"
LORA_STRENGTH = 0.8

# The titles of the workflow's nodes that this module relies on. Phases by the name under which they are skipped.
PHASES = {"sanitize": "Sanitize", "stylize": "Stylize", "quantize": "Quantize", "vectorize": "Vectorize"}
PHOTO, CHECKPOINT, WORDS, STRENGTHS, SAMPLE, GATE = "Photo", "Checkpoint", "Words", "Strengths", "Sample", "Gate"
UPSCALE, PALETTE, FINISH, OUTLINE = "Upscale", "Palette", "Finish", "Outline"
SAVE, SAVE_PREVIEW = "Save SVG", "Save preview"
SAVE_PICTURE = "Save picture"  # the node that is put in where there is no drawing

_MADE_BY = ("result", "report", "palette")  # inputs of a phase's node that the phase itself fills
_PREFIX = "vectrahub/vehicle"
_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_OF_PHASE = {
    "stylize": ("prompt", "loras", "depth", "canny", "threshold", "retries", "keep_best", "seed", "steps"),
    "quantize": ("palette", "megapixels"),
    "vectorize": ("outline", "outline_color", "centrelines"),
}


@dataclass(frozen=True)
class VehicleRequest:
    """What a caller may choose beside the photo; None is the workflow's own value.

    `palette`: 1 to 32 hex colours, which the drawing's fills are taken from. `skip`: names of PHASES, not all of them.
    `prompt`: instead of the workflow's words. `loras`: (file, strength) put on the diffusion model, in this order.
    `depth`, `canny`: strengths of the controls at the first attempt. `threshold`: the intersection over union, 0..1,
    from which the silhouette is kept, `retries` the attempts after the first, `keep_best`: the best attempt where none
    keeps it, else the job fails. `outline`: px, 0 = none. `megapixels`: size at which colours are decided.
    """

    palette: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    prompt: str | None = None
    loras: tuple[tuple[str, float], ...] = ()
    depth: float | None = None
    canny: float | None = None
    threshold: float | None = None
    retries: int | None = None
    keep_best: bool | None = None
    outline: float | None = None
    outline_color: str | None = None
    centrelines: bool | None = None
    seed: int | None = None
    steps: int | None = None
    megapixels: float | None = None

    def __post_init__(self) -> None:
        self._check_phases()
        if self.palette is not None:
            colors = tuple(dict.fromkeys(_hex(color, _flag("palette")) for color in self.palette))
            if not 1 <= len(colors) <= MOST_COLORS:
                raise UsageError(f"a palette has 1 to {MOST_COLORS} colours; {len(colors)} were given")
            object.__setattr__(self, "palette", colors)
        if self.outline_color is not None:
            object.__setattr__(self, "outline_color", _hex(self.outline_color, _flag("outline_color")))
        check_seed(self.seed)
        for name, low, high in (
            ("depth", 0, 2),
            ("canny", 0, 2),
            ("threshold", 0, 1),
            ("retries", 0, 10),
            ("outline", 0, math.inf),
            ("steps", 1, math.inf),
        ):
            value = getattr(self, name)
            if value is not None and not (low <= value <= high and math.isfinite(value)):
                raise UsageError(
                    f"{_flag(name)} is {low} or more{f', at most {high}' * (high < math.inf)}; {value} is not"
                )
        if self.megapixels is not None and not 0 < self.megapixels < math.inf:
            raise UsageError(f"{_flag('megapixels')} is above 0; {self.megapixels} is not")
        for name, strength in self.loras:
            if not math.isfinite(strength):
                raise UsageError(f"the strength of {_flag('loras')} {name} is a number; {strength} is not")

    def _check_phases(self) -> None:
        for name in self.skip:
            if name not in PHASES:
                raise UsageError(f"the phases are {', '.join(PHASES)}; {name!r} is none")
            for option in _OF_PHASE.get(name, ()):
                if getattr(self, option) not in (None, ()):
                    raise UsageError(f"{_flag(option)} belongs to the phase {name}, which is skipped")
        if set(self.skip) == set(PHASES):
            raise UsageError("all phases are skipped: nothing is left to do")

    @property
    def suffix(self) -> str:
        """Of the result: a drawing, or the picture before it where vectorize is skipped."""
        return ".png" if "vectorize" in self.skip else ".svg"

    def settings(self) -> Iterator[tuple[str, str, object]]:
        """(node title, input, value) where the request differs from the workflow's own values; files apart."""
        wanted = (
            (WORDS, "text", self.prompt),
            (STRENGTHS, "depth", self.depth),
            (STRENGTHS, "canny", self.canny),
            (GATE, "threshold", self.threshold),
            (GATE, "retries", self.retries),
            (GATE, "allow_skip_on_failure", self.keep_best),
            (SAMPLE, "seed", self.seed),
            (SAMPLE, "steps", self.steps),
            (UPSCALE, "megapixels", self.megapixels),
            (PALETTE, "palette", None if self.palette is None else ", ".join(self.palette)),
            # A photo's border is its sky or road: only what was drawn has a ground of its own to take off.
            (FINISH, "background", "keep" if "stylize" in self.skip and "vectorize" not in self.skip else None),
            (OUTLINE, "width", self.outline),
            (OUTLINE, "color", self.outline_color),
            (OUTLINE, "centrelines", self.centrelines),
        )
        yield from ((title, name, value) for title, name, value in wanted if value is not None)


def vehicle_graph(
    request: VehicleRequest,
    uploaded: str,
    preview: bool = False,
    workflow: Path | None = None,
    schema_of: SchemaOf | None = None,
) -> Graph:
    """The graph for one uploaded photo. `preview`: a PNG of the drawing too. With `schema_of` LoRAs are looked up.

    Raises WorkflowError where the workflow lacks what the request needs, UsageError for a preview of no drawing.
    """
    graph = without_previews(read_workflow(workflow or shipped_workflow(SHIPPED)))
    graph[find_node(graph, PHOTO)]["inputs"]["image"] = uploaded
    for title, name, value in request.settings():
        graph[find_node(graph, title)]["inputs"][name] = value
    for file, strength in request.loras:
        _add_lora(graph, file, strength, schema_of)
    if "vectorize" in request.skip:
        if preview:
            raise UsageError("a preview is of the drawing, and vectorize is skipped; the result is a picture itself")
        _save_picture(graph)
    else:
        find_node(graph, SAVE)
    if preview:
        find_node(graph, SAVE_PREVIEW)
    else:
        cut_titled(graph, SAVE_PREVIEW)
    for name in request.skip:
        _turn_off(graph, find_node(graph, PHASES[name]))
    return graph


def vehicle(
    client: Client,
    photo: Path,
    target: Path,
    request: VehicleRequest | None = None,
    *,
    preview: Path | None = None,
    workflow: Path | None = None,
    on_event: Listener = ignore,
    timeout: float | None = None,
) -> JobResult:
    """Draw one photo on the client's server into `target`, and a PNG of the drawing into `preview`.

    Both are replaced once they are whole. Raises UsageError for paths that cannot be, and what `vehicle_graph`,
    `Client.run` and `download_vehicle` raise.
    """
    wanted = request or VehicleRequest()
    check_input(photo)
    check_results([target, *([preview] if preview else [])], [photo])
    graph = vehicle_graph(wanted, client.upload(photo), preview is not None, workflow, client.schema)
    result = client.run(graph, on_event=on_event, timeout=timeout)
    download_vehicle(client, result, target, wanted, preview)
    return result


def download_vehicle(
    client: Client, result: JobResult, target: Path, request: VehicleRequest, preview: Path | None = None
) -> list[Path]:
    """Fetch what was saved. Nothing is replaced before all of it is whole. Raises OutputError."""
    wanted = [(SAVE_PICTURE if request.suffix == ".png" else SAVE, request.suffix, target)]
    wanted += [(SAVE_PREVIEW, ".png", preview)] if preview else []
    saved = [(saved_by(result, title, suffix)[0], path.parent) for title, suffix, path in wanted]
    with fetched(client, saved) as parts:
        for part, (title, suffix, _) in zip(parts, wanted, strict=True):
            if suffix == ".png":
                png_width(part, title)
        return settle(parts, [path for _, _, path in wanted])


def read_palette(text: str, what: str = "--palette") -> tuple[str, ...]:
    """'FF0000,00FF00' as colours; separated by commas, semicolons or spaces.

    Raises UsageError, in which the text is called `what`.
    """
    return tuple(_hex(word, what) for word in re.split(r"[\s,;]+", text) if word)


def _flag(option: str) -> str:
    """How the command line calls it."""
    return "--lora" if option == "loras" else f"--{option.replace('_', '-')}"


def _hex(color: str, what: str) -> str:
    match = _HEX.fullmatch(color.strip())
    if match is None:
        raise UsageError(f"{what} takes colours as hex, like FF0000; {color!r} is none")
    digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
    return f"#{digits.upper()}"


def _turn_off(graph: Graph, phase: str) -> None:
    graph[phase]["inputs"]["enabled"] = False
    for name in _MADE_BY:
        cut_input(graph, phase, name)


def _save_picture(graph: Graph) -> None:
    """Save what the phase before vectorize gives, and no drawing."""
    phase = find_node(graph, PHASES["quantize"])
    for title in (SAVE, SAVE_PREVIEW):
        cut_titled(graph, title)
    add_node(graph, SAVE_PICTURE, "SaveImage", {"images": [phase, 0], "filename_prefix": _PREFIX})


def _add_lora(graph: Graph, file: str, strength: float, schema_of: SchemaOf | None) -> None:
    """Put a LoRA before all that use the model and the text encoder of the diffusion model."""
    sample, words = (graph[find_node(graph, title)]["inputs"] for title in (SAMPLE, WORDS))
    model, clip = sample.get("model"), words.get("clip")
    if not (is_link(model) and is_link(clip)):
        raise WorkflowError(f"{SAMPLE}.model and {WORDS}.clip are not both connected: nothing to put a LoRA on")
    users = [(*user, source) for source in (model, clip) for user in takers(graph, source[0])]
    values = {"model": model, "clip": clip, "lora_name": file, "strength_model": strength, "strength_clip": strength}
    lora = add_node(graph, "LoRA", "LoraLoader", values)
    graph[lora]["inputs"]["lora_name"] = named_choice(graph, lora, "lora_name", file, schema_of)
    for user, name, source in users:
        if graph[user]["inputs"][name] == source:
            graph[user]["inputs"][name] = [lora, 0 if source == model else 1]
