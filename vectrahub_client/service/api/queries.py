"""What stands in an address: the job, and the values of the query part; what is not known is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

from aiohttp import web

from ..problems import Problem, bad_value, not_found
from ..records import Caller, Job
from ..service import Service

_WHOLE = re.compile(r"[0-9]{1,16}")
_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


async def job_of(service: Service, request: web.Request, caller: Caller) -> Job:
    """The job in the address. Raises Problem 404, also where it is another token's."""
    job_id = request.match_info["job_id"]
    if not _JOB_ID.fullmatch(job_id):
        raise not_found("a job's id is a UUID in lower case")
    return await service.job(job_id, caller)


def check_query(request: web.Request, known: Collection[str] = ()) -> None:
    """Raises Problem 422 for a name that is not known, or that stands there twice."""
    for name in request.query:
        if name not in known:
            raise _wrong(name[:80], f"there is no such parameter; there are {', '.join(known) or 'none'}")
        if len(request.query.getall(name)) > 1:
            raise _wrong(name, "it stands there twice")


def whole(request: web.Request, name: str, low: int, high: int, default: int | None) -> int | None:
    """A whole number, low..high. Raises Problem 422."""
    text = request.query.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
        raise _wrong(name, f"a whole number from {low} to {high}; {text[:80]!r} is not")
    return int(text)


def seconds(request: web.Request, name: str, high: float) -> float:
    """Seconds, 0..high, 0 without the parameter. Raises Problem 422."""
    text = request.query.get(name, "0")
    value = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not 0 <= value <= high:
        raise _wrong(name, f"seconds from 0 to {high:g}; {text[:80]!r} is not")
    return value


def choice(request: web.Request, name: str, choices: Sequence[str]) -> str | None:
    """One of the choices, or None without the parameter. Raises Problem 422."""
    text = request.query.get(name)
    if text is not None and text not in choices:
        raise _wrong(name, f"one of {', '.join(choices)}; {text[:80]!r} is not")
    return text


def _wrong(place: str, problem: str) -> Problem:
    return bad_value(f"{place}: {problem}", errors=[{"place": place, "problem": problem}])
