"""`warmup`: load the models of a workflow before somebody waits for them."""

from __future__ import annotations

import argparse
from typing import Any

from .._discover import connect
from .._events import Event
from .._workflow import read_workflow, split_assignment
from ..client import Client
from ..errors import ClientError, ServerError, UsageError
from ..warmup import PREVIEW, SYSTEMS, warmup_graph, warmup_workflow
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `warmup` to the parser."""
    command = commands.add_parser("warmup", parents=parents, help="load the models of workflows into memory")
    command.description = (
        "Runs each workflow once with small inputs of its own making, so that its models are loaded. No result is "
        "saved; one small picture, always the same, stays in the server's input folder. Only pictures and SVGs are "
        "replaced: another file that the workflow names must be on the server. A ControlNet whose file the server "
        "lacks is left out where the workflow can do without. "
        "A server keeps what its latest job loaded, so name last what will be asked for first (ComfyUI's option "
        "--cache-lru 100 keeps more). A workflow that fails does not stop the others; the exit code is then that of "
        "the first failure."
    )
    command.add_argument(
        "workflows", nargs="+", metavar="WORKFLOW", help=f"{', '.join(SYSTEMS)}, a shipped workflow or FILE.json"
    )
    command.add_argument(
        *("--set", "-s"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help='of one workflow, what decides which files are loaded: "Try on.mode=lora", "Checkpoint.ckpt_name=FILE"',
    )
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Warm up all; 0, the exit code of the first that failed, or a ClientError."""
    settings = [split_assignment(text, "--set") for text in options.set]
    if settings and len(options.workflows) > 1:
        raise UsageError("with --set name one workflow at a time")
    for workflow in options.workflows:
        read_workflow(warmup_workflow(workflow))  # a wrong one is known before a server is started
    code = 0
    with connect(options.server, say=screen.say) as client:
        for workflow in options.workflows:
            try:
                _one(client, workflow, settings, options.timeout, screen)
            except ServerError:
                raise
            except ClientError as error:
                screen.error(error, workflow)
                code = code or error.exit_code
    return code


def _one(client: Client, workflow: str, settings: list[tuple[str, str]], timeout: float | None, screen: Screen) -> None:
    ran: dict[str, None] = {}

    def hear(event: Event) -> None:
        if event.kind in ("node", "progress") and event.node_id and event.node_type != PREVIEW:
            ran[event.title or event.node_type or event.node_id] = None
        screen.event(event, workflow)

    graph, without = warmup_graph(client, workflow, settings)
    result = client.run(graph, on_event=hear, timeout=timeout)
    seconds = round(result.seconds, 3)
    text = f"{workflow}: {seconds:.1f} s; ran {', '.join(ran) or 'nothing: all of it was there'}"
    text += f"; without {', '.join(without)}, which the server lacks" if without else ""
    screen.result(text, workflow=workflow, seconds=seconds, ran=list(ran), without=without, reports=result.reports)
