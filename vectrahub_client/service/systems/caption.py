"""Pictures into words for a diffusion model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from ..._workflow import Graph, SchemaOf
from ...caption import STYLES, CaptionRequest, caption_graph, captions_by_name
from .mirror import SEED, mirrored, one_of, request_of
from .system import System

BY_NAME = "captions"  # in the report, beside those of the nodes

CaptionParams = mirrored(
    "CaptionParams",
    CaptionRequest,
    {
        "style": (
            one_of(STYLES) | None,
            Field(description="keywords: up to 60 words, none twice. sentence: one or two."),
        ),
        "instruction": Field(description="The system prompt, instead of the style's own."),
        "max_tokens": Field(ge=8, le=512, description="Longest caption; a word takes 1 to 2 tokens."),
        "temperature": Field(ge=0, le=2, description="0: always the likeliest word. Higher: drawn by chance."),
        "top_p": Field(ge=0.01, le=1, description="Of temperatures above 0: the share of likely words drawn from."),
        "repetition_penalty": Field(ge=1, le=2, description="Makes words already said less likely; 1: not at all."),
        "seed": SEED,
        "model": Field(description="A folder of models/LLM with a Qwen2.5-VL, or auto."),
        "free_after": Field(description="Unload the network afterwards."),
    },
)


def _build(params: BaseModel, files: Mapping[str, str], schema_of: SchemaOf | None) -> Graph:
    return caption_graph(request_of(CaptionRequest, params), files, schema_of)


def _tell(graph: Mapping[str, Any], reports: Mapping[str, Any]) -> dict[str, Any]:
    return {**reports, BY_NAME: captions_by_name(graph, reports)}


CAPTION = System(
    "caption",
    "Words for each picture; the names of the files are those of their captions.",
    CaptionParams,
    _build,
    {},
    any_files=True,
    tell=_tell,
)
