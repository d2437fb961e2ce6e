"""`python -m demo [--out DIR] [--draft] [--server URL]`: pictures in, SVGs and a contact sheet out."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from vectrahub_client import Client, ClientError, PrivateHost, connect, load_config

from .samples import draw_samples
from .screen import Screen, table
from .work import vectorize

INTERRUPTED = 130
_WIDTH = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Returns 0, 1 when a picture failed, 3 without a host, 130 on Ctrl-C."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the host is stopped
    # Without a terminal rich assumes 80 columns, in which the table does not fit.
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    try:
        return _run(options, console)
    except ClientError as error:
        console.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("interrupted; nothing was left running", highlight=False)
        return INTERRUPTED


def _run(options: argparse.Namespace, console: Console) -> int:
    from .sheet import before_after, contact_sheet  # its libraries load while nobody waits for the host yet

    started = time.monotonic()
    out: Path = options.out
    samples = draw_samples(out / "input", options.draft)
    with Screen(console, len(samples)) as screen:
        screen.say("starting ComfyUI" if options.server is None else f"using the ComfyUI at {options.server}")
        with _client(options.server) as client:
            outcomes = []
            for sample in samples:
                screen.begin(sample)
                outcomes.append(vectorize(client, sample, out, screen.event))
                screen.end(outcomes[-1])
    console.print(table(outcomes))
    sheet = contact_sheet(outcomes, out / "contact_sheet.png")
    before_after(outcomes, out / "before_after.png")
    drawn = sum(outcome.svg is not None for outcome in outcomes)
    console.print(f"{drawn} drawings in {out}, side by side in {sheet}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{time.monotonic() - started:.0f} s in all", highlight=False)
    failed = [outcome for outcome in outcomes if outcome.problem]
    for outcome in failed:
        console.print(
            f"failed: {outcome.sample.title}: {outcome.problem}", markup=False, highlight=False, soft_wrap=True
        )
    return 1 if failed else 0


@contextmanager
def _client(server: str | None) -> Iterator[Client]:
    if server is not None:
        with connect(server) as client:
            yield client
        return
    with PrivateHost(load_config()) as host, Client(host.url, host_ended=host.why_ended) as client:
        yield client


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo", description="Vectorizes three sample pictures, each as PNG, JPEG and small PNG, in ComfyUI."
    )
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the results go (out)")
    parser.add_argument("--draft", action="store_true", help="trace all at 3 megapixels: faster")
    parser.add_argument("--server", metavar="URL", help="a running ComfyUI with the pack, instead of the private one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
