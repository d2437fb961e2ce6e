"""The record of jobs, deliveries and tokens that survives the process."""

from __future__ import annotations

from pathlib import Path

from .database import Database
from .deliveries import DeliveryRecords
from .jobs import JobRecords
from .tokens import TokenRecords


class Ledger(JobRecords, DeliveryRecords, TokenRecords):
    """All methods are for one event loop; each is one transaction, done in the order of the calls."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written, or None."""
        return self._database.trouble

    async def open(self) -> None:
        """Open the file; `trouble` tells whether that went well."""
        await self._database.open()

    async def close(self) -> None:
        """Let the file go."""
        await self._database.close()
