"""The upscale request as data, and its graph: one of the pack's own workflows with the request's values set.

The shipped graphs name the files that people commonly have and hold no LoRA.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ._events import Listener, ignore
from ._fetch import saved_by
from ._graph_edit import MODEL_FILES, add_node, cut_input, file_behind, named_choice, without_previews
from ._outputs import JobResult
from ._paths import check_results
from ._values import check_seed
from ._workflow import Graph, SchemaOf, find_node, is_link, read_workflow, title_of
from .client import Client
from .errors import UsageError, WorkflowError
from .vectorize import shipped_workflow

SCALES = {1: "none", 2: "2x", 4: "4x"}
SHIPPED = {"sdxl": "upscale_sdxl", "flux": "upscale_flux"}

# The titles of the workflow's nodes that this module relies on.
IMAGE, SPLIT, CAPTIONS, PLAN, REFINE, SAVE = "Image", "Split", "Captions", "Plan", "Refine", "Save"
_CONTROL_FILE = "control_net_name"


@dataclass(frozen=True)
class UpscaleRequest:
    """What a caller may choose; None is the workflow's own value.

    `scale` 1, 2 or 4, or `long_side` in px. `tile`, `overlap`: px. `checkpoint`: the file of the diffusion model.
    `loras`: (file, strength), applied in this order. `control_net`: a file; False takes the ControlNet out. `caption`:
    True fails where no captioner is installed, False takes it out, None captions where there is one. `plan`: JSON of
    Tile Plan's edits. File names may be given without folder and suffix where that is unambiguous.
    """

    scale: int | None = None
    long_side: int | None = None
    tile: int | None = None
    overlap: int | None = None
    prompt: str | None = None
    negative: str | None = None
    plan: str | None = None
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    denoise: float | None = None
    control_strength: float | None = None
    batch: int | None = None
    seam_fix: bool | None = None
    checkpoint: str | None = None
    loras: tuple[tuple[str, float], ...] = ()
    control_net: str | bool | None = None
    caption: bool | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in SCALES:
            raise UsageError(f"scale is one of {', '.join(map(str, SCALES))}; {self.scale} is not")
        if self.scale is not None and self.long_side is not None:
            raise UsageError("give scale or long_side, not both")
        check_seed(self.seed)
        for name, value in (("cfg", self.cfg), ("control_strength", self.control_strength)):
            if value is not None and not -math.inf < value < math.inf:
                raise UsageError(f"{name} is a number; {value} is not")
        if self.denoise is not None and not 0 <= self.denoise <= 1:
            raise UsageError(f"denoise is 0 to 1; {self.denoise} is outside")
        if self.tile is not None and self.overlap is not None and self.overlap >= self.tile:
            raise UsageError(f"overlap is less than tile; {self.overlap} is not less than {self.tile}")
        for name, strength in self.loras:
            if not math.isfinite(strength):
                raise UsageError(f"the strength of the LoRA {name} is a number; {strength} is not")

    def settings(self) -> Iterator[tuple[str, str, object]]:
        """(node title, input, value) where the request differs from the workflow's own values; files apart."""
        if self.scale is not None:
            yield SPLIT, "upscale", SCALES[self.scale]
        if self.long_side is not None:
            yield SPLIT, "upscale", "long side"
            yield SPLIT, "long_side", self.long_side
        wanted = {
            SPLIT: {"tile": self.tile, "overlap": self.overlap},
            PLAN: {"prompt": self.prompt, "negative": self.negative, "edits": self.plan},
            CAPTIONS: {"if_missing": "error" if self.caption else None},
            REFINE: {
                "seed": self.seed,
                "steps": self.steps,
                "cfg": self.cfg,
                "denoise": self.denoise,
                "control_strength": self.control_strength,
                "batch": self.batch,
                "seam_fix": self.seam_fix,
                "use_control_net": True if isinstance(self.control_net, str) else self.control_net,
            },
        }
        for title, inputs in wanted.items():
            yield from ((title, name, value) for name, value in inputs.items() if value is not None)


def upscale_workflow(workflow: str | Path = "sdxl") -> Path:
    """The path of the workflow "sdxl" or "flux" as shipped, else of the file itself. Raises UsageError."""
    name = SHIPPED.get(str(workflow))
    return shipped_workflow(name) if name else Path(workflow)


def upscale_graph(
    request: UpscaleRequest, uploaded: str, workflow: str | Path = "sdxl", schema_of: SchemaOf | None = None
) -> Graph:
    """The graph for one uploaded image. With `schema_of` file names are looked up in what the server has.

    Raises WorkflowError where the workflow lacks what the request needs, or the server a named file.
    """
    graph = without_previews(read_workflow(upscale_workflow(workflow)))
    find_node(graph, SAVE)
    graph[find_node(graph, IMAGE)]["inputs"]["image"] = uploaded
    for title, name, value in request.settings():
        graph[find_node(graph, title)]["inputs"][name] = value
    if request.caption is False:
        cut_input(graph, find_node(graph, PLAN), "captions")
    refine = find_node(graph, REFINE)
    if request.control_net is False:
        cut_input(graph, refine, "control_net")
    elif isinstance(request.control_net, str):
        _set_control_net(graph, refine, request.control_net, schema_of)
    if request.checkpoint is not None:
        loader, name = file_behind(graph, refine, "model", MODEL_FILES)
        graph[loader]["inputs"][name] = named_choice(graph, loader, name, request.checkpoint, schema_of)
    for lora, strength in request.loras:
        _add_lora(graph, refine, lora, strength, schema_of)
    return graph


def upscale(
    client: Client,
    image: Path,
    target: Path,
    request: UpscaleRequest,
    *,
    workflow: str | Path = "sdxl",
    on_event: Listener = ignore,
    timeout: float | None = None,
) -> JobResult:
    """Upscale one image file on the client's server into the PNG file `target`, which is replaced once that is whole.

    Raises UsageError where `target` is the image itself or cannot be made, and what `upscale_graph`, `Client.run` and
    `download_upscaled` raise.
    """
    check_results([target], [image])
    graph = upscale_graph(request, client.upload(image), workflow, client.schema)
    result = client.run(graph, on_event=on_event, timeout=timeout)
    download_upscaled(client, result, target)
    return result


def download_upscaled(client: Client, result: JobResult, target: Path) -> Path:
    """Fetch what the node Save saved. Raises OutputError where that is no PNG."""
    return client.download(saved_by(result, SAVE, ".png")[0], target, replace=True)


def _set_control_net(graph: Graph, refine: str, file: str, schema_of: SchemaOf | None) -> None:
    if not is_link(graph[refine]["inputs"].get("control_net")):
        loader = add_node(graph, "ControlNet", "ControlNetLoader", {_CONTROL_FILE: file})
        graph[refine]["inputs"]["control_net"] = [loader, 0]
    loader, name = file_behind(graph, refine, "control_net", (_CONTROL_FILE,))
    graph[loader]["inputs"][name] = named_choice(graph, loader, name, file, schema_of)


def _add_lora(graph: Graph, refine: str, file: str, strength: float, schema_of: SchemaOf | None) -> None:
    inputs = graph[refine]["inputs"]
    for name in ("model", "clip"):
        if not is_link(inputs.get(name)):
            raise WorkflowError(f"{title_of(graph, refine)}.{name} is not connected: there is nothing to put a LoRA on")
    values = {"model": inputs["model"], "clip": inputs["clip"], "lora_name": file}
    lora = add_node(graph, "LoRA", "LoraLoader", {**values, "strength_model": strength, "strength_clip": strength})
    graph[lora]["inputs"]["lora_name"] = named_choice(graph, lora, "lora_name", file, schema_of)
    inputs.update(model=[lora, 0], clip=[lora, 1])
