"""What edge and replicas say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """A job for a replica. `inputs`: the system's name of a file -> its file name; the content is asked of `edge`.

    `edge`: the handle of the edge's actor, whose `read_input(job_id, name)` gives the bytes.
    """

    job_id: str
    system: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    timeout_s: float
    edge: Any


@dataclass(frozen=True)
class Standing:
    """Where the job stands: the state, the share done 0..1, and the stage at work."""

    state: str
    share: float
    stage: str | None


@dataclass(frozen=True)
class Result:
    """A result file, whole."""

    name: str
    node: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Over:
    """The job is over: the state, and `report` and `error` as the job API shows them. Nothing comes after it."""

    state: str
    report: Mapping[str, Any]
    error: Mapping[str, Any] | None


Message = Standing | Result | Over
