"""What the commands that fetch results share: where each goes, and one job after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .._discover import connect
from .._names import distinct_names
from .._outputs import JobResult
from .._paths import check_input, check_results, is_folder
from ..client import Client
from ..errors import ClientError, JobRejected, ServerError, UsageError, WorkflowError
from .report import Report
from .screen import Screen


@dataclass(frozen=True)
class Made:
    """What a job made: its result, the files that were written, and what the JSON line says beside."""

    result: JobResult
    files: list[Path]
    fields: Mapping[str, object] = field(default_factory=dict)


def plan(images: list[Path], out: Path, suffix: str) -> list[tuple[Path, Path]]:
    """(input, output) for each image; results end in `suffix`. Raises UsageError before anything is done."""
    for image in images:
        check_input(image)
    if out.suffix.lower() == suffix and not is_folder(out):
        if len(images) > 1:
            raise UsageError(f"{len(images)} images do not fit into the one file {out}; give a folder")
        results = [out]
    else:
        results = [out / name for name in distinct_names(images, suffix)]
    check_results(results, images)
    return list(zip(images, results, strict=True))


def run_each(
    jobs: Iterable[tuple[str, Callable[[Client], Made]]], server: str | None, report: Report, screen: Screen
) -> int:
    """Do each (name, job) on one server; 0, or the exit code of the first that failed.

    One that fails does not stop the others, unless they would meet the same: then it is raised.
    """
    code = 0
    with report, connect(server, say=screen.say) as client:
        for name, job in jobs:
            try:
                made = job(client)
            except ClientError as error:
                report.add(name, error.as_dict())
                if isinstance(error, (ServerError, JobRejected, WorkflowError)):
                    raise
                screen.error(error, name)
                code = code or error.exit_code
                continue
            reports, seconds = made.result.reports, round(made.result.seconds, 3)
            report.add(name, reports, made.files)
            text = "\n".join(map(str, made.files)) or "done; the workflow saved no file"
            screen.result(text, **made.fields, seconds=seconds, reports=reports)
    return code
