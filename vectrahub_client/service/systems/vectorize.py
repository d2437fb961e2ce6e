"""A logo, illustration or line drawing into an SVG."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, Field

from ..._workflow import Graph, SchemaOf
from ...vectorize import MOST_COLORS, Route, VectorizeRequest, vectorize_graph
from .mirror import mirrored, request_of
from .system import System

VectorizeParams = mirrored(
    "VectorizeParams",
    VectorizeRequest,
    {
        "route": (Route, Field(description="What the picture is; auto looks at it.")),
        "colors": Field(ge=0, le=MOST_COLORS, description="Number of colours; 0 = as many as the picture has."),
        "palette": Field(description="Hex colours and remaps in PaletteSnap's notation; empty = from the picture."),
        "draft": Field(description="Trace at 3 megapixels instead of 12: quicker and coarser."),
    },
)


def _build(params: BaseModel, files: Mapping[str, str], _schema_of: SchemaOf | None) -> Graph:
    return vectorize_graph(request_of(VectorizeRequest, params), files["image"])


VECTORIZE = System("vectorize", "A picture into an SVG.", VectorizeParams, _build, {"image": True})
