"""A workflow of the caller's own, its values set by node titles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from ..._workflow import Graph, SchemaOf, check_graph, set_image, set_value
from ...errors import UsageError
from .mirror import STRICT
from .system import System


class WorkflowParams(BaseModel):
    """A /prompt body as ComfyUI's Export (API) writes it, and what to set in it."""

    model_config = STRICT

    workflow: dict[str, Any] = Field(min_length=1, description="The body: node ids, each with class_type and inputs.")
    set: dict[str, str | int | float | bool] = Field(
        default={}, description="Title.input, or an input that only one node has -> its value."
    )


def _build(params: BaseModel, files: Mapping[str, str], schema_of: SchemaOf | None) -> Graph:
    values: dict[str, Any] = dict(params)
    graph = check_graph(values["workflow"], "the workflow")
    if not (files or values["set"]):
        return graph
    if schema_of is None:
        raise UsageError(
            "values and files can only be set where the server's nodes are known; set them in the workflow"
        )
    for title, uploaded in files.items():
        set_image(graph, title, uploaded, schema_of)
    for name, value in values["set"].items():
        set_value(graph, name, value if isinstance(value, str) else json.dumps(value), schema_of)
    return graph


WORKFLOWS = System(
    "workflows",
    "A workflow of one's own; a file is loaded by the node of its name.",
    WorkflowParams,
    _build,
    {},
    any_files=True,
    own_graph=True,
)
