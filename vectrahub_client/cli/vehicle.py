"""`vehicle`: photos of cars in, flat drawings in given colours out."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from .._paths import check_results, is_folder
from .._values import name_and_strength
from .._workflow import set_value, split_assignment
from ..client import Client
from ..errors import UsageError
from ..vectorize import shipped_workflow
from ..vehicle import (
    LORA_STRENGTH,
    PHASES,
    SHIPPED,
    VehicleRequest,
    download_vehicle,
    read_palette,
    vehicle_graph,
)
from .each import Made, plan, run_each
from .report import Report
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `vehicle` to the parser."""
    command = commands.add_parser("vehicle", parents=parents, help="draw photos of cars in given colours")
    command.description = (
        "Turns each photo of a vehicle into a flat drawing, an SVG named after it, on one server, in four phases: "
        f"{', '.join(PHASES)}. What is not given stays as in the workflow. An existing file is replaced once its "
        "successor is whole. A photo that fails does not stop the others; the exit code is then that of the first "
        "failure. Names of files on the server may be given without folder and suffix."
    )
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    command.add_argument(
        *("--out", "-o"),
        type=Path,
        required=True,
        metavar="OUT.svg|DIR",
        help="a file for one photo, else a folder; a .png where vectorize is skipped",
    )
    command.add_argument("--palette", metavar="HEX,...", help="the fills, 1 to 32 colours: FF0000,00FF00")
    command.add_argument("--png", type=Path, metavar="FILE.png", help="a picture of the drawing too, for one photo")
    command.add_argument(
        "--skip", metavar="PHASE,...", help=f"phases to leave out, with their files: {', '.join(PHASES)}"
    )
    _add_style(command)
    _add_lines(command)
    command.add_argument("--megapixels", type=float, metavar="X", help="size at which colours are decided (12)")
    command.add_argument("--report", type=Path, metavar="FILE.json", help="keep every stage's report")
    command.add_argument("--workflow", type=Path, metavar="FILE.json", help="instead of the shipped workflow")
    command.add_argument(
        *("--set", "-s"), action="append", default=[], metavar="NAME=VALUE", help='any other knob: "Palette.specks=0.2"'
    )
    command.set_defaults(call=call)


def _add_style(command: argparse.ArgumentParser) -> None:
    style = command.add_argument_group("stylize")
    style.add_argument("--prompt", metavar="TEXT", help="instead of the workflow's own words")
    style.add_argument(
        "--lora",
        type=_lora,
        action="append",
        default=[],
        metavar="NAME[:STRENGTH]",
        help=f"on the diffusion model, once for each ({LORA_STRENGTH})",
    )
    style.add_argument("--depth", type=float, metavar="X", help="strength of the depth control (0.6)")
    style.add_argument("--canny", type=float, metavar="X", help="strength of the edge control (0.4)")
    style.add_argument(
        "--threshold", type=float, metavar="0..1", help="how much of the silhouette must be kept (0.85 of the union)"
    )
    style.add_argument("--retries", type=int, metavar="N", help="further attempts, held more strongly (2)")
    style.add_argument(
        "--keep-best",
        action=argparse.BooleanOptionalAction,
        help="the best attempt where none keeps the silhouette, else fail (yes)",
    )
    style.add_argument("--seed", type=int, metavar="N")
    style.add_argument("--steps", type=int, metavar="N")


def _add_lines(command: argparse.ArgumentParser) -> None:
    lines = command.add_argument_group("vectorize")
    lines.add_argument("--outline", type=float, metavar="PX", help="around every shape, at every zoom; 0 = none (2)")
    lines.add_argument("--outline-color", metavar="HEX")
    lines.add_argument(
        "--centrelines", action=argparse.BooleanOptionalAction, help="thin shapes as lines through their middle (no)"
    )


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Draw all; 0, the exit code of the first photo that failed, or a ClientError."""
    request = _request(options)
    settings = [split_assignment(text, "--set") for text in options.set]
    vehicle_graph(request, "", options.png is not None, options.workflow)  # a wrong workflow is known before a server
    targets = _targets(options, request)
    taken = [options.workflow or shipped_workflow(SHIPPED), *(path for pair in targets for path in pair)]
    taken += [options.png] if options.png else []

    def one(client: Client, photo: Path, target: Path) -> Made:
        uploaded = client.upload(photo)
        graph = vehicle_graph(request, uploaded, options.png is not None, options.workflow, client.schema)
        for name, text in settings:
            set_value(graph, name, text, client.schema)
        result = client.run(graph, on_event=lambda event: screen.event(event, photo.name), timeout=options.timeout)
        written = download_vehicle(client, result, target, request, options.png)
        return Made(result, written, {"image": str(photo), "files": [str(path) for path in written]})

    jobs = [(str(photo), partial(one, photo=photo, target=target)) for photo, target in targets]
    return run_each(jobs, options.server, Report(options.report, taken, screen), screen)


def _targets(options: argparse.Namespace, request: VehicleRequest) -> list[tuple[Path, Path]]:
    """(photo, result) of each. Raises UsageError for paths that cannot be."""
    suffix, out, png = request.suffix, options.out, options.png
    if out.suffix.lower() in {".svg", ".png"} - {suffix} and not is_folder(out):
        because = "vectorize is skipped: " if suffix == ".png" else ""
        remedy = (
            "" if suffix == ".png" else " (a picture of the drawing: --png; the picture before it: --skip vectorize)"
        )
        raise UsageError(f"{because}the result is a {suffix} file; {out} is not{remedy}")
    targets = plan(options.photos, out, suffix)
    if png is not None:
        if len(targets) > 1:
            raise UsageError(f"--png is for one photo; {len(targets)} were given")
        if png.suffix.lower() != ".png":
            raise UsageError(f"--png {png} is not a .png file")
        check_results([png], [path for pair in targets for path in pair])
    return targets


def _request(options: argparse.Namespace) -> VehicleRequest:
    apart = {"palette", "skip", "loras"}
    names = set(VehicleRequest.__dataclass_fields__) - apart
    given = {name: value for name, value in vars(options).items() if name in names}
    skip = () if options.skip is None else _phases(options.skip)
    palette = None if options.palette is None else read_palette(options.palette)
    return VehicleRequest(**given, palette=palette, skip=skip, loras=tuple(options.lora))


def _phases(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not words:
        raise UsageError(f"--skip takes names of phases: {', '.join(PHASES)}; {text!r} has none")
    return words


def _lora(text: str) -> tuple[str, float]:
    return name_and_strength(text, LORA_STRENGTH)
