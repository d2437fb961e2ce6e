"""`logo`: words in, logos out."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._discover import connect
from .._workflow import set_value, split_assignment
from ..errors import UsageError
from ..logo import BACKGROUNDS, STEM, LogoRequest, download_logo, logo_graph, seed_of
from .report import write_report
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `logo` to the parser."""
    command = commands.add_parser("logo", parents=parents, help="make logos from words")
    command.description = (
        "Makes a logo from words: a PNG with a transparent ground for each size (logo-256.png ...) and, with --svg, "
        "logo.svg. With --count N these are N logos, logo-1-256.png and so on, each with the next seed. An existing "
        "file is replaced once its successors are whole. What is not given stays as in the workflow, the seed too: "
        "the same command gives the same logo."
    )
    command.add_argument("prompt", metavar="PROMPT", help="what the logo shows, 3 to 500 characters")
    command.add_argument("--out", "-o", type=Path, default=Path(), metavar="DIR", help="where the files go (here)")
    command.add_argument("--sizes", metavar="PX,...", help="sides of the pictures, 8 to 4096 (256,512,1024)")
    command.add_argument("--svg", action="store_true", help="an SVG too")
    command.add_argument("--count", type=int, default=1, metavar="N", help="so many different logos (1)")
    words = command.add_argument_group("words")
    words.add_argument("--name", metavar="TEXT", help="of the business, to be written in the logo")
    words.add_argument("--style", metavar="NAME", help="a style of the node Logo Prompt (minimal)")
    words.add_argument("--type", dest="logo_type", metavar="NAME", help="auto, icon, wordmark, lettermark ... (auto)")
    words.add_argument("--colors", metavar="TEXT", help='colours in words: "navy and warm orange"')
    command.add_argument("--background", choices=BACKGROUNDS, help="which ground becomes transparent (outside)")
    command.add_argument("--checkpoint", metavar="NAME", help="the diffusion model; without folder and suffix")
    command.add_argument("--seed", type=int, metavar="N")
    command.add_argument("--steps", type=int, metavar="N")
    command.add_argument("--guidance", type=float, metavar="X", help="how closely Flux follows the words (3.5)")
    command.add_argument("--report", type=Path, metavar="FILE.json", help="keep every stage's report")
    command.add_argument("--workflow", type=Path, metavar="FILE.json", help="instead of the shipped workflow")
    command.add_argument(
        *("--set", "-s"), action="append", default=[], metavar="NAME=VALUE", help='any other knob: "Ground.tolerance=8"'
    )
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Make them all; 0, or a ClientError."""
    request = _request(options)
    settings = [split_assignment(text, "--set") for text in options.set]
    wanted = _wanted(request, options)
    if options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out} is not a folder")
    reports: dict[str, object] = {}
    try:
        with connect(options.server, say=screen.say) as client:
            for stem, one in wanted:
                graph = logo_graph(options.prompt, one, options.workflow, client.schema)
                for name, text in settings:
                    set_value(graph, name, text, client.schema)
                result = client.run(
                    graph, on_event=lambda event, job=stem: screen.event(event, job), timeout=options.timeout
                )
                reports[stem] = result.reports
                files = [str(path) for path in download_logo(client, result, options.out, one, stem)]
                seconds = round(result.seconds, 3)
                screen.result("\n".join(files), logo=stem, files=files, seconds=seconds, reports=result.reports)
    finally:
        if options.report:
            write_report(options.report, reports)
    return 0


def _request(options: argparse.Namespace) -> LogoRequest:
    given = {name: value for name, value in vars(options).items() if name in LogoRequest.__dataclass_fields__}
    return LogoRequest(**{**given, "sizes": _sizes(options.sizes)})


def _wanted(request: LogoRequest, options: argparse.Namespace) -> list[tuple[str, LogoRequest]]:
    """(name, request) of each logo. What is wrong with any is known here, before a server is started."""
    if options.count < 1:
        raise UsageError(f"--count is 1 or more; {options.count} is less")
    graph = logo_graph(options.prompt, request, options.workflow)
    if options.count == 1:
        return [(STEM, request)]
    first = seed_of(graph)
    return [(f"{STEM}-{n + 1}", replace(request, seed=first + n)) for n in range(options.count)]


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    for word in words:
        if not (word.isascii() and word.isdecimal() and len(word) < 10):
            raise UsageError(f"--sizes takes whole numbers, as in 256,512,1024; {word!r} is none")
    return tuple(dict.fromkeys(map(int, words)))
