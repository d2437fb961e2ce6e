"""Vectorizing with the values that the old VectraHub server took: how fine, in colour or not, and the tracer's own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, Field

from ..._workflow import Graph, SchemaOf, find_node
from ...errors import UsageError
from ...vectorize import VectorizeRequest, vectorize_graph
from .mirror import STRICT
from .system import System

UPSCALE, TRACE = "Upscale", "Trace"  # titles of the workflow

# The old strategy always ended at 12 megapixels, which is what 4 means; each step down halves both sides.
MEGAPIXELS: Mapping[int, float] = MappingProxyType({4: 12.0, 2: 3.0, 1: 0.75})
BLACK_AND_WHITE = "#000000, #FFFFFF"

# Inputs of VTracerTrace that no other node fills.
TRACE_INPUTS = (
    "hierarchical",
    "mode",
    "tolerance",
    "filter_speckle",
    "color_precision",
    "layer_difference",
    "corner_threshold",
    "length_threshold",
    "max_iterations",
    "splice_threshold",
    "path_precision",
)
# Values that only count with VTracer's own grouping of colours, or its own curves: whoever gives one means those.
_OF_STACKED = frozenset({"color_precision", "layer_difference"})
_OF_SPLINE = frozenset({"corner_threshold", "length_threshold", "max_iterations", "splice_threshold"})


class TraceParams(BaseModel):
    """`upscale`: 4 = 12 megapixels, 2 = 3, 1 = 0.75. `trace`: inputs of VTracerTrace by name."""

    model_config = STRICT

    upscale: Literal[1, 2, 4] = Field(4, description="4 traces at 12 megapixels, 2 at 3, 1 at 0.75.")
    color_mode: Literal["color", "binary"] = Field("color", description="binary: black and white alone.")
    trace: dict[str, str | int | float] = Field({}, description=f"Values of the tracer: {', '.join(TRACE_INPUTS)}.")


def traced_graph(params: Mapping[str, Any], image: str) -> Graph:
    """The workflow `vectorize` with these values. Raises UsageError for a value that the tracer does not have."""
    given = dict(params["trace"])
    if unknown := sorted(set(given) - set(TRACE_INPUTS)):
        shown = ", ".join(name[:80] for name in unknown[:10])
        raise UsageError(f"vtracer_params has no {shown}; it has {', '.join(TRACE_INPUTS)}")
    if given.keys() & _OF_STACKED:
        given.setdefault("hierarchical", "stacked")
    if given.keys() & _OF_SPLINE:
        given.setdefault("mode", "spline")
    request = VectorizeRequest(palette=BLACK_AND_WHITE if params["color_mode"] == "binary" else "")
    graph = vectorize_graph(request, image)
    graph[find_node(graph, UPSCALE)]["inputs"]["megapixels"] = MEGAPIXELS[params["upscale"]]
    graph[find_node(graph, TRACE)]["inputs"].update(given)
    return graph


def _build(params: BaseModel, files: Mapping[str, str], _schema_of: SchemaOf | None) -> Graph:
    return traced_graph(dict(params), files["image"])


TRACED = System(
    "vectrahub", "A picture into an SVG, as the old server was asked.", TraceParams, _build, {"image": True}
)
