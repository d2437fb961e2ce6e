"""File names that are safe to write, whatever a server or a person calls them."""

from __future__ import annotations

import os
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .errors import OutputError

_LONGEST = 200  # bytes of UTF-8; file systems allow 255, and a number and `.part` must fit
_FORBIDDEN = frozenset('<>:"/\\|?*')
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def safe_name(name: str, fallback: str = "output") -> str:
    """The last part of `name` without what any file system forbids: never a path, never empty, never hidden."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join("_" if c in _FORBIDDEN or unicodedata.category(c) in ("Cc", "Cs") else c for c in last)
    kept = kept.strip().lstrip(".").rstrip(". ")
    stem, suffix = os.path.splitext(kept)
    if not stem or stem.lower() in _RESERVED:
        stem = f"{fallback}{'_' + stem if stem else ''}"
    room = _LONGEST - len(suffix.encode())
    if room < 1:  # an endless "suffix" is no suffix
        stem, suffix, room = stem + suffix, "", _LONGEST
    while len(stem.encode()) > room:
        stem = stem[:-1]
    return stem + suffix


def numbered(name: str) -> Iterable[str]:
    """`a.png`, `a-2.png`, `a-3.png` and so on."""
    stem, suffix = os.path.splitext(name)
    yield name
    number = 2
    while True:
        yield f"{stem}-{number}{suffix}"
        number += 1


def distinct_names(sources: Iterable[Path], suffix: str) -> list[str]:
    """One output name per input: `a.png` gives `a.svg`, then `a.jpg` gives `a-2.svg`, in the order given.

    Distinct also where the file system ignores case.
    """
    return distinct(safe_name(f"{source.stem}{suffix}") for source in sources)


def distinct(names: Iterable[str]) -> list[str]:
    """The names, a repeated one with the next free number; distinct also where case is ignored."""
    taken: set[str] = set()
    series: dict[str, Iterator[str]] = {}
    found = []
    for wanted in names:
        numbers = series.setdefault(wanted, iter(numbered(wanted)))
        name = next(name for name in numbers if name.casefold() not in taken)
        taken.add(name.casefold())
        found.append(name)
    return found


def write_whole(target: Path, fill: Callable[[BinaryIO], object], *, replace: bool) -> Path:
    """Let `fill` write a temporary file beside `target`, then give it its name in one step.

    An existing file is replaced, or with replace=False kept, the new one getting the next free number. Returns the
    path written. Raises OutputError; nothing half-written is left then.
    """
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as stream:
            fill(stream)
        return _settle(part, target, replace)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _settle(part: Path, target: Path, replace: bool) -> Path:
    if replace:
        os.replace(part, target)
        return target
    for name in numbered(target.name):
        free = target.with_name(name)
        try:
            os.link(part, free)  # unlike rename, fails where the name is taken: two clients may share a folder
        except FileExistsError:
            continue
        except OSError:  # no hard links on this file system
            if free.exists():
                continue
            os.replace(part, free)
        return free
    raise AssertionError("numbered() is endless")
