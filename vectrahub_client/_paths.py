"""Paths that a person names, checked before a server is asked for anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from .errors import UsageError


def check_input(path: Path) -> None:
    """Raise UsageError unless the path is a file that has content."""
    state = _state(path)
    if state is None:
        raise UsageError(f"there is no file {path}")
    if not stat.S_ISREG(state.st_mode):
        raise UsageError(f"{path} is not a file")
    if not state.st_size:
        raise UsageError(f"the file {path} is empty")


def is_folder(path: Path) -> bool:
    """Whether the path is a folder. Raises UsageError where that cannot be known."""
    state = _state(path)
    return state is not None and stat.S_ISDIR(state.st_mode)


def check_folder(path: Path) -> None:
    """Raise UsageError unless the path is a folder or can become one."""
    if at := _in_the_way(path):
        raise UsageError(f"{path} is not a folder" + (f": {at} is a file" if at != path else ""))


def check_results(results: Iterable[Path], taken: Iterable[Path], what: str = "result") -> None:
    """Raise UsageError for a result that is a folder, cannot be made, or would replace one of `taken` or another."""
    known = {path.resolve() for path in taken}
    for result in results:
        if is_folder(result):
            raise UsageError(f"the {what} {result} is a folder")
        if at := _in_the_way(result.parent):
            raise UsageError(f"the {what} {result} cannot be made: {at} is not a folder")
        if result.resolve() in known:
            raise UsageError(f"the {what} {result} would replace an input or another result; give another name")
        known.add(result.resolve())


def _in_the_way(folder: Path) -> Path | None:
    at = folder
    while _state(at) is None and at != at.parent:
        at = at.parent
    return None if is_folder(at) else at


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # too long a name, a folder that may not be entered, a loop of links
        raise UsageError(f"cannot look at {path}: {getattr(error, 'strerror', None) or error}") from error
