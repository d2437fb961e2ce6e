"""Commands that take many images: where each result goes, and one job after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .._discover import connect
from .._names import distinct_names
from .._outputs import JobResult
from ..client import Client
from ..errors import ClientError, JobRejected, ServerError, UsageError, WorkflowError
from .report import write_report
from .screen import Screen


def plan(images: list[Path], out: Path, suffix: str) -> list[tuple[Path, Path]]:
    """(input, output) for each image; results end in `suffix`. Raises UsageError before anything is done."""
    for image in images:
        if not image.is_file():
            raise UsageError(f"there is no file {image}")
    if out.suffix.lower() == suffix and not out.is_dir():
        if len(images) > 1:
            raise UsageError(f"{len(images)} images do not fit into the one file {out}; give a folder")
        return _apart([(images[0], out)])
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is no folder, and no {suffix} file")
    return _apart([(image, out / name) for image, name in zip(images, distinct_names(images, suffix), strict=True)])


def _apart(targets: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """The same, if no result would replace an input; else UsageError."""
    inputs = {image.resolve() for image, _ in targets}
    for _, target in targets:
        if target.resolve() in inputs:
            raise UsageError(f"the result {target} would replace an input; give another name or folder")
    return targets


def run_each(
    targets: list[tuple[Path, Path]],
    one: Callable[[Client, Path, Path], JobResult],
    server: str | None,
    report: Path | None,
    screen: Screen,
) -> int:
    """Do `one` (client, input, output) for each on one server; 0, or the exit code of the first image that failed.

    One that fails does not stop the others, unless they would meet the same: then it is raised. The report file is
    written in any case.
    """
    reports: dict[str, object] = {}
    code = 0
    try:
        with connect(server, say=screen.say) as client:
            for image, target in targets:
                name = str(image)
                try:
                    result = one(client, image, target)
                except (ServerError, JobRejected, WorkflowError):
                    raise
                except ClientError as error:
                    screen.error(error, name)
                    reports[name] = error.as_dict()
                    code = code or error.exit_code
                    continue
                reports[name] = result.reports
                screen.result(
                    str(target), image=name, file=str(target), seconds=round(result.seconds, 3), reports=result.reports
                )
    finally:
        if report:
            write_report(report, reports)
    return code
