"""`tryon`: a person and a garment in, the person wearing it out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .._workflow import set_value, split_assignment
from ..client import Client
from ..tryon import (
    MODES,
    RESOLUTIONS,
    SHIPPED,
    TryOnFiles,
    TryOnRequest,
    download_tryon,
    tryon_graph,
    uploaded_graph,
)
from ..vectorize import shipped_workflow
from .each import Made, run_each
from .report import Report
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `tryon` to the parser."""
    command = commands.add_parser("tryon", parents=parents, help="dress a person in a garment")
    command.description = (
        "Dresses the person of one picture in the garment of another, into a PNG of the person's picture's size. "
        "What is not given stays as in the workflow. An existing result is replaced once its successor is whole."
    )
    command.add_argument("person", type=Path, metavar="PERSON")
    command.add_argument("garment", type=Path, metavar="GARMENT")
    command.add_argument("--out", "-o", dest="target", type=Path, required=True, metavar="OUT.png")
    command.add_argument(
        "--mask", type=Path, metavar="MASK.png", help="as large as the person: white is where the garment goes"
    )
    command.add_argument("--mode", choices=MODES, help="which files: 4 steps (fp8, lora) or the whole model (fp8)")
    command.add_argument("--resolution", choices=RESOLUTIONS, help="shorter side at work (720p)")
    command.add_argument("--prompt", metavar="TEXT", help="instead of the workflow's own words")
    command.add_argument("--seed", type=int, metavar="N")
    command.add_argument("--steps", type=int, metavar="N", help="0: what suits the mode")
    command.add_argument("--cfg", type=float, metavar="X", help="0: what suits the mode")
    command.add_argument(
        "--comparison", type=Path, metavar="FILE.png", help="person, garment and result side by side, too"
    )
    command.add_argument("--report", type=Path, metavar="FILE.json", help="keep every stage's report")
    command.add_argument("--workflow", type=Path, metavar="FILE.json", help="instead of the shipped workflow")
    command.add_argument(
        *("--set", "-s"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help='any other knob: "Try on.mask_prompt=the jacket only"',
    )
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Dress the person; 0, or a ClientError."""
    given = vars(options)
    request = TryOnRequest(**{name: given[name] for name in TryOnRequest.__dataclass_fields__})
    settings = [split_assignment(text, "--set") for text in options.set]
    files = TryOnFiles(**{name: given[name] for name in TryOnFiles.__dataclass_fields__})
    # A wrong workflow is known before a server is started.
    tryon_graph(request, "", "", "" if files.mask else None, files.comparison is not None, options.workflow)
    taken = [options.workflow or shipped_workflow(SHIPPED), *files.inputs, *files.results]

    def one(client: Client) -> Made:
        graph = uploaded_graph(client, files, request, options.workflow)
        for name, text in settings:
            set_value(graph, name, text, client.schema)
        job = files.person.name
        result = client.run(graph, on_event=lambda event: screen.event(event, job), timeout=options.timeout)
        written = download_tryon(client, result, files)
        return Made(result, written, {"files": [str(path) for path in written]})

    return run_each([(str(files.person), one)], options.server, Report(options.report, taken, screen), screen)
