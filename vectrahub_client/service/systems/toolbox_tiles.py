"""Tiles that a client cut itself, each refined by itself: what the old toolbox's action `upscale` asks for.

Every tile is a picture of its own for Tile Split, Tile Plan and Tile Refine: one that is smaller than its square, or of
an odd size, is continued by reflection and cut back, never squashed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field

from ..._graph_edit import add_node, named_choice
from ..._values import LARGEST_SEED, check_seed, combo_options, input_schemas
from ..._workflow import Graph, SchemaOf, title_of
from ...errors import UsageError
from .mirror import SEED, STEPS, STRICT, mirrored
from .system import System

MOST_TILES = 256
SIDE, LARGEST_SIDE = 1024, 4096

_REFINE = "VectraHub_TileRefine"
_OTHER_NAMES = {"unipc": "uni_pc", "dpm2": "dpm_2", "dpm2_a": "dpm_2_a", "dpm2_ancestral": "dpm_2_ancestral"}


@dataclass(frozen=True)
class Tile:
    """`prompt` stands after that for all tiles. `side`: px of the square that is sampled; more than the picture's
    longer side is filled by reflection, less gives several squares.
    """

    tile_id: str
    prompt: str | None = None
    side: int = SIDE


@dataclass(frozen=True)
class TilesRequest:
    """Tiles in their order, and what holds for all: tile n is sampled with seed + n.

    `checkpoint`, the files of `loras` (file, strength) and `control_net` (None = without) are found as the other
    requests find them, after `names` has put files in the place of names. `sampler`: a name of ComfyUI's or of
    Automatic1111's, like euler_a or "DPM++ 2M Karras". `cfg` is the guidance of Flux.
    """

    checkpoint: str
    tiles: tuple[Tile, ...]
    family: str = "sdxl"
    loras: tuple[tuple[str, float], ...] = ()
    control_net: str | None = None
    control_strength: float = 0.6
    prompt: str = ""
    negative: str = ""
    steps: int = 30
    cfg: float = 7.0
    denoise: float = 0.35
    sampler: str = "euler_a"
    seed: int = 0
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.tiles) <= MOST_TILES:
            raise UsageError(f"1 to {MOST_TILES} tiles at a time; {len(self.tiles)} were given")
        ids = [tile.tile_id for tile in self.tiles]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise UsageError(f"each tile has an id of its own; {twice[0]!r} is there twice")
        check_seed(self.seed)

    def words(self, tile: Tile) -> str:
        """The prompt of a tile: that for all and its own, once each."""
        return ", ".join(filter(None, (part.strip(" ,\t\r\n") for part in (self.prompt, tile.prompt or ""))))


def tiles_graph(request: TilesRequest, files: Mapping[str, str], schema_of: SchemaOf | None = None) -> Graph:
    """The graph: for each tile a SaveImage titled by its id. `files`: by tile id, as LoadImage takes them.

    Raises UsageError for a tile without its file and an unknown sampler, WorkflowError for a model that is not there.
    """
    if missing := [tile.tile_id for tile in request.tiles if tile.tile_id not in files]:
        raise UsageError(f"the tile {missing[0]!r} has no picture")
    graph: Graph = {}
    shared = {**_models(graph, request, schema_of), **_sampling(request, schema_of)}
    for number, tile in enumerate(request.tiles):
        seed = (request.seed + number) % (LARGEST_SEED + 1)
        _add_tile(graph, tile, files[tile.tile_id], request.words(tile), request.negative, {**shared, "seed": seed})
    return graph


def seeds_of(graph: Mapping[str, Any]) -> dict[str, int]:
    """{tile id: the seed that it is sampled with} of a graph of `tiles_graph`."""
    saves = {key: node["inputs"]["images"][0] for key, node in graph.items() if node["class_type"] == "SaveImage"}
    return {title_of(graph, key): graph[refine]["inputs"]["seed"] for key, refine in saves.items()}


def _models(graph: Graph, request: TilesRequest, schema_of: SchemaOf | None) -> dict[str, Any]:
    """The loaders, which all tiles share, as inputs of Tile Refine."""

    def loader(title: str, kind: str, name: str, wanted: str, **inputs: Any) -> str:
        file = request.names.get(wanted, wanted)
        node = add_node(graph, title, kind, {**inputs, name: file})
        graph[node]["inputs"][name] = named_choice(graph, node, name, file, schema_of)
        return node

    checkpoint = loader("Checkpoint", "CheckpointLoaderSimple", "ckpt_name", request.checkpoint)
    model, clip = [checkpoint, 0], [checkpoint, 1]
    for name, strength in request.loras:
        both = {"model": model, "clip": clip, "strength_model": strength, "strength_clip": strength}
        lora = loader("LoRA", "LoraLoader", "lora_name", name, **both)
        model, clip = [lora, 0], [lora, 1]
    found: dict[str, Any] = {"model": model, "clip": clip, "vae": [checkpoint, 2]}
    if request.control_net is not None:
        control = loader("ControlNet", "ControlNetLoader", "control_net_name", request.control_net)
        found.update(control_net=[control, 0], control_strength=request.control_strength)
    return found


def _sampling(request: TilesRequest, schema_of: SchemaOf | None) -> dict[str, Any]:
    flux = request.family == "flux"
    sampler, scheduler = _sampler(request.sampler, schema_of)
    return {
        "steps": request.steps,
        "cfg": 1.0 if flux else request.cfg,
        "guidance": request.cfg if flux else 0.0,
        "denoise": request.denoise,
        "sampler_name": sampler,
        "scheduler": scheduler or ("simple" if flux else "normal"),
    }


def _sampler(wanted: str, schema_of: SchemaOf | None) -> tuple[str, str | None]:
    """ComfyUI's names of a sampler and of the scheduler that its name ends with."""
    name = "_".join(wanted.strip().lower().replace("++", "pp").replace("-", " ").replace("_", " ").split())
    scheduler = next((one for one in ("karras", "exponential") if name.endswith(f"_{one}")), None)
    name = name.removesuffix(f"_{scheduler}")
    name = _OTHER_NAMES.get(name, name)
    if name.endswith("_a"):
        name = f"{name}ncestral"
    schema = schema_of(_REFINE) if schema_of else None
    known = combo_options(*input_schemas(schema).get("sampler_name", (None, {}))) if schema else None
    if known is not None and name not in known:
        raise UsageError(f"the sampler is one of {', '.join(map(str, known))}; {wanted!r} is not")
    return name, scheduler


def _add_tile(graph: Graph, tile: Tile, file: str, prompt: str, negative: str, settings: dict[str, Any]) -> None:
    """Picture, split, plan, refine, save."""
    name = tile.tile_id
    overlap = min(128, tile.side // 8 // 8 * 8)  # of squares, where the picture is larger than one
    cut = {"upscale": "none", "long_side": LARGEST_SIDE, "method": "lanczos", "tile": tile.side, "overlap": overlap}
    picture = add_node(graph, f"Tile {name}", "LoadImage", {"image": file})
    split = add_node(graph, f"Split {name}", "VectraHub_TileSplit", {"image": [picture, 0], **cut})
    words = {"prompt": prompt, "negative": negative, "edits": ""}
    plan = add_node(graph, f"Plan {name}", "VectraHub_TilePlan", {"grid": [split, 1], **words})
    refine = add_node(graph, f"Refine {name}", _REFINE, {"image": [split, 2], "plan": [plan, 0], **settings})
    add_node(graph, name, "SaveImage", {"images": [refine, 0], "filename_prefix": "vectrahub/tile"})


class TileParams(BaseModel):
    """One tile."""

    model_config = STRICT

    tile_id: str = Field(min_length=1, max_length=100, description="Name of the tile, of its file and of its result.")
    prompt: str | None = Field(None, description="Stands after the prompt for all tiles.")
    side: int = Field(SIDE, ge=64, le=LARGEST_SIDE, multiple_of=8, description="Side of the square sampled, in px.")


TilesParams = mirrored(
    "TilesParams",
    TilesRequest,
    {
        "checkpoint": Field(description="File of the diffusion model."),
        "tiles": (tuple[TileParams, ...], Field(min_length=1, max_length=MOST_TILES, description="In their order.")),
        "family": (Literal["sdxl", "flux"], Field(description="The family of the diffusion model.")),
        "loras": Field(max_length=32, description="[file, strength] of each LoRA, applied in this order."),
        "control_net": Field(description="File of the tile ControlNet; null = without."),
        "control_strength": Field(ge=0, le=2, description="Strength of the ControlNet."),
        "prompt": Field(description="Stands before the prompt of every tile."),
        "negative": Field(description="What no tile shall show."),
        "steps": STEPS,
        "cfg": Field(ge=0, le=100, description="How closely the prompt is followed; the guidance of Flux."),
        "denoise": Field(ge=0, le=1, description="How much is painted anew."),
        "sampler": Field(description="A sampler of ComfyUI's, or its name in Automatic1111."),
        "seed": SEED,
        "names": (dict[str, str], Field(description="Names that clients use -> files of this server.")),
    },
)


def _build(params: BaseModel, files: Mapping[str, str], schema_of: SchemaOf | None) -> Graph:
    values: dict[str, Any] = dict(params)
    values["tiles"] = tuple(Tile(**dict(tile)) for tile in values["tiles"])
    return tiles_graph(TilesRequest(**values), files, schema_of)


TILES = System("tiles", "Tiles refined each by itself.", TilesParams, _build, {}, any_files=True)
