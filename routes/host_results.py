"""The files that a run left, as results of its job."""

from __future__ import annotations

import mimetypes
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import folder_paths

from ..vectrahub_client._names import distinct, numbered, safe_name
from ..vectrahub_client._outputs import OutputFile
from ..vectrahub_client.service.files import JobFiles
from ..vectrahub_client.service.records import Output

_TYPES = {".svg": "image/svg+xml", ".webp": "image/webp", ".safetensors": "application/octet-stream"}


def collected(found: Sequence[OutputFile], files: JobFiles, job_id: str) -> tuple[Output, ...]:
    """Each file once, in the job's own folder: what nodes saved elsewhere is copied there. Raises OSError."""
    folder = files.output_folder(job_id)
    kept = [(file, path) for file in found if (path := _path(file)) is not None]
    places = [path if path.is_relative_to(folder) else _copied(path, folder) for _, path in kept]
    names = distinct(safe_name(path.name) for path in places)
    return tuple(
        Output(name, file.title, media_type(name), path.stat().st_size, path.relative_to(files.outputs).as_posix())
        for (file, _), path, name in zip(kept, places, names, strict=True)
    )


def _copied(path: Path, folder: Path) -> Path:
    """A copy under a name that nothing in the folder has."""
    folder.mkdir(parents=True, exist_ok=True)
    free = next(name for name in numbered(safe_name(path.name)) if not (folder / name).exists())
    return Path(shutil.copy2(path, folder / free))


def media_type(name: str) -> str:
    """By the suffix; the same on every system."""
    suffix = os.path.splitext(name)[1].lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _path(file: OutputFile) -> Path | None:
    base = folder_paths.get_directory_by_type(file.kind)
    if base is None:
        return None
    path = os.path.realpath(os.path.join(base, file.subfolder, file.filename))
    return Path(path) if folder_paths.is_within_directory(os.path.realpath(base), path) else None
