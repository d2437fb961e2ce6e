"""`upscale`: images in, larger images out, refined tile by tile."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

from .._values import name_and_strength
from .._workflow import set_value, split_assignment
from ..client import Client
from ..errors import UsageError
from ..upscale import SCALES, SHIPPED, UpscaleRequest, download_upscaled, upscale_graph, upscale_workflow
from .each import Made, plan, run_each
from .report import Report
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `upscale` to the parser."""
    command = commands.add_parser("upscale", parents=parents, help="enlarge images and refine them tile by tile")
    command.description = (
        "Enlarges each image and refines it tile by tile with a diffusion model, into a PNG named after it. What is "
        "not given stays as in the workflow. Run again after a failure or Ctrl-C, it goes on with the tiles that are "
        "not done. Names of files on the server may be given without folder and suffix."
    )
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    command.add_argument(
        *("--out", "-o"), type=Path, required=True, metavar="OUT.png|DIR", help="a file for one image, else a folder"
    )
    command.add_argument(
        "--workflow", default="sdxl", metavar="|".join([*SHIPPED, "FILE.json"]), help="which model family (sdxl)"
    )
    size = command.add_mutually_exclusive_group()
    size.add_argument("--scale", type=int, choices=tuple(SCALES), help="how many times as large (2)")
    size.add_argument("--long-side", type=int, metavar="PX", help="enlarge to this longer side")
    command.add_argument("--tile", type=int, metavar="PX", help="side of a tile, a multiple of 8 (1024)")
    command.add_argument("--overlap", type=int, metavar="PX", help="of neighbouring tiles (128)")
    _add_texts(command)
    _add_models(command)
    _add_sampling(command)
    command.add_argument("--report", type=Path, metavar="FILE.json", help="keep every stage's report")
    command.add_argument(
        *("--set", "-s"), action="append", default=[], metavar="NAME=VALUE", help='any other knob: "Refine.match=lab"'
    )
    command.set_defaults(call=call)


def _add_texts(command: argparse.ArgumentParser) -> None:
    command.add_argument("--prompt", metavar="TEXT", help="stands before the text of every tile")
    command.add_argument("--negative", metavar="TEXT", help="what no tile shall show")
    command.add_argument("--plan", type=Path, metavar="PLAN.json", help="prompt, denoise, seed, skip of single tiles")
    command.add_argument(
        "--caption", action=argparse.BooleanOptionalAction, help="describe each tile, or never (where a model is there)"
    )


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--checkpoint", metavar="NAME", help="the diffusion model")
    command.add_argument(
        "--lora", type=_lora, action="append", default=[], metavar="NAME[:STRENGTH]", help="once for each (1.0)"
    )
    control = command.add_mutually_exclusive_group()
    control.add_argument("--controlnet", dest="control_net", metavar="NAME", help="the tile ControlNet")
    control.add_argument(
        "--no-controlnet", dest="control_net", action="store_const", const=False, help="refine without one"
    )


def _add_sampling(command: argparse.ArgumentParser) -> None:
    command.add_argument("--denoise", type=float, metavar="0..1", help="how much is painted anew")
    command.add_argument("--steps", type=int, metavar="N")
    command.add_argument("--cfg", type=float, metavar="X")
    command.add_argument("--control-strength", type=float, metavar="X")
    command.add_argument("--seed", type=int, metavar="N", help="tile n is sampled with seed + n")
    command.add_argument("--batch", type=int, metavar="N", help="tiles per call of the sampler")
    command.add_argument("--seam-fix", action=argparse.BooleanOptionalAction, help="a second pass along the seams (no)")


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Upscale all; 0, the exit code of the first image that failed, or a ClientError."""
    request = _request(options)
    settings = [split_assignment(text, "--set") for text in options.set]
    upscale_graph(request, "", options.workflow)  # a wrong workflow is known before a server is started
    targets = plan(options.images, options.out, ".png")
    taken = [upscale_workflow(options.workflow), *(path for pair in targets for path in pair)]
    report = Report(options.report, [*taken, *([options.plan] if options.plan else [])], screen)

    def one(client: Client, image: Path, target: Path) -> Made:
        graph = upscale_graph(request, client.upload(image), options.workflow, client.schema)
        for name, text in settings:
            set_value(graph, name, text, client.schema)
        result = client.run(graph, on_event=lambda event: screen.event(event, image.name), timeout=options.timeout)
        download_upscaled(client, result, target)
        return Made(result, [target], {"image": str(image), "file": str(target)})

    jobs = [(str(image), partial(one, image=image, target=target)) for image, target in targets]
    return run_each(jobs, options.server, report, screen)


def _request(options: argparse.Namespace) -> UpscaleRequest:
    names = {name for name in UpscaleRequest.__dataclass_fields__ if name not in ("plan", "loras")}
    given = {name: value for name, value in vars(options).items() if name in names}
    return UpscaleRequest(**given, plan=_plan_text(options.plan), loras=tuple(options.lora))


def _plan_text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        json.loads(text)
    except OSError as error:
        raise UsageError(f"cannot read the plan {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    return text


def _lora(text: str) -> tuple[str, float]:
    return name_and_strength(text, 1.0)
