"""`python -m benchmarks.serving`: what a job costs beyond the time of its nodes, through the API and without it."""

import argparse
import json
import os
import tempfile
from pathlib import Path

from ..record import commit, machine
from . import measure, report

_FOLDER = Path(__file__).parent


def main() -> None:
    """Measure, print the table, write it and results.json beside this file; exit 1 when the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="posted at once")
    parser.add_argument("--clients", type=int, default=8, help="connections that post them")
    parser.add_argument("--single", type=int, default=200, help="jobs one after the other, each way in turn")
    parser.add_argument("--probing", type=float, default=30, help="seconds of probes among 100 clients")
    parser.add_argument("--dry", action="store_true", help="keep no record")
    options = parser.parse_args()
    bound = str(2 * options.jobs)
    os.environ |= {"VECTRAHUB_LIMITS__QUEUE": bound, "VECTRAHUB_LIMITS__PER_TOKEN": bound}
    with tempfile.TemporaryDirectory(prefix="vectrahub-bench-") as folder:
        case = measure.measure(Path(folder), options.jobs, options.clients, options.single, options.probing)
    flags = f"--jobs {options.jobs} --clients {options.clients} --single {options.single} --probing {options.probing:g}"
    data = {
        "machine": machine(),
        "commit": commit(),
        "command": f"python -m benchmarks.serving {flags}",
        "case": case,
    }
    table = report.text(data)
    print(table)
    if not options.dry:
        (_FOLDER / "results.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8", newline="\n")
        (_FOLDER / "RESULTS.md").write_text(table, "utf-8", newline="\n")
    if not report.reached(case):
        raise SystemExit("missed: the overhead of a job")


if __name__ == "__main__":
    main()
