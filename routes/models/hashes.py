"""SHA-256 of model files, computed once: known by path, size and time of change."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

_BLOCK = 4 * 1024 * 1024


class Hashes:
    """Kept in one small JSON file; nobody is served its folder. Its methods take time: not for the event loop."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._computing = threading.Lock()  # one file at a time: two would only fight for the disk
        self._known: dict[str, dict[str, Any]] | None = None

    def known(self, path: Path) -> str | None:
        """The digest of a file as it is now, None when nobody has computed it. Raises OSError when there is none."""
        stamp = _stamp(path)
        with self._lock:
            entry = self._entries().get(str(path))
        return entry["sha256"] if entry and {**entry, "sha256": None} == {**stamp, "sha256": None} else None

    def compute(self, path: Path) -> str:
        """The same, computed when it is not known: a second or two per gigabyte. Raises OSError."""
        with self._computing:
            if digest := self.known(path):
                return digest
            before, digest = _stamp(path), digest_of(path)
            if before == _stamp(path):
                self._put(path, {**before, "sha256": digest})
            return digest

    def remember(self, path: Path, digest: str) -> None:
        """A digest that was computed while the file was written."""
        self._put(path, {**_stamp(path), "sha256": digest})

    def forget(self, path: Path) -> None:
        """The file is gone."""
        with self._lock:
            if self._entries().pop(str(path), None) is not None:
                self._save()

    def _put(self, path: Path, entry: dict[str, Any]) -> None:
        with self._lock:
            self._entries()[str(path)] = entry
            self._save()

    def _entries(self) -> dict[str, dict[str, Any]]:
        if self._known is None:
            self._known = _load(self._file)
        return self._known

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._known, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(new, self._file)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _stamp(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _load(file: Path) -> dict[str, dict[str, Any]]:
    """What was kept; a damaged file is nothing worse than forgotten digests."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logging.getLogger("vectrahub").warning("the digests of models are computed anew: %s", error)
        return {}
    fields = {"size", "mtime_ns", "sha256"}
    usable = isinstance(entries, dict)
    return {k: v for k, v in entries.items() if isinstance(v, dict) and fields == v.keys()} if usable else {}
