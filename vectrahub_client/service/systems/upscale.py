"""A picture enlarged and refined tile by tile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from ..._workflow import Graph, SchemaOf
from ...upscale import SCALES, SHIPPED, UpscaleRequest, upscale_graph
from .mirror import SEED, STEPS, mirrored, one_of, request_of
from .system import System

_LORAS = "[file, strength] of each LoRA, applied in this order."

UpscaleParams = mirrored(
    "UpscaleParams",
    UpscaleRequest,
    {
        "scale": Field(
            json_schema_extra={"enum": [*SCALES, None]}, description="How many times larger; without long_side."
        ),
        "long_side": Field(ge=64, le=16384, description="Longer side of the result in px; without scale."),
        "tile": Field(ge=64, le=16384, multiple_of=8, description="Side of a tile in px; 1024 suits SDXL and Flux."),
        "overlap": Field(ge=0, le=16384, multiple_of=8, description="By how many px tiles overlap; less than a tile."),
        "prompt": Field(description="Stands before the text of every tile."),
        "negative": Field(description="What no tile shall show."),
        "plan": Field(description="JSON of Tile Plan's edits: prompt, denoise, seed or skip of single tiles."),
        "seed": SEED,
        "steps": STEPS,
        "cfg": Field(ge=0, le=100, description="How closely the prompt is followed. SDXL: 5 to 8. Flux: 1."),
        "denoise": Field(ge=0, le=1, description="How much is painted anew; 0.35 adds detail."),
        "control_strength": Field(ge=0, le=2, description="Strength of the tile ControlNet."),
        "batch": Field(ge=1, le=16, description="Tiles per call of the sampler."),
        "seam_fix": Field(description="A second pass over what lies along the seams."),
        "checkpoint": Field(description="File of the diffusion model; without folder and suffix where only one fits."),
        "loras": Field(max_length=32, description=_LORAS),
        "control_net": Field(description="File of the ControlNet; false leaves it out, true uses the workflow's."),
        "caption": Field(description="true: fail without a captioner; false: none; null: where there is one."),
    },
    workflow=(one_of(SHIPPED), Field("sdxl", description="The family of the diffusion model.")),
)


def _build(params: BaseModel, files: Mapping[str, str], schema_of: SchemaOf | None) -> Graph:
    values: dict[str, Any] = dict(params)
    return upscale_graph(request_of(UpscaleRequest, params), files["image"], values["workflow"], schema_of)


UPSCALE = System("upscale", "A picture enlarged and refined tile by tile.", UpscaleParams, _build, {"image": True})
