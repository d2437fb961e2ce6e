"""Result files in the host's output folder: safe names, numbers that never overwrite, nothing half-written."""

import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

import folder_paths
from comfy_api.latest import io, ui

from ..engine.errors import BadInput

_MAX_NAME_BYTES = 180  # of a file system's 255; number, suffix and the temporary name need the rest
_NOT_IN_NAMES = re.compile(r'[<>:"|?*]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})


def save_results(contents: Sequence[bytes], prefix: str, suffix: str, width: int, height: int) -> list[ui.SavedResult]:
    """Write each content to PREFIX_00001_SUFFIX, PREFIX_00002_SUFFIX ... below the output folder.

    prefix: may name subfolders with '/'; '%width%', '%date ...' and so on as in the host's own save nodes.
    Raises BadInput for a prefix that leaves the output folder or cannot be a file name.
    """
    output = folder_paths.get_output_directory()
    prefix = safe_prefix(prefix)
    if not folder_paths.is_within_directory(output, os.path.join(output, os.path.dirname(prefix))):
        raise _bad_name(prefix, "a place inside the output folder")
    folder, name, number, subfolder, _ = folder_paths.get_save_image_path(prefix, output, width, height)
    results: list[ui.SavedResult] = []
    for content in contents:
        filename, number = _write(Path(folder), name, number, suffix, content)
        results.append(ui.SavedResult(filename, subfolder, io.FolderType.output))
    return results


def safe_prefix(prefix: str) -> str:
    """The prefix with characters that some system refuses replaced; each part a plain name.

    Raises BadInput for '..', absolute paths, NUL and other control characters, empty or overlong names.
    """
    if _CONTROL.search(prefix):
        raise _bad_name(prefix, "no control characters")
    parts = prefix.strip().replace("\\", "/").split("/")
    if len(parts) > 1 and (parts[0] == "" or re.fullmatch(r"[A-Za-z]:", parts[0])):
        raise _bad_name(prefix, "a name relative to the output folder")
    return "/".join(_safe_name(part.strip(), prefix) for part in parts if part not in ("", ".")) or _safe_name(
        "", prefix
    )


def _safe_name(part: str, prefix: str) -> str:
    if part == "..":
        raise _bad_name(prefix, "no '..'")
    name = _NOT_IN_NAMES.sub("_", part).rstrip(". ")
    if not name:
        raise _bad_name(prefix, "at least one letter or digit")
    if name.split(".")[0].strip().lower() in _DEVICES:
        name = "_" + name
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise _bad_name(f"{len(name.encode())} bytes", f"at most {_MAX_NAME_BYTES} bytes for a name")
    return name


def _bad_name(value: str, limit: str) -> BadInput:
    remedy = "Use a name like 'vectrahub/drawing'."
    return BadInput("The file name cannot be used", value=repr(value), limit=limit, remedy=remedy)


def _write(folder: Path, name: str, number: int, suffix: str, content: bytes) -> tuple[str, int]:
    """Write under the first free number; returns the file's name and the next number."""
    part = folder / f".{uuid.uuid4().hex}.part"
    try:
        part.write_bytes(content)
        while not _claim(part, folder / f"{name}_{number:05}_{suffix}"):
            number += 1
    finally:
        part.unlink(missing_ok=True)
    return f"{name}_{number:05}_{suffix}", number + 1


def _claim(part: Path, target: Path) -> bool:
    """Give the written file its name, unless somebody has it: two runs may have counted to the same number."""
    try:
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            return False
        os.replace(part, target)
    return True
