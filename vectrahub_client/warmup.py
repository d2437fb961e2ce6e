"""Running a workflow once with small inputs, so that its models are loaded before somebody waits for them.

What decides which models are loaded stays as it is: files, modes, routes. The rest becomes as cheap as it can be,
and no result is saved: one small picture stays in the server's input folder, the same each time, and a small SVG where
the workflow loads one. Afterwards the next job finds the loaders' outputs in the server's cache, which knows them by
class and inputs and not by workflow. A ComfyUI started without cache options keeps there what its latest job names
(and the rest only while 128 GB of memory are free), so of several workflows the last one stays; with --cache-lru N the
outputs of N nodes.
"""

from __future__ import annotations

import secrets
import struct
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ._events import Listener, ignore
from ._graph_edit import add_node, cut_node, takers, without_previews
from ._outputs import JobResult
from ._paths import check_input
from ._values import combo_options, input_schemas
from ._workflow import Graph, SchemaOf, is_link, read_workflow, set_value, title_of
from .client import Client
from .errors import UsageError, WorkflowError
from .logo import SHIPPED as LOGO
from .tryon import SHIPPED as TRYON
from .upscale import SHIPPED as UPSCALE
from .vectorize import shipped_workflow, shipped_workflows
from .vehicle import SHIPPED as VEHICLE

SYSTEMS = {"vectorize": "vectorize", "upscale": UPSCALE["sdxl"], "logo": LOGO, "tryon": TRYON, "vehicle": VEHICLE}

PREVIEW = "PreviewAny"  # of ComfyUI: takes anything, writes no file
SIDE = 256  # px of the picture, and of what a workflow generates
_SMALL: Mapping[str, Mapping[str, object]] = {
    "VectraHub_ESRGAN12MP": {"megapixels": 0.25},
    "VectraHub_OmniSVGGenerate": {"candidates": 1, "max_tokens": 256},
    "VectraHub_QwenCaption": {"max_tokens": 8},
    "VectraHub_TileSplit": {"upscale": "2x", "tile": 2 * SIDE, "overlap": 0},  # a single tile
    "VectraHub_TilePlan": {"edits": ""},  # they may name tiles that a small picture has not
    "VectraHub_TileRefine": {"resume": False, "seam_fix": False},
    "VectraHub_LogoCanvas": {"sizes": "64"},
    "VectraHub_VTONPrepare": {"resolution": "480p"},
    "VectraHub_SilhouetteGate": {"retries": 0, "allow_skip_on_failure": True},  # a drawing of one step keeps nothing
    "ImageScaleToTotalPixels": {"megapixels": SIDE * SIDE / 2**20},
    "DA3Inference": {"resolution": 140},
}
_LATENT = {"width": SIDE, "height": SIDE, "batch_size": 1}
_SEEDS = ("seed", "noise_seed")
_MODELS = {"MODEL", "CLIP", "VAE", "CONTROL_NET"}
_TRAINS = {"TrainLoraNode", "VectraHub_TrainLoRAStages"}
_DRAWING = "VectraHub_SVGLoad"
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="24"/></svg>'


def warmup_workflow(workflow: str | Path) -> Path:
    """The path of a shipped workflow by its name or that of its system, else of the file itself. Raises UsageError."""
    shipped = {file.stem for file in shipped_workflows().glob("*.json")}
    name = SYSTEMS.get(str(workflow), str(workflow))
    if name in shipped:
        return shipped_workflow(name)
    try:
        check_input(Path(workflow))
    except UsageError as error:
        known = ", ".join(sorted({*SYSTEMS, *shipped}))
        raise UsageError(f"{error}, and no such workflow; the shipped ones: {known}") from error
    return Path(workflow)


def warm_up(
    client: Client,
    workflow: str | Path,
    settings: Iterable[tuple[str, str]] = (),
    *,
    on_event: Listener = ignore,
    timeout: float | None = None,
) -> JobResult:
    """Run a workflow once, small, on the client's server; no file of it stays in the output folder.

    `workflow`, `settings`: as for `warmup_graph`. Raises what `warmup_graph` and `Client.run` raise.
    """
    graph, _ = warmup_graph(client, workflow, settings)
    return client.run(graph, on_event=on_event, timeout=timeout)


def warmup_graph(
    client: Client, workflow: str | Path, settings: Iterable[tuple[str, str]] = ()
) -> tuple[Graph, list[str]]:
    """The small graph, and the ControlNet files that it does without because the server lacks them.

    `workflow` is what `warmup_workflow` takes, `settings` are (name, value) as of `set_value`: files, modes. The
    seeds are fresh, so that the server does not answer from its cache. Raises what `warmup_workflow`, `set_value`,
    `make_small` and `Client.upload` raise.
    """
    graph = without_previews(read_workflow(warmup_workflow(workflow)))
    for name, text in settings:
        set_value(graph, name, text, client.schema)
    without = leave_out_control_nets(graph, client.schema)
    draws = any(node["class_type"] == _DRAWING for node in graph.values())
    with tempfile.TemporaryDirectory() as folder:
        picture = _uploaded(client, Path(folder) / "warmup.png", small_picture())
        drawing = _uploaded(client, Path(folder) / "warmup.svg", _SVG) if draws else ""
    make_small(graph, picture, drawing, secrets.randbelow(2**31), client.schema)
    return graph, without


def leave_out_control_nets(graph: Graph, schema_of: SchemaOf) -> list[str]:
    """Take the ControlNets out whose file the server lacks, where those who take them can do without; their files."""
    without: list[str] = []
    for node_id in list(graph):
        schema = schema_of(graph[node_id]["class_type"]) or {}
        lacking = _lacking(graph[node_id]["inputs"], input_schemas(schema))
        needed = [taker for taker, name in takers(graph, node_id) if not _optional(schema_of, graph[taker], name)]
        if "CONTROL_NET" in (schema.get("output") or ()) and lacking and not needed:
            for taker, name in takers(graph, node_id):
                del graph[taker]["inputs"][name]
            cut_node(graph, node_id)
            without += lacking
    return without


def make_small(graph: Graph, picture: str, drawing: str, seed: int, schema_of: SchemaOf) -> None:
    """Change a graph into its own warm-up. `picture`, `drawing`: uploaded files for whatever loads an image or an SVG.

    Raises WorkflowError where the server lacks a node, nothing would run, or something would be trained.
    """
    kinds = sorted({node["class_type"] for node in graph.values()})
    if trains := _TRAINS.intersection(kinds):
        raise WorkflowError(f"{', '.join(sorted(trains))} trains, and saves what it has: that is not for a warm-up")
    if missing := [kind for kind in kinds if schema_of(kind) is None]:
        raise WorkflowError(f"the server has no node {', '.join(missing)}")
    for node in graph.values():
        inputs = node["inputs"]
        schema = schema_of(node["class_type"]) or {}
        known = input_schemas(schema)
        loads = any(kind in _MODELS for kind in schema.get("output") or () if isinstance(kind, str))
        wanted = {name: value for name, value in _SMALL.get(node["class_type"], {}).items() if name in inputs}
        if _LATENT.keys() <= inputs.keys():
            wanted |= _LATENT
        for name, value in inputs.items():
            if _is_number(value) and name == "steps" and "start_at_step" not in inputs:
                wanted[name] = 1
            elif _is_number(value) and name in _SEEDS and not loads:
                wanted[name] = seed
            elif known.get(name, (None, {}))[1].get("image_upload"):
                wanted[name] = drawing if node["class_type"] == _DRAWING else picture
        for name, value in wanted.items():
            inputs[name] = _within(known.get(name, (None, {}))[1], value)
    _save_nothing(graph, schema_of)


def small_picture() -> bytes:
    """A PNG of SIDE x SIDE px: an orange cross on white, which the router that needs no weights takes for a logo."""
    white, orange = b"\xff\xff\xff", b"\xf0\x90\x20"
    middle, arm, reach = SIDE // 2, SIDE // 10, SIDE * 7 // 20

    def row(half: int) -> bytes:
        return b"\x00" + white * (middle - half) + orange * (2 * half) + white * (middle - half)

    blank, upright, both = row(0), row(arm), row(reach)
    outside, between = middle - reach, reach - arm
    rows = blank * outside + upright * between + both * (2 * arm) + upright * between + blank * outside
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _save_nothing(graph: Graph, schema_of: SchemaOf) -> None:
    """Put PREVIEW in the place of every node that saves or only shows."""
    for node_id in list(graph):
        schema = schema_of(graph[node_id]["class_type"]) or {}
        if not schema.get("output_node"):
            continue
        saves = "filename_prefix" in input_schemas(schema)
        if schema.get("output") and not saves:
            continue  # it works, and also shows what it did
        links = [value for value in graph[node_id]["inputs"].values() if is_link(value)]
        for number, link in enumerate(links):
            add_node(graph, f"{title_of(graph, node_id)} {number + 1}".removesuffix(" 1"), PREVIEW, {"source": link})
        if saves:
            _lead_around(graph, node_id, schema)
        if not takers(graph, node_id):
            cut_node(graph, node_id)
    ends = [node for node in graph.values() if (schema_of(node["class_type"]) or {}).get("output_node")]
    if not ends:
        raise WorkflowError("nothing in the workflow saves or shows a result: there is nothing to run")


def _lead_around(graph: Graph, node_id: str, schema: Mapping[str, Any]) -> None:
    """Give those who take a saver's outputs what the saver itself takes: it passes on what it saves."""
    kinds, outputs = input_schemas(schema), schema.get("output") or ()
    inputs = graph[node_id]["inputs"]
    links = [(kinds[name][0], link) for name, link in inputs.items() if name in kinds and is_link(link)]
    for taker, name in takers(graph, node_id):
        taken = graph[taker]["inputs"][name]
        wanted = outputs[taken[1]] if taken[1] < len(outputs) else None
        graph[taker]["inputs"][name] = next((link for kind, link in links if kind == wanted), taken)


def _lacking(inputs: Mapping[str, object], known: Mapping[str, tuple[Any, Mapping[str, Any]]]) -> list[str]:
    """The values that are none of their input's choices."""
    choices = {name: combo_options(*known[name]) for name in inputs if name in known}
    return [str(inputs[name]) for name, among in choices.items() if among is not None and inputs[name] not in among]


def _optional(schema_of: SchemaOf, node: Mapping[str, Any], name: str) -> bool:
    schema = schema_of(node["class_type"]) or {}
    return name in (schema.get("input", {}).get("optional") or {})


def _uploaded(client: Client, path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return client.upload(path)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(options: Mapping[str, Any], value: Any) -> object:
    """The value, or the limit that it is beyond."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return max(options.get("min", value), min(options.get("max", value), value))


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    kind, data = part
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
