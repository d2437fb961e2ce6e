"""`doctor`: what is there, what is missing, what it costs and how to get it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from .._catalogue import size_text
from .._discover import connect
from ..doctor import examine
from .screen import Screen

NOT_USABLE = 3


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `doctor` to the parser."""
    command = commands.add_parser("doctor", parents=parents, help="what the server has and lacks")
    command.description = (
        "Shows the server, its versions, memory and GPU, the pack's nodes and the weights of models.toml. "
        "Exit code 0 when the shipped workflows can run, 3 when there is no server or it lacks their nodes."
    )
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Examine the server; 0 or 3."""
    with connect(options.server, say=screen.say) as client:
        report = examine(client)
    screen.data("doctor", report, as_text(report))
    return 0 if report["usable"] else NOT_USABLE


def as_text(report: Mapping[str, Any]) -> str:
    """The report for a person."""
    server = report["server"]
    lines = [
        f"server   {server['url']}",
        f"versions ComfyUI {server['comfyui']}, Python {server['python']}, PyTorch {server['pytorch']}",
        f"memory   {size_text(server['ram_free'])} free of {size_text(server['ram_total'])}",
    ]
    for device in report["devices"]:
        lines.append(
            f"device   {device['name']}: {size_text(device['vram_free'])} free of {size_text(device['vram_total'])}"
        )
    lines.append(f"nodes    {len(report['nodes'])} of this pack: {', '.join(report['nodes']) or 'none'}")
    if report["missing_nodes"]:
        lines.append(f"missing  {', '.join(report['missing_nodes'])}")
    for weight in report["weights"]:
        state = "present" if weight["present"] else f"absent ({size_text(weight['size'])}, {weight['licence']})"
        lines.append(f"weights  {weight['key']}: {state}; {weight['purpose']}")
    lines += [f"note     {advice}" for advice in report["advice"]]
    lines.append("ready" if report["usable"] else "not ready")
    return "\n".join(lines)
