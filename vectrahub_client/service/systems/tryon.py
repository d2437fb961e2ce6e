"""A person and a garment into the person wearing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from ..._workflow import Graph, SchemaOf
from ...tryon import MODES, RESOLUTIONS, TryOnRequest, tryon_graph
from .mirror import SEED, mirrored, one_of, request_of
from .system import System

TryOnParams = mirrored(
    "TryOnParams",
    TryOnRequest,
    {
        "mode": (one_of(MODES) | None, Field(description="Which files are loaded.")),
        "resolution": (
            one_of(RESOLUTIONS) | None,
            Field(description="Shorter side at which the person is dressed."),
        ),
        "seed": SEED,
        "steps": Field(ge=0, le=200, description="Steps of the sampler; 0 = what suits the mode."),
        "cfg": Field(ge=0, le=20, description="How closely the prompt is followed; 0 = what suits the mode."),
        "prompt": Field(description="Instead of the node's own words."),
    },
    comparison=(bool, Field(False, description="A picture of person, garment and result side by side, too.")),
)


def _build(params: BaseModel, files: Mapping[str, str], _schema_of: SchemaOf | None) -> Graph:
    values: dict[str, Any] = dict(params)
    request = request_of(TryOnRequest, params)
    return tryon_graph(request, files["person"], files["garment"], files.get("mask"), values["comparison"])


TRYON = System(
    "tryon",
    "A person wearing a garment; the mask is as large as the person's picture, white where the garment goes.",
    TryOnParams,
    _build,
    {"person": True, "garment": True, "mask": False},
)
