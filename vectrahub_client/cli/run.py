"""`run`: any API-format workflow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .._paths import check_folder, check_input
from .._workflow import read_workflow, set_image, set_value, split_assignment
from ..client import Client
from .each import Made, run_each
from .report import Report
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `run` to the parser."""
    command = commands.add_parser("run", parents=parents, help="run an API-format workflow", description=__doc__)
    command.description = (
        "Runs a workflow in API format (ComfyUI: Workflow > Export (API)) and fetches every file that it saves. "
        "Files already in the output folder are kept; a new one of the same name gets a number."
    )
    command.add_argument("workflow", type=Path, metavar="WORKFLOW.json")
    command.add_argument(
        *("--image", "-i"), action="append", default=[], metavar="TITLE=PATH", help="upload PATH for that LoadImage"
    )
    command.add_argument(
        *("--set", "-s"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help='"Title.input=value", or "input=value" where only one node has such an input',
    )
    command.add_argument("--out", "-o", type=Path, default=Path(), metavar="DIR", help="where results go (here)")
    command.add_argument("--report", type=Path, metavar="FILE.json", help="keep every stage's report")
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Run it; 0, or a ClientError."""
    graph = read_workflow(options.workflow)
    images = [split_assignment(text, "--image") for text in options.image]
    settings = [split_assignment(text, "--set") for text in options.set]
    for _, path in images:
        check_input(Path(path))
    check_folder(options.out)
    report = Report(options.report, [options.workflow, *(Path(path) for _, path in images)], screen)
    job = options.workflow.stem

    def one(client: Client) -> Made:
        for name, text in settings:
            set_value(graph, name, text, client.schema)
        for name, path in images:
            set_image(graph, name, client.upload(Path(path)), client.schema)
        result = client.run(graph, on_event=lambda event: screen.event(event, job), timeout=options.timeout)
        written = client.download_all(result, options.out)
        return Made(result, written, {"files": [str(path) for path in written]})

    return run_each([(job, one)], options.server, report, screen)
