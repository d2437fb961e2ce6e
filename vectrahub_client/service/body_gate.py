"""How many bodies are read at a time, over all callers and of one, and how many bytes they may have together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from .problems import Problem, busy, too_large
from .records import Caller
from .settings import Limits

WAIT_S = 30.0  # for a place
SMALL = 256 * 1024  # bytes
ON_THE_WAY = 16 * 1024 * 1024  # bytes in memory of a body that goes to the disk: above all the JSON of a form

_RETRY_AFTER = 5  # seconds


@dataclass(frozen=True)
class Place:
    """The right to read the body of `request`, up to `limit` bytes."""

    request: web.Request
    limits: Limits
    limit: int

    def above(self) -> Problem:
        """413: it has more."""
        remedy = ""
        if self.limit == byte_limit(self.limits):
            remedy = "; send large files by address instead, or ask for limits.body_mb"
        return too_large(f"a body may have {self.limit} bytes here{remedy}")


class BodyGate:
    """One per service: whoever reads a body asks for a place first. For one event loop.

    Bodies up to SMALL have places of their own, 256 of one caller. The others share 12 (4 of one caller), and four
    times limits.body_mb of memory (half of it for one caller). A form and whatever else goes `to_disk` counts as at
    most ON_THE_WAY bytes.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._small = _Lane(1024, 256, 512 * SMALL)
        self._large = _Lane(12, 4, 4 * byte_limit(limits))

    @asynccontextmanager
    async def place(
        self, request: web.Request, caller: Caller, limit: int | None = None, *, to_disk: bool = False
    ) -> AsyncIterator[Place]:
        """A place to read the body, and to turn it into what is kept. `limit`: bytes, if less than limits.body_mb.

        Raises Problem 413 for a body that says it is larger, 429 when no place is free for WAIT_S.
        """
        most = byte_limit(self.limits)
        place = Place(request, self.limits, most if limit is None else min(limit, most))
        length = request.content_length
        if (length or 0) > place.limit:
            raise place.above()
        size = place.limit if length is None else length
        lane = self._small if size <= SMALL else self._large
        if to_disk or request.content_type == "multipart/form-data":
            size = min(size, ON_THE_WAY)
        async with lane.enter(caller.token, size):
            yield place


def byte_limit(limits: Limits) -> int:
    """limits.body_mb in bytes."""
    return int(limits.body_mb * 1024 * 1024)


@dataclass(eq=False)
class _Ticket:
    caller: str
    size: int
    admitted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Lane:
    def __init__(self, bodies: int, mine: int, size: int) -> None:
        self._bodies, self._mine, self._size = bodies, mine, size
        self._inside: list[_Ticket] = []
        self._waiting: list[_Ticket] = []

    @asynccontextmanager
    async def enter(self, caller: str, size: int) -> AsyncIterator[None]:
        ticket = _Ticket(caller, size)
        self._waiting.append(ticket)
        self._let_in()
        try:
            if not ticket.admitted.done():
                await asyncio.wait({ticket.admitted}, timeout=WAIT_S)
            if not ticket.admitted.done():
                detail = f"other bodies are being read, at most {self._mine} at a time of one caller; try again later"
                raise busy(detail, _RETRY_AFTER)
            yield
        finally:
            (self._inside if ticket in self._inside else self._waiting).remove(ticket)
            self._let_in()

    def _let_in(self) -> None:
        """In the order in which they came; who has enough inside already lets others pass."""
        for ticket in [*self._waiting]:
            mine = [one.size for one in self._inside if one.caller == ticket.caller]
            if len(mine) >= self._mine or (mine and sum(mine) + ticket.size > self._size / 2):
                continue
            if len(self._inside) >= self._bodies or sum(one.size for one in self._inside) + ticket.size > self._size:
                return
            self._waiting.remove(ticket)
            self._inside.append(ticket)
            ticket.admitted.set_result(None)
