"""A job as the API shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .ledger import Delivery
from .live import rfc3339
from .records import Job, Output
from .route import PREFIX


@dataclass(frozen=True)
class Standing:
    """What only the living process knows of a job that is not over."""

    state: str
    share: float
    stage: str | None
    place: int | None
    log: Sequence[str]


def brief_view(job: Job, now: Standing) -> dict[str, Any]:
    """As a list shows it. `now` counts while the job is not over."""
    waits = not job.is_over
    return {
        "job_id": job.id,
        "system": job.system,
        "state": now.state if waits else job.state,
        "progress": 1.0 if job.state == "completed" else round(now.share, 4),
        "stage": now.stage,
        "queue_place": now.place if waits else None,
        **{f"{name}_at": _time(getattr(job, f"{name}_at")) for name in ("created", "started", "finished")},
        "attempts": job.attempts,
        "outputs": [_output(job.id, output) for output in job.outputs],
        "error": job.failure.as_dict() if job.failure else None,
        "metadata": dict(job.metadata),
    }


def whole_view(job: Job, now: Standing, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """With reports, log and deliveries."""
    return {
        **brief_view(job, now),
        "report": dict(job.report),
        "logs": list(job.log if job.is_over else now.log),
        "deliveries": [_delivery(one) for one in deliveries],
    }


def _output(job_id: str, output: Output) -> dict[str, Any]:
    shown = {key: value for key, value in output.as_dict().items() if key != "path"}
    return {**shown, "url": f"{PREFIX}/jobs/{job_id}/outputs/{quote(output.name)}"}


def _delivery(one: Delivery) -> dict[str, Any]:
    shown = {name: getattr(one, name) for name in ("id", "kind", "state", "attempts", "error", "reply")}
    return {**shown, "next_at": _time(one.next_at if one.state == "pending" else None)}


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
