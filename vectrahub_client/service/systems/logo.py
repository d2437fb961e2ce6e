"""Logos from words: one PNG per size, and an SVG if asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from ..._workflow import Graph, SchemaOf
from ...logo import BACKGROUNDS, LARGEST, LONGEST_PROMPT, MOST_SIZES, SHORTEST_PROMPT, SMALLEST, LogoRequest, logo_graph
from .mirror import SEED, STEPS, mirrored, one_of, request_of
from .system import System

_Wish = Annotated[str, StringConstraints(strip_whitespace=True, min_length=SHORTEST_PROMPT, max_length=LONGEST_PROMPT)]
_Size = Annotated[int, Field(ge=SMALLEST, le=LARGEST)]

LogoParams = mirrored(
    "LogoParams",
    LogoRequest,
    {
        "sizes": (
            tuple[_Size, ...] | None,
            Field(min_length=1, max_length=MOST_SIZES, description="Sides of the PNGs in px."),
        ),
        "svg": Field(description="An SVG too."),
        "name": Field(description="Name of the business, for the words of the logo."),
        "style": Field(description="A style of the node Logo Prompt, such as minimal."),
        "logo_type": Field(description="A kind of the node Logo Prompt, such as wordmark."),
        "colors": Field(description="Words, hex codes or both."),
        "seed": SEED,
        "steps": STEPS,
        "guidance": Field(ge=0, le=100, description="Guidance of the distilled model."),
        "checkpoint": Field(description="File of the diffusion model; without folder and suffix where only one fits."),
        "background": (one_of(BACKGROUNDS) | None, Field(description="Which ground becomes transparent.")),
    },
    prompt=(_Wish, Field(..., description="What the logo shows.")),
)


def _build(params: BaseModel, _files: Mapping[str, str], schema_of: SchemaOf | None) -> Graph:
    values: dict[str, Any] = dict(params)
    return logo_graph(values["prompt"], request_of(LogoRequest, params), schema_of=schema_of)


LOGO = System("logo", "Logos from words, in several sizes.", LogoParams, _build, {})
