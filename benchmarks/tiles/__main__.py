"""`python -m benchmarks.tiles [--gpu]`: split and blend an image, or refine its tiles, against the host's own nodes."""

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ..record import commit, machine
from . import cpu, refine, report

_FOLDER = Path(__file__).parent
_BATCHES = [1, 2, 4, 8]


def main() -> None:
    """Measure, print the table, write it and results.json beside this file; exit 1 when the target is missed."""
    options = _options()
    torch.set_num_threads(options.threads)
    size = options.side, options.tile, options.overlap
    if options.peak:
        print(cpu.peak(options.peak, *size))
        return
    if options.tiny:
        print(json.dumps(refine.measure(refine.TINY, _BATCHES, 1), indent=1))
        return
    if options.gpu:
        _gpu(options)
        return
    case = cpu.measure(*size, options.repeats, options.threads)
    flags = " ".join(
        f"--{name} {value}"
        for name, value in vars(options).items()
        if name not in ("peak", "dry", "gpu", "tiny") and value
    )
    part = {
        "machine": f"{machine()}, torch {version('torch')}",
        "commit": commit(),
        "command": f"python -m benchmarks.tiles {flags}",
        "case": case,
    }
    _record("cpu", part, options.dry)
    if not cpu.reached(case):
        raise SystemExit("missed: split and blend")


def _gpu(options: argparse.Namespace) -> None:
    if not torch.cuda.is_available():
        raise SystemExit("no GPU here; --tiny tries the same code on the CPU")
    rounds = min(options.repeats, 3)
    part = {
        "machine": f"{machine()}, torch {version('torch')}",
        "commit": commit(),
        "command": "python -m benchmarks.tiles --gpu",
        "case": refine.measure(refine.FULL, _BATCHES, rounds),
    }
    _record("gpu", part, options.dry)
    if not refine.reached(part["case"]):
        raise SystemExit("missed: refining")


def _record(name: str, part: dict[str, Any], dry: bool) -> None:
    """Put the part beside the one that was measured before, print the whole and keep it unless `dry`."""
    path = _FOLDER / "results.json"
    data = json.loads(path.read_text("utf-8")) if path.exists() else {}
    data[name] = part
    table = report.text(data)
    print(table)
    if not dry:
        path.write_text(json.dumps(data, indent=1) + "\n", "utf-8", newline="\n")
        (_FOLDER / "RESULTS.md").write_text(table, "utf-8", newline="\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiles", description=__doc__)
    parser.add_argument("--gpu", action="store_true", help="tiles per second of Tile Refine with full-size SDXL")
    parser.add_argument("--tiny", action="store_true", help="try the GPU part with tiny networks; no record")
    parser.add_argument("--side", type=int, default=8192, help="of the square image, px")
    parser.add_argument("--tile", type=int, default=1024, help="px")
    parser.add_argument("--overlap", type=int, default=128, help="px")
    parser.add_argument("--repeats", type=int, default=7, help="rounds")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--dry", action="store_true", help="print only; no record")
    parser.add_argument("--peak", choices=[cpu.OURS, cpu.CORE], help="only the peak memory of one, in bytes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
