"""`fleet`: the job API in front of several ComfyUI processes."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .screen import Screen


def add_command(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Add `fleet` to the parser."""
    command = commands.add_parser("fleet", parents=parents, help="serve jobs by several ComfyUI processes, on Ray")
    command.description = (
        "Serves the job API, and has the jobs run by replicas: each one ComfyUI process with a GPU of its own. Ends "
        "with Ctrl-C or SIGTERM, after the jobs that run; those that wait are taken up by the next start with the "
        "same --state. Needs Ray: pip install 'vectrahub[fleet]'."
    )
    command.add_argument("--replicas", type=int, default=1, metavar="N", help="ComfyUI processes (default 1)")
    command.add_argument("--most", type=int, metavar="N", help="as many when the queue is long (default: --replicas)")
    command.add_argument("--gpus", type=float, default=1.0, help="per replica, 0 = on the CPU (default 1)")
    command.add_argument("--cpus", type=float, default=1.0, help="of Ray's, per replica (default 1)")
    command.add_argument("--listen", default="127.0.0.1", metavar="IP", help="(default 127.0.0.1)")
    command.add_argument("--port", type=int, default=8190, help="(default 8190)")
    command.add_argument(
        "--state", type=Path, default=Path("vectrahub-fleet"), metavar="DIR", help="ledger, inputs and results"
    )
    command.add_argument("--config", type=Path, metavar="FILE.toml", help="settings (default $VECTRAHUB_CONFIG)")
    command.add_argument("--secrets", type=Path, metavar="FILE.toml", help="secrets, else of the environment")
    command.add_argument("--grace", type=float, default=600.0, metavar="SECONDS", help="for running jobs at the end")
    command.add_argument(
        "--address", metavar="RAY", help='a Ray that runs: "auto" or HOST:PORT (default: one of its own)'
    )
    command.add_argument("--detach", action="store_true", help="with --address: leave it running")
    command.add_argument("--stop", action="store_true", help="end a detached fleet of --address")
    command.set_defaults(call=call)


def call(options: argparse.Namespace, screen: Screen) -> int:
    """Run until a signal; 0, or a ClientError."""
    try:
        from ..fleet import launch
        from ..fleet.options import FleetOptions
        from ..service.settings import CONFIG_ENV, load_settings
    except ImportError as error:
        raise UsageError(f"a fleet needs more than the client: pip install 'vectrahub[fleet]': {error}") from error
    if options.stop:
        if not options.address:
            raise UsageError("--stop wants --address")
        fleet = launch.find(options.address, options.grace)
        return _end(fleet, screen)
    named = options.config or os.environ.get(CONFIG_ENV)
    for file in (named, options.secrets):
        if file and not Path(file).is_file():
            raise UsageError(f"there is no file {file}")
    settings = load_settings(Path(named) if named else None, options.secrets)
    wanted = FleetOptions(
        state=options.state.resolve(),
        replicas=options.replicas,
        most=options.most,
        gpus=options.gpus,
        cpus=options.cpus,
        host=options.listen,
        port=options.port,
        grace=options.grace,
    )
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    fleet = launch.start(wanted, settings, address=options.address, detach=options.detach, say=screen.say)
    for number, handler in signals.items():
        signal.signal(number, handler)  # Ray's own would abort this process 3 s after SIGTERM
    screen.result(f"the fleet answers at {fleet.url}", url=fleet.url)
    if options.detach:
        return 0
    try:
        threading.Event().wait()
    except (KeyboardInterrupt, SystemExit):
        screen.say("no more jobs are taken; those that run may end")
        return _end(fleet, screen)
    return 0


def _end(fleet: Any, screen: Screen) -> int:
    left = fleet.stop()
    screen.result(f"the fleet has ended; {left} jobs are left for the next start", left=left)
    return 0
