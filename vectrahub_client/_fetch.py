"""Fetching results that belong together: nothing is replaced before all of them are whole and what they should be."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ._outputs import JobResult, OutputFile
from .client import Client
from .errors import OutputError

_PNG = b"\x89PNG\r\n\x1a\n"


def saved_by(result: JobResult, title: str, suffix: str) -> list[OutputFile]:
    """The files with this suffix of the nodes titled `title`. Raises OutputError where there are none."""
    files = [file for file in result.files if file.title == title and file.filename.lower().endswith(suffix)]
    if not files:
        raise OutputError(f"the workflow ended, but its node {title!r} saved no {suffix.removeprefix('.').upper()}")
    return files


@contextmanager
def fetched(client: Client, wanted: Iterable[tuple[OutputFile, Path]]) -> Iterator[list[Path]]:
    """Each file inside a temporary folder of the folder beside it; what is left there goes at the end.

    Raises OutputError, also for an OSError of the caller's.
    """
    with ExitStack() as stack:
        try:
            parts = []
            for file, folder in wanted:
                folder.mkdir(parents=True, exist_ok=True)
                place = stack.enter_context(tempfile.TemporaryDirectory(prefix=".vectrahub-", dir=folder))
                parts.append(client.download(file, Path(place) / "part"))
            yield parts
        except OSError as error:
            raise OutputError(f"cannot write the results: {error}") from error


def settle(parts: Sequence[Path], targets: Sequence[Path]) -> list[Path]:
    """Give the parts their names, replacing what has them; the targets. Raises OutputError before the first."""
    for target in targets:
        if target.is_dir():
            raise OutputError(f"cannot write {target}: it is a folder")
    for part, target in zip(parts, targets, strict=True):
        os.replace(part, target)
    return list(targets)


def png_width(path: Path, title: str) -> int:
    """The width in px of a PNG that the node `title` saved, by its header. Raises OutputError where it is none."""
    with path.open("rb") as stream:
        head = stream.read(24)
    if len(head) < 24 or not head.startswith(_PNG) or head[12:16] != b"IHDR":
        raise OutputError(f"the node {title!r} saved a file that is no PNG")
    (width,) = struct.unpack(">I", head[16:20])
    return width
