"""--report FILE.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from .._names import write_whole
from .._paths import check_results
from ..errors import OutputError, UsageError
from .screen import Screen


class Report:
    """{job: {stage: report}}, or {job: error}, written at the end of the `with`, whole or not at all.

    Nothing is written where no job was begun, so that an older report stays. Beside an error of the jobs, one of the
    report is only shown.
    """

    def __init__(self, path: Path | None, taken: Iterable[Path], screen: Screen) -> None:
        """`taken`: the inputs, results and workflow files. Raises UsageError where `path` would replace one."""
        self._path = path
        self._screen = screen
        self._jobs: dict[str, object] = {}
        self._results: set[Path] = set()
        if path is not None:
            if path.suffix.lower() != ".json":
                raise UsageError(f"--report {path} is not a .json file")
            check_results([path], taken, "report")

    def add(self, job: str, said: object, results: Iterable[Path] = ()) -> None:
        """What a job reported, and the files that it made."""
        self._jobs[job] = said
        self._results.update(path.resolve() for path in results)

    def __enter__(self) -> Report:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        try:
            self._write()
        except OutputError as error:
            if kind is None:
                raise
            self._screen.error(error)

    def _write(self) -> None:
        if self._path is None or not self._jobs:
            return
        if self._path.resolve() in self._results:
            raise OutputError(f"the report {self._path} would replace a result; give another name")
        text = json.dumps(self._jobs, indent=2, ensure_ascii=False) + "\n"
        write_whole(self._path, lambda stream: stream.write(text.encode(errors="backslashreplace")), replace=True)
