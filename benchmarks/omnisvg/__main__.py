"""`python -m benchmarks.omnisvg [--gpu]`: drawings against `generate` of transformers, tokens per second."""

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engine.networks.omnisvg.generate import FEWEST_TOKENS, MOST_TOKENS

from ..record import commit, machine
from . import cpu, gpu, report
from .models import EIGHT, FOUR, SMALL, TINY

_FOLDER = Path(__file__).parent
_CPU_SIZES = {size.name: size for size in (TINY, SMALL)}
_GPU_SIZES = {size.name: size for size in (EIGHT, FOUR)}


def main() -> None:
    """Measure, print the table, write results.json and RESULTS.md beside this file; exit 1 when a target is missed."""
    options = _options()
    torch.set_num_threads(options.threads or torch.get_num_threads())
    if options.tiny:
        case = gpu.measure(TINY, _device(), options.tokens, options.repeats)
        print(json.dumps(case, indent=1))
        return
    name, part, missed = _gpu(options) if options.gpu else _cpu(options)
    path = _FOLDER / "results.json"
    data = json.loads(path.read_text("utf-8")) if path.exists() else {}
    data[name] = part
    table = report.text(data)
    path.write_text(json.dumps(data, indent=1) + "\n", "utf-8", newline="\n")
    (_FOLDER / "RESULTS.md").write_text(table, "utf-8", newline="\n")
    print(table)
    if missed:
        raise SystemExit("missed: " + ", ".join(missed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.omnisvg", description=__doc__)
    parser.add_argument("--gpu", action="store_true", help="the full sizes on a GPU instead of a tiny one on the CPU")
    parser.add_argument(
        "--tiny", action="store_true", help="try the GPU part with a tiny model on any device; no record"
    )
    parser.add_argument("--sizes", nargs="+", choices=[*_CPU_SIZES, *_GPU_SIZES], help="tiny small; with --gpu 8B 4B")
    parser.add_argument("--tokens", type=int, help=f"of each drawing, {FEWEST_TOKENS + 1} to {MOST_TOKENS}")
    parser.add_argument("--repeats", type=int, help="rounds")
    parser.add_argument("--threads", type=int, help="of the CPU; 1 is the steadiest on a machine with other work")
    options = parser.parse_args()
    large = options.gpu and not options.tiny
    known = _GPU_SIZES if large else _CPU_SIZES
    options.sizes = options.sizes or (list(known) if large else ["tiny"])
    options.tokens, options.repeats = options.tokens or (1024 if large else 128), options.repeats or (3 if large else 5)
    if foreign := [size for size in options.sizes if size not in known]:
        parser.error(f"sizes here: {', '.join(known)}, not {', '.join(foreign)}")
    if not FEWEST_TOKENS < options.tokens <= MOST_TOKENS:
        parser.error(f"--tokens is {FEWEST_TOKENS + 1} to {MOST_TOKENS}, not {options.tokens}")
    if large and not torch.cuda.is_available():
        parser.error("no GPU here; --tiny tries the same code on the CPU")
    return options


def _cpu(options: argparse.Namespace) -> tuple[str, dict[str, Any], list[str]]:
    cases = [cpu.measure(_CPU_SIZES[size], options.tokens, options.repeats) for size in options.sizes]
    missed = [] if cpu.reached(cases[0]) else [cases[0]["size"]]
    return "cpu", _record(options, machine()) | {"cases": cases}, missed


def _gpu(options: argparse.Namespace) -> tuple[str, dict[str, Any], list[str]]:
    cases = []
    for size in options.sizes:
        cases.append(gpu.measure(_GPU_SIZES[size], _device(), options.tokens, options.repeats))
        torch.cuda.empty_cache()
    missed = [case["size"] for case in cases if not gpu.reached(case)]
    return "gpu", _record(options, f"{torch.cuda.get_device_name()}, {machine()}") | {"cases": cases}, missed


def _record(options: argparse.Namespace, where: str) -> dict[str, Any]:
    sizes = " ".join(options.sizes)
    flags = f"{'--gpu ' if options.gpu else ''}--sizes {sizes} --tokens {options.tokens} --repeats {options.repeats}"
    flags += f" --threads {options.threads}" if options.threads else ""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    return {
        "machine": f"{where}, {libraries}",
        "commit": commit(),
        "command": f"python -m benchmarks.omnisvg {flags}",
    }


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()
