"""A car photo and its colours into a flat vector illustration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from ..._workflow import Graph, SchemaOf
from ...vectorize import MOST_COLORS
from ...vehicle import PHASES, VehicleRequest, vehicle_graph
from .mirror import SEED, STEPS, mirrored, request_of
from .system import System

_Color = Annotated[str, Field(pattern="^#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})$")]
_Phase = Literal[tuple(PHASES)]  # type: ignore[valid-type]

VehicleParams = mirrored(
    "VehicleParams",
    VehicleRequest,
    {
        "palette": (
            tuple[_Color, ...] | None,
            Field(min_length=1, max_length=MOST_COLORS, description="Hex colours of the drawing's fills."),
        ),
        "skip": (tuple[_Phase, ...], Field(max_length=4, description="Phases that do not run; not all of them.")),
        "prompt": Field(description="Instead of the workflow's words."),
        "loras": Field(max_length=32, description="[file, strength] of each LoRA, applied in this order."),
        "depth": Field(ge=0, le=2, description="Strength of the depth control at the first attempt."),
        "canny": Field(ge=0, le=2, description="Strength of the edge control at the first attempt."),
        "threshold": Field(ge=0, le=1, description="Intersection over union from which the silhouette is kept."),
        "retries": Field(ge=0, le=10, description="Attempts after the first."),
        "keep_best": Field(description="Where no attempt keeps the silhouette: the best one, else the job fails."),
        "outline": Field(ge=0, le=100, description="Width of the outlines in px; 0 = none."),
        "outline_color": (_Color | None, Field(description="Hex colour of the outlines.")),
        "centrelines": Field(description="Draw thin dark shapes as lines."),
        "seed": SEED,
        "steps": STEPS,
        "megapixels": Field(ge=0.25, le=48, description="Size at which colours are decided."),
    },
    preview=(bool, Field(False, description="A PNG of the drawing, too.")),
)


def _build(params: BaseModel, files: Mapping[str, str], schema_of: SchemaOf | None) -> Graph:
    values: dict[str, Any] = dict(params)
    request = request_of(VehicleRequest, params)
    return vehicle_graph(request, files["image"], values["preview"], schema_of=schema_of)


VEHICLE = System("vehicle", "A car photo into a flat drawing.", VehicleParams, _build, {"image": True})
