"""`vectorize`: images in, SVG out."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from .._fetch import saved_by
from ..client import Client
from ..vectorize import MOST_COLORS, ROUTES, SAVE, VectorizeRequest, shipped_workflow, vectorize_graph
from .each import Made, plan, run_each
from .report import Report
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `vectorize` to the parser."""
    command = commands.add_parser("vectorize", parents=parents, help="turn images into SVG files")
    command.description = (
        "Turns each image into an SVG named after it, on one server. Where two inputs would give one name, the "
        "later gets a number (a.png, a.jpg: a.svg, a-2.svg). An existing file is replaced once its successor is "
        "whole. An image that fails does not stop the others; the exit code is then that of the first failure."
    )
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    command.add_argument(
        *("--out", "-o"), type=Path, required=True, metavar="OUT.svg|DIR", help="a file for one image, else a folder"
    )
    command.add_argument("--draft", action="store_true", help="trace at 3 megapixels instead of 12: much faster")
    command.add_argument("--route", choices=ROUTES, default="auto", help="what the image is (found out)")
    command.add_argument("--colors", type=int, default=0, metavar="N", help=f"1 to {MOST_COLORS} (0 = found out)")
    command.add_argument(
        "--palette",
        default="",
        metavar="HEX,...",
        help="use these colours only; also remaps, as PaletteSnap takes them",
    )
    command.add_argument("--report", type=Path, metavar="FILE.json", help="keep every stage's report")
    command.add_argument("--workflow", type=Path, metavar="FILE.json", help="instead of the shipped workflow")
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Vectorize all; 0, the exit code of the first image that failed, or a ClientError."""
    request = VectorizeRequest(options.route, options.colors, options.palette, options.draft)
    vectorize_graph(request, "", options.workflow)  # a wrong workflow is known before a server is started
    targets = plan(options.images, options.out, ".svg")
    taken = [options.workflow or shipped_workflow(), *(path for pair in targets for path in pair)]

    def one(client: Client, image: Path, target: Path) -> Made:
        graph = vectorize_graph(request, client.upload(image), options.workflow)
        result = client.run(graph, on_event=lambda event: screen.event(event, image.name), timeout=options.timeout)
        client.download(saved_by(result, SAVE, ".svg")[0], target, replace=True)
        return Made(result, [target], {"image": str(image), "file": str(target)})

    jobs = [(str(image), partial(one, image=image, target=target)) for image, target in targets]
    return run_each(jobs, options.server, Report(options.report, taken, screen), screen)
