"""An upload that is under way, on the disk: what came so far beside its record, both hidden where the model will be."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...vectrahub_client.service.problems import Problem

_PREFIX = ".vectrahub-"


@dataclass
class Pending:
    """`folder`: where the model will be; `offset`: bytes that are safe on the disk.

    `size`, in bytes, is None where the client counts chunks instead: `chunks` of them, `chunk` is the next one's
    number and `last_chunk` the digest of the one before it.
    """

    id: str
    type: str
    filename: str
    base_model: str | None
    size: int | None
    sha256: str | None
    folder: Path
    offset: int = 0
    chunks: int | None = None
    chunk: int = 0
    last_chunk: str | None = None
    digest: Any = field(default=None, compare=False)  # of what came so far; None after a restart

    @property
    def part(self) -> Path:
        """What came so far."""
        return self.folder / f"{_PREFIX}{self.id}.part"

    @property
    def record(self) -> Path:
        """What is known of the upload."""
        return self.folder / f"{_PREFIX}{self.id}.json"

    @property
    def target(self) -> Path:
        """Where the model will be."""
        return self.folder / self.filename

    @property
    def path(self) -> str:
        """The same below its type's folder."""
        return f"{self.base_model}/{self.filename}" if self.base_model else self.filename

    @property
    def left(self) -> int:
        """Bytes that are still to come, as far as one knows."""
        return 0 if self.size is None else self.size - self.offset

    def touched_at(self) -> float:
        """When bytes came last, in seconds since the epoch; 0 when it is gone."""
        return self.record.stat().st_mtime if self.record.exists() else 0.0

    def save(self) -> None:
        """Write the record anew."""
        kept = {key: value for key, value in asdict(replace(self, digest=None)).items() if key not in _NOT_KEPT}
        new = self.record.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.record)

    def discard(self) -> None:
        """Remove all of it."""
        for file in (self.part, self.record, self.record.with_suffix(".new")):
            file.unlink(missing_ok=True)

    def publish(self) -> None:
        """Give the model its name. Raises FileExistsError rather than replace a file."""
        try:
            os.link(self.part, self.target)  # the one way of renaming that never replaces
        except FileExistsError:
            raise
        except OSError:  # a disk without hard links
            if self.target.exists():
                raise FileExistsError(errno.EEXIST, "there is a file of this name") from None
            os.rename(self.part, self.target)
        _sync(self.folder)
        self.discard()


def _sync(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets one."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_NOT_KEPT = ("digest", "folder")
_KEPT = {one.name for one in fields(Pending)} - {*_NOT_KEPT}


def begin(
    type_name: str,
    folder: Path,
    filename: str,
    base_model: str | None,
    *,
    size: int | None = None,
    sha256: str | None = None,
    chunks: int | None = None,
) -> Pending:
    """A new upload, on the disk."""
    pending = Pending(uuid.uuid4().hex, type_name, filename, base_model, size, sha256, folder, chunks=chunks)
    pending.digest = hashlib.sha256()
    pending.save()
    pending.part.touch(exist_ok=False)
    return pending


class Writer:
    """Adds bytes to an upload. What `close` keeps is on the disk when it returns."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._file = pending.part.open("r+b")
        self._file.truncate(pending.offset)
        self._file.seek(pending.offset)
        self.written = 0
        self._lock = threading.Lock()  # a request that was cancelled leaves its last write behind in a thread

    def write(self, block: bytes) -> None:
        """Raises Problem 507 when the disk is full."""
        with self._lock:
            try:
                self._file.write(block)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                text = "delete models that nobody needs, then go on"
                raise Problem(507, "no-space", "The disk is full", text) from error
            self.written += len(block)
            if self._pending.digest is not None:
                self._pending.digest.update(block)

    def close(self, keep: bool) -> None:
        """End this stretch; without `keep` the upload is as it was before it."""
        with self._lock:
            self._end(keep)

    def _end(self, keep: bool) -> None:
        try:
            if not keep:
                self._file.truncate(self._pending.offset)
                self._pending.digest = None if self.written else self._pending.digest
                self.written = 0
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
        self._pending.offset += self.written
        self._pending.save()


def found_in(type_name: str, home: Path) -> Iterator[Pending]:
    """Uploads that a process before this one left below a type's folder."""
    for record in (*home.glob(f"{_PREFIX}*.json"), *home.glob(f"*/{_PREFIX}*.json")):
        if (pending := _read(record, type_name)) is not None:
            yield pending


def _read(record: Path, type_name: str) -> Pending | None:
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.keys() != _KEPT:
        return None
    pending = Pending(**kept, folder=record.parent)
    part = pending.part
    if pending.record != record or pending.type != type_name or not part.is_file():
        return None
    if pending.target.exists() and part.samefile(pending.target):  # it ended between the name and the cleaning up
        pending.discard()
        return None
    return pending if part.stat().st_size >= pending.offset else None


def leftovers(home: Path, before: float) -> Iterator[Path]:
    """Our hidden files of no upload in sight, not changed since."""
    for file in (*home.glob(f"{_PREFIX}*"), *home.glob(f"*/{_PREFIX}*")):
        if file.is_file() and file.stat().st_mtime < before:
            yield file
