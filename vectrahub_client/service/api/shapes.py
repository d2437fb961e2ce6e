"""The answers of the API, for the OpenAPI document. What is required is always there."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ..records import FailureKind, Scope, State


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OutputView(_Shape):
    """A result file; `url` is relative to the server."""

    name: str
    node: str = Field(description="Title of the node that saved it.")
    type: str = Field(description="Media type.")
    bytes: int = Field(ge=0)
    url: str


class ErrorView(_Shape):
    """Why a job failed."""

    kind: FailureKind
    message: str
    node: dict[str, Any] | None = Field(description="id, type and title of the node that it is about.")


class DeliveryView(_Shape):
    """Something that is handed over when the job is over."""

    id: str = Field(description="The same in every try, to tell a repetition.")
    kind: str
    state: str = Field(description="pending, done or dead.")
    attempts: int = Field(ge=0)
    next_at: str | None
    error: str | None
    reply: dict[str, Any] | None


class JobBrief(_Shape):
    """A job in a list. Times are RFC 3339 in UTC."""

    job_id: str
    system: str
    state: State
    progress: float = Field(ge=0, le=1)
    stage: str | None = Field(description="The node at work.")
    queue_place: int | None = Field(description="0 = running, 1 = next.")
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempts: int = Field(ge=0, description="Runs that were begun; more than one after a restart of the server.")
    outputs: list[OutputView]
    error: ErrorView | None
    metadata: dict[str, Any]


class JobView(JobBrief):
    """A job, whole."""

    report: dict[str, Any] = Field(description="Reports of the nodes, by title.")
    logs: list[str]
    deliveries: list[DeliveryView]


class JobList(_Shape):
    """The newest first; `before` of the next request is `next`, null at the end."""

    jobs: list[JobBrief]
    next: int | None


class TokenView(_Shape):
    """A token without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    max_jobs: int | None = Field(description="Unfinished jobs at a time; null = the server's setting.")
    created_at: str


class TokenList(_Shape):
    """The oldest first."""

    tokens: list[TokenView]


class NewToken(TokenView):
    """`token` is shown this once."""

    token: str
