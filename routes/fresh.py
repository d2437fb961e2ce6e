"""Figures that take time to read, for probes that must not wait for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")

_HANGS = 10.0  # seconds


class Fresh(Generic[T]):
    """Reads in a thread of its own, at most once in `seconds` and never twice at a time.

    Not in the threads of `asyncio.to_thread`: those are few, and busy decoding pictures when a probe comes.
    """

    def __init__(self, read: Callable[[], T], blank: T, seconds: float = 1.0) -> None:
        self.latest = blank
        self._failure: str | None = "not read yet"
        self._read = read
        self._seconds = seconds
        self._read_at = float("-inf")
        self._reading: asyncio.Future[T] | None = None
        self._begun_at = 0.0
        self._thread = ThreadPoolExecutor(1, "vectrahub-fresh")

    async def get(self, patience: float = 0.05) -> T:
        """The figures, new if reading takes no longer than `patience` seconds, else those of the time before."""
        if self._reading is None and time.monotonic() - self._read_at >= self._seconds:
            self._begun_at = time.monotonic()
            self._reading = asyncio.get_running_loop().run_in_executor(self._thread, self._read)
            self._reading.add_done_callback(self._done)
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=patience)
        return self.latest

    @property
    def trouble(self) -> str | None:
        """Why `latest` is not the latest: a reading failed, or takes too long."""
        if self._reading is not None and time.monotonic() - self._begun_at > _HANGS:
            return f"no answer for {_HANGS:.0f} s"
        return self._failure

    def close(self) -> None:
        """Read no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _done(self, reading: asyncio.Future[T]) -> None:
        self._reading = None
        self._read_at = time.monotonic()
        if reading.cancelled():
            return
        if (error := reading.exception()) is not None:
            if self._failure != str(error):  # once, not every second
                logging.getLogger("vectrahub").warning("a figure cannot be read: %s", error)
            self._failure = str(error)
        else:
            self.latest, self._failure = reading.result(), None
