"""Parsing, exit codes and signals."""

from __future__ import annotations

import argparse
import io
import math
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from ..errors import ClientError
from . import doctor, fleet, logo, run, tryon, upscale, vectorize, vehicle, warmup
from .screen import Screen

INTERRUPTED = 130

_EPILOG = """exit codes: 0 done; 1 the job failed (the node and the reason are named); 2 bad usage, or the server
refused the workflow; 3 no server, or it went away; 130 Ctrl-C, after the job was cancelled on the server.
Without --server: $COMFYUI_URL, else a ComfyUI on 127.0.0.1:8188 that has the pack, else the private host that
`install.py host` prepared ($VECTRAHUB_HOST names another host.json), started for this command and stopped after it."""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; each command sets `call` to its function of (options, screen)."""
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="progress and results as JSON lines on stdout")
    shared = argparse.ArgumentParser(add_help=False, parents=[as_json])
    shared.add_argument("--server", metavar="URL", help="the ComfyUI to use")
    jobs = argparse.ArgumentParser(add_help=False)
    jobs.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="cancel a job that takes longer")
    parser = argparse.ArgumentParser(
        prog="vectrahub_client", description="Runs ComfyUI workflows without a browser.", epilog=_EPILOG
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (run, vectorize, upscale, logo, tryon, vehicle, warmup):
        module.add_command(commands, [shared, jobs])
    doctor.add_command(commands, [shared])
    fleet.add_command(commands, [as_json])
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. argparse itself leaves with 2 on bad usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may not fit the terminal's encoding
    options = build_parser().parse_args(arguments)
    for name in ("SIGTERM", "SIGHUP"):  # the second is not known to Windows
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)
    with Screen(options.json) as screen:
        try:
            return options.call(options, screen)
        except ClientError as error:
            screen.error(error)
            return error.exit_code
        except KeyboardInterrupt:
            screen.error(_Interrupted("interrupted; nothing was left running"))
            return INTERRUPTED


class _Interrupted(ClientError):
    exit_code = INTERRUPTED
    kind = "interrupted"


def _end(number: int, _frame: FrameType | None) -> None:
    # As an exception it runs every `finally`: the job is cancelled and the private host stopped.
    sys.exit(128 + number)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
