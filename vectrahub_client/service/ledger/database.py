"""One SQLite file, one connection, one thread: work on it is done in the order in which it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.pool import StaticPool

from ..problems import unavailable
from .tables import METADATA, VERSION

T = TypeVar("T")

_PATIENCE = 2.0  # seconds for a process that is just ending to let the file go


class Database:
    """The file is this process's alone while it is open: SQLite's lock on it ends with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vectrahub-ledger")
        self._connection: Connection | None = None
        self.trouble: str | None = "the ledger of jobs is not open yet"

    async def open(self) -> None:
        """Open or make the file. Where that fails `trouble` says why, and all work is refused with it."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
            self.trouble = None
        except (DatabaseError, OSError, _Newer) as error:
            self.trouble = self._why(error)

    async def close(self) -> None:
        """Let the file go, after the work that was asked for."""
        self.trouble = "the ledger of jobs is closed"
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def do(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Ask for `work` as one transaction, durable when the future is done. Raises Problem 503 where it is shut."""
        if self.trouble is not None:
            raise unavailable(self.trouble)
        return asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None:
            raise unavailable("the ledger of jobs is closed")
        try:
            with self._connection.begin():
                return work(self._connection)
        except OperationalError as error:  # a full disk, above all
            raise unavailable(f"the ledger of jobs cannot be written: {error.orig}", 30) from error
        except IntegrityError:  # our own fault
            raise
        except DatabaseError as error:
            self.trouble = f"the ledger of jobs {self._path.name} is damaged: {error.orig}"
            raise unavailable(self.trouble) from error

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)  # what others ordered is nobody else's on this machine; SQLite's -wal follows
        engine = create_engine(
            f"sqlite:///{self._path}",
            poolclass=StaticPool,
            connect_args={"timeout": _PATIENCE, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare)
        connection = engine.connect()
        try:
            with connection.begin():
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                if version > VERSION:
                    raise _Newer(f"it was written by a newer VectraHub (format {version}, this one knows {VERSION})")
                METADATA.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        except BaseException:
            connection.close()
            engine.dispose()
            raise
        self._connection = connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            connection.engine.dispose()

    def _why(self, error: Exception) -> str:
        if "locked" in str(error):
            return (
                "another ComfyUI with the same user folder holds the ledger of jobs; give this one a folder of its own"
            )
        return f"the ledger of jobs {self._path.name} cannot be opened: {error}"


class _Newer(Exception):
    """The file has a later format."""


def _prepare(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # pyright: ignore[reportAttributeAccessIssue]  (of sqlite3)
    cursor.execute("PRAGMA locking_mode = EXCLUSIVE")  # before WAL: then it needs no shared memory either
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # what was promised survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
