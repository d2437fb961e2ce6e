"""`logo`: words in, logos out."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .._paths import check_folder
from .._values import LARGEST_SEED
from .._workflow import Graph, find_node, set_value, split_assignment
from ..client import Client
from ..errors import UsageError, WorkflowError
from ..logo import BACKGROUNDS, SAMPLE, SHIPPED, STEM, LogoRequest, download_logo, logo_graph, seed_of
from ..vectorize import shipped_workflow
from .each import Made, run_each
from .report import Report
from .screen import Screen

MOST_LOGOS = 1000


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `logo` to the parser."""
    command = commands.add_parser("logo", parents=parents, help="make logos from words")
    command.description = (
        "Makes a logo from words: a PNG with a transparent ground for each size (logo-256.png ...) and, with --svg, "
        "logo.svg. With --count N these are N logos, logo-1-256.png and so on, each with the next seed. An existing "
        "file is replaced once its successors are whole. What is not given stays as in the workflow, the seed too: "
        "the same command gives the same logo. One that fails does not stop the others; the exit code is then that of "
        "the first failure."
    )
    command.add_argument("prompt", metavar="PROMPT", help="what the logo shows, 3 to 500 characters")
    command.add_argument("--out", "-o", type=Path, default=Path(), metavar="DIR", help="where the files go (here)")
    command.add_argument("--sizes", metavar="PX,...", help="sides of the pictures, 8 to 4096 (256,512,1024)")
    command.add_argument("--svg", action="store_true", help="an SVG too")
    command.add_argument(
        "--count", type=int, default=1, metavar="N", help=f"so many different logos, to {MOST_LOGOS} (1)"
    )
    words = command.add_argument_group("words")
    words.add_argument("--name", metavar="TEXT", help="of the business, to be written in the logo")
    words.add_argument("--style", metavar="NAME", help="a style of the node Logo Prompt (minimal)")
    words.add_argument("--type", dest="logo_type", metavar="NAME", help="auto, icon, wordmark, lettermark ... (auto)")
    words.add_argument("--colors", metavar="TEXT", help='words, codes or both: "#0A84FF, warm orange"')
    command.add_argument("--background", choices=BACKGROUNDS, help="which ground becomes transparent (outside)")
    command.add_argument("--checkpoint", metavar="NAME", help="the diffusion model; without folder and suffix")
    command.add_argument("--seed", type=int, metavar="N")
    command.add_argument("--steps", type=int, metavar="N")
    command.add_argument("--guidance", type=float, metavar="X", help="how closely Flux follows the words (3.5)")
    command.add_argument("--report", type=Path, metavar="FILE.json", help="keep every stage's report")
    command.add_argument("--workflow", type=Path, metavar="FILE.json", help="instead of the shipped workflow")
    command.add_argument(
        *("--set", "-s"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help='any other knob: "Ground.tolerance=0.05"',
    )
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Make them all; 0, or a ClientError."""
    request = _request(options)
    wanted = _wanted(request, options)
    check_folder(options.out)
    report = Report(options.report, [options.workflow or shipped_workflow(SHIPPED)], screen)

    def one(client: Client, stem: str, request: LogoRequest) -> Made:
        graph = logo_graph(options.prompt, request, options.workflow, client.schema)
        for name, text in _settings(options):
            set_value(graph, name, text, client.schema)
        result = client.run(graph, on_event=lambda event: screen.event(event, stem), timeout=options.timeout)
        written = download_logo(client, result, options.out, request, stem)
        files = [str(path) for path in written]
        return Made(result, written, {"logo": stem, "files": files, "seed": _known_seed(graph)})

    jobs = [(stem, partial(one, stem=stem, request=request)) for stem, request in wanted]
    return run_each(jobs, options.server, report, screen)


def _request(options: argparse.Namespace) -> LogoRequest:
    given = {name: value for name, value in vars(options).items() if name in LogoRequest.__dataclass_fields__}
    return LogoRequest(**{**given, "sizes": _sizes(options.sizes)})


def _wanted(request: LogoRequest, options: argparse.Namespace) -> list[tuple[str, LogoRequest]]:
    """(name, request) of each logo. What is wrong with any is known here, before a server is started."""
    count = options.count
    if not 1 <= count <= MOST_LOGOS:
        raise UsageError(f"--count is 1 to {MOST_LOGOS}; {count} is outside")
    settings = _settings(options)
    graph = logo_graph(options.prompt, request, options.workflow)
    if count == 1:
        return [(STEM, request)]
    for name, _ in settings:
        if _is_seed(graph, name):
            raise UsageError(f"with --count the seed is set by --seed, not by --set {name}")
    first = seed_of(graph)
    if first + count - 1 > LARGEST_SEED:
        raise UsageError(f"the seed {first} leaves no {count} seeds to {LARGEST_SEED}")
    return [(f"{STEM}-{n + 1}", replace(request, seed=first + n)) for n in range(count)]


def _settings(options: argparse.Namespace) -> list[tuple[str, str]]:
    return [split_assignment(text, "--set") for text in options.set]


def _known_seed(graph: Graph) -> int | None:
    try:
        return seed_of(graph)
    except WorkflowError:  # a workflow of somebody's own may sample elsewhere
        return None


def _is_seed(graph: Graph, name: str) -> bool:
    """Whether --set NAME means the seed of Sample, whose seed is a number."""
    title, dot, key = name.rpartition(".")
    return key == "seed" and (not dot or find_node(graph, title) == find_node(graph, SAMPLE))


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    for word in words:
        if not (word.isascii() and word.isdecimal() and len(word) < 10):
            raise UsageError(f"--sizes takes whole numbers, as in 256,512,1024; {word!r} is none")
    return tuple(dict.fromkeys(map(int, words)))
