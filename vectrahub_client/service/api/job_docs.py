"""What the OpenAPI document says of the addresses of jobs."""

from __future__ import annotations

from typing import Any

from ..openapi import bare_answer, json_answer, operation, parameter
from ..orders import KEY_HEADER, OrderBody, params_limit
from ..records import STATES
from ..settings import Limits
from ..systems.system import System
from .shapes import JobList, JobView

_TAG = "jobs"
JOB_ID = {"job_id": {"type": "string", "format": "uuid"}}

JOBS = operation(
    "The caller's jobs, the newest first",
    _TAG,
    {200: json_answer("Some of them.", JobList)},
    refusals=(422,),
    query=(
        parameter("state", {"type": "string", "enum": list(STATES)}, "Only those."),
        parameter("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "How many at most."),
        parameter("before", {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}, "`next` of the answer before."),
    ),
)
JOB = operation("A job", _TAG, {200: json_answer("As it stands.", JobView)}, refusals=(404, 422), path=JOB_ID)
CANCEL = operation(
    "End a job before its time",
    _TAG,
    {200: json_answer("It ends as soon as the node at work lets it; one that is over stays as it is.", JobView)},
    refusals=(404, 422),
    path=JOB_ID,
)
DELETE = operation(
    "Forget a job that is over, and its files",
    _TAG,
    {204: bare_answer("It is gone.")},
    refusals=(404, 409, 422),
    path=JOB_ID,
)
OUTPUT = operation(
    "A result",
    _TAG,
    {
        200: bare_answer("The file.", "*/*"),
        206: bare_answer("The part that Range asks for.", "*/*"),
        304: bare_answer("Not changed."),
    },
    refusals=(404, 422),
    path={**JOB_ID, "name": {"type": "string", "minLength": 1}},
)
for _status in ("412", "416"):  # aiohttp's own answers, without a body
    OUTPUT["responses"][_status] = bare_answer("See RFC 9110.")

EVENTS = operation(
    "What becomes of a job",
    _TAG,
    {
        200: bare_answer(
            "Events `state` and `progress`, the first says where it stands; the end of the job ends the stream.",
            "text/event-stream",
            {"type": "string"},
        )
    },
    refusals=(404, 422),
    path=JOB_ID,
)


def order(system: System, limits: Limits) -> dict[str, Any]:
    """POST of a system."""
    wanted = _wanted(system, limits)
    return operation(
        system.summary,
        _TAG,
        {
            200: json_answer("It was over within `wait`, or was ordered before.", JobView, Location="Of the job."),
            202: json_answer("It is accepted, and will survive the server.", JobView, Location="Of the job."),
        },
        refusals=(400, 408, 409, 413, 415, 422, 429),
        query=(
            parameter(
                "wait",
                {"type": "number", "minimum": 0, "maximum": limits.wait_s, "multipleOf": 0.001, "default": 0},
                "Seconds to wait for the end of the job.",
            ),
        ),
        headers=(
            parameter(
                KEY_HEADER,
                {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\x21-\x7e]{1,200}$"},
                "The same key and request give the same job, however often they are sent.",
            ),
        ),
        body={"application/json": wanted, "multipart/form-data": _form(system, wanted)},
        description=_particulars(system),
    )


def _particulars(system: System) -> str:
    bound = f"`params` may have {params_limit(system)} bytes of JSON."
    if not system.own_graph:
        return bound
    return (
        f"{bound} A graph can use every node and read every job's files: this needs a token with the scope admin, "
        "unless the operator sets limits.workflows = true."
    )


def _wanted(system: System, limits: Limits) -> dict[str, Any]:
    fields = OrderBody.model_json_schema()["properties"]
    text = {"type": "string", "minLength": 1}
    required = [name for name, needed in system.files.items() if needed]
    if system.any_files:
        files: dict[str, Any] = {"type": "object", "additionalProperties": text}
    else:
        files = {"type": "object", "properties": {name: text for name in system.files}, "additionalProperties": False}
    files["description"] = fields["files"]["description"]
    if required:
        files["required"] = required
    timeout = {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": limits.timeout_s}, {"type": "null"}]}
    needed = [name for name, is_needed in (("files", required), ("params", _has_required(system))) if is_needed]
    return {
        "type": "object",
        "properties": {
            "params": system.params,
            "files": files,
            "callback_url": fields["callback_url"],
            "timeout_s": {**timeout, "description": fields["timeout_s"]["description"]},
            "metadata": fields["metadata"],
        },
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }


def _has_required(system: System) -> bool:
    return any(field.is_required() for field in system.params.model_fields.values())


def _form(system: System, wanted: dict[str, Any]) -> dict[str, Any]:
    part = {"type": "string", "format": "binary"}
    # Files come as parts of the form, or as text inside the request.
    request = {**wanted, "required": [name for name in wanted.get("required", ()) if name != "files"]}
    files = {key: value for key, value in wanted["properties"]["files"].items() if key != "required"}
    request["properties"] = {**wanted["properties"], "files": files}
    return {
        "type": "object",
        "properties": {"request": request, **{name: part for name in system.files}},
        "additionalProperties": part if system.any_files else False,
    }
