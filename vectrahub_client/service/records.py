"""What a job is: the order that came in, the record that survives, the way it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

Scope = Literal["jobs", "models", "admin"]
SCOPES: tuple[Scope, ...] = ("jobs", "models", "admin")

State = Literal["queued", "running", "completed", "failed", "cancelled"]
STATES: tuple[State, ...] = ("queued", "running", "completed", "failed", "cancelled")
FINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})

# Why a job failed: a node raised; it ran longer than allowed; it could not be run when its turn came (a model was
# deleted meanwhile); it was interrupted too often by a dying server; the service's own fault.
FailureKind = Literal["node", "timeout", "refused", "lost", "internal"]


@dataclass(frozen=True)
class Caller:
    """Who asks. `token` is the token's id, or "local" for a trusted loopback caller without one.

    `max_jobs`: unfinished jobs that it may have at a time, None = the setting's.
    """

    token: str
    name: str
    scopes: frozenset[str]
    max_jobs: int | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it has the scope; admin has all."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True)
class DeliveryOrder:
    """Something to hand over when the job is over. `kind` names a sender of `delivery.KINDS`, `target` is its own.

    Secrets are never in `target`: senders take them from the settings.
    """

    kind: str
    target: Mapping[str, Any]


@dataclass(frozen=True)
class Order:
    """A checked request for a job. `files` are temporary files that the service takes over, by the system's names."""

    system: str
    params: Mapping[str, Any]
    files: Mapping[str, Path] = field(default_factory=dict)
    timeout_s: float | None = None
    deliveries: tuple[DeliveryOrder, ...] = ()
    idempotency_key: str | None = None
    fingerprint: str = ""  # digest of the request, to tell a repeated one from another one under the same key
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """A result file. `name` is unique in its job; `path` is relative to the service's folder of outputs."""

    name: str
    node: str
    media_type: str
    bytes: int
    path: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "node": self.node, "type": self.media_type, "bytes": self.bytes, "path": self.path}


@dataclass(frozen=True)
class Failure:
    """Why a job failed, and the node that it is about where there is one: {"id", "type", "title"}."""

    kind: FailureKind
    message: str
    node: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "message": self.message, "node": dict(self.node) if self.node else None}


@dataclass(frozen=True)
class Ending:
    """How a run ended. `seconds`: of the run. `nodes`: {node class: seconds}, `cached`: nodes taken from the cache."""

    state: Literal["completed", "failed", "cancelled"]
    outputs: tuple[Output, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    seconds: float = 0.0
    nodes: Mapping[str, float] = field(default_factory=dict)
    cached: int = 0


@dataclass(frozen=True)
class Job:
    """A job as the ledger keeps it. Times are seconds since the epoch; `seq` is the order of acceptance.

    `plan` is what the runner made of the order (in ComfyUI: the graph); `inputs` are paths relative to the service's
    folder of inputs; `attempts` counts the runs that were begun.
    """

    id: str
    seq: int
    system: str
    state: State
    token: str
    params: Mapping[str, Any]
    plan: Mapping[str, Any]
    inputs: Mapping[str, str]
    metadata: Mapping[str, Any]
    timeout_s: float
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    outputs: tuple[Output, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    log: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.state in FINAL

    def with_ending(self, ending: Ending, at: float) -> Job:
        """The record after its end."""
        return replace(
            self,
            state=ending.state,
            finished_at=at,
            outputs=ending.outputs,
            report=ending.report,
            failure=ending.failure,
        )


@dataclass(frozen=True)
class TokenRecord:
    """A token as the ledger keeps it: never the secret, only the SHA-256 of it (hex)."""

    id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    max_jobs: int | None
    created_at: float
