"""The model files of a server: found, described and removed, and never a file outside the model folders."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...vectrahub_client.service.live import rfc3339
from ...vectrahub_client.service.problems import Problem, not_found
from .folders import Folders, ModelFolder, folder_of
from .hashes import Hashes
from .header import Header, read_header
from .names import SUFFIX, safe_parts


@dataclass(frozen=True)
class Model:
    """A file. `path` is relative to its type's folder, with forward slashes; `modified`: seconds since the epoch."""

    type: str
    path: str
    size: int
    modified: float
    base_model: str | None
    sha256: str | None

    @property
    def name(self) -> str:
        """Without folders and suffix."""
        return PurePosixPath(self.path).stem

    def as_dict(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "type": self.type,
            "path": self.path,
            "name": self.name,
            "size": self.size,
            "modified": rfc3339(self.modified),
            "base_model": self.base_model,
            "sha256": self.sha256,
        }


class ModelStore:
    """Asks the disk: its methods are not for the event loop. Types go by the host's names or by OTHER_NAMES."""

    def __init__(self, folders: Folders, hashes: Hashes) -> None:
        self.folders = folders
        self.hashes = hashes
        self._bases: dict[tuple[str, int, int], str | None] = {}  # what headers say, by path, size and time
        self._lock = threading.Lock()

    def models(self, type_name: str | None = None, base_model: str | None = None) -> list[Model]:
        """All models, or those of one type, made for one base model; by type and path. Raises Problem 404."""
        folders = self.folders.all().values() if type_name is None else [self.folder(type_name)]
        found = [self._described(folder, path, file) for folder in folders for path, file in self._files(folder)]
        wanted = base_model and base_model.lower()
        return [one for one in found if one is not None and (not wanted or (one.base_model or "").lower() == wanted)]

    def get(self, type_name: str, path: str) -> Model:
        """One of them. Raises Problem 404."""
        folder = self.folder(type_name)
        if (model := self._described(folder, path, self.file(type_name, path))) is None:
            raise not_found(f"no model {path!r} of the type {folder.name}")
        return model

    def folder(self, type_name: str) -> ModelFolder:
        """A type. Raises Problem 404, which names those that there are."""
        if (folder := folder_of(self.folders, type_name)) is None:
            raise not_found(f"no type of models {type_name[:100]!r}; there are {', '.join(self.folders.all())}")
        return folder

    def file(self, type_name: str, path: str) -> Path:
        """Where a model lies. Raises Problem 404, also for links that lead out of the model folders."""
        folder, parts = self.folder(type_name), safe_parts(path)
        if parts is not None and Path(parts[-1]).suffix.lower() in folder.suffixes:
            for root in folder.roots:
                file = root.joinpath(*parts)
                if file.is_file() and self.is_inside(file):
                    return file
        raise not_found(f"no model {path[:200]!r} of the type {folder.name}")

    def delete(self, type_name: str, path: str) -> Model:
        """Remove a model and say what it was. A host that has it in memory keeps it there. Raises Problem 404, 409."""
        model, file = self.get(type_name, path), self.file(type_name, path)
        try:
            file.unlink()
        except PermissionError as error:
            raise Problem(
                409, "in-use", "The model cannot be deleted", f"the system says: {error.strerror}; unload it first"
            ) from error
        self.hashes.forget(file)
        self.folders.changed(model.type)
        return model

    def hash(self, type_name: str, path: str) -> Model:
        """The model with its SHA-256, which is computed when it is not known. Raises Problem 404."""
        self.hashes.compute(self.file(type_name, path))
        return self.get(type_name, path)

    def is_inside(self, path: Path) -> bool:
        """Whether a path, all links followed, is in a model folder."""
        real = path.resolve()
        roots = (root.resolve() for folder in self.folders.all().values() for root in folder.roots)
        return any(real.is_relative_to(root) for root in roots)

    @staticmethod
    def split(path: str) -> tuple[str, str]:
        """Type and path of what the old servers call a path ("loras/sdxl/x.safetensors")."""
        type_name, _, rest = path.partition("/")
        return type_name, rest

    def _files(self, folder: ModelFolder) -> Iterator[tuple[str, Path]]:
        """(path, file), by path; of two files of one path the first, which is the one that the host takes."""
        found: dict[str, Path] = {}
        for root in folder.roots:
            for place, inner, names in os.walk(root):
                inner[:] = [name for name in inner if not name.startswith(".")]
                for name in names:
                    file = Path(place, name)
                    if file.suffix.lower() in folder.suffixes and not name.startswith("."):
                        found.setdefault(file.relative_to(root).as_posix(), file)
        return ((path, file) for path, file in sorted(found.items()) if not file.is_symlink() or self._leads_in(file))

    def _leads_in(self, link: Path) -> bool:
        return link.is_file() and self.is_inside(link)

    def _described(self, folder: ModelFolder, path: str, file: Path) -> Model | None:
        try:
            status = file.stat()
            base = self._base_model(file, status) or _first_folder(path)
            return Model(folder.name, path, status.st_size, status.st_mtime, base, self.hashes.known(file))
        except FileNotFoundError:  # deleted meanwhile
            return None

    def _base_model(self, file: Path, status: os.stat_result) -> str | None:
        if file.suffix.lower() not in (SUFFIX, ".sft"):
            return None
        key = (str(file), status.st_size, status.st_mtime_ns)
        with self._lock:
            if key in self._bases:
                return self._bases[key]
        try:
            header = read_header(file)
        except (Problem, OSError):  # listed all the same: that it is broken shows where it is loaded
            header = Header({}, 0)
        with self._lock:
            self._bases[key] = header.base_model
        return header.base_model


def _first_folder(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    return parts[0] if len(parts) > 1 else None
