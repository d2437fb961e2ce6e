"""`python -m benchmarks.vector [--icons N] [--workers N]`: our pipeline against plain tracers."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ..record import commit, machine
from .material import PACKS, SETS, choose
from .score import Failure, Score, averages, measure

_FOLDER = Path(__file__).parent
_PEER = "vtracer"
# Where the pipeline must be: multiples of plain VTracer, all three sets together.
_TARGETS = {"mean_de": 0.5, "share_over_5": 0.6, "segments": 0.6, "bytes": 0.35}


def main() -> None:
    """Measure, print the table, write results.json and RESULTS.md beside this file; exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vector", description=__doc__)
    parser.add_argument("--icons", type=int, default=24, help="per pack; 24 of 5 packs make 120")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    scores, failures = measure(list(choose(options.icons)), options.workers)
    command = f"python -m benchmarks.vector --icons {options.icons} --workers {options.workers}"
    table = _table(scores, failures, command)
    data = {"machine": machine(), "commit": commit(), "command": command, "failures": failures}
    rows = [asdict(score) for score in scores]
    data["columns"] = list(rows[0])
    data["scores"] = [[_short(value) for value in row.values()] for row in rows]
    text = json.dumps(data, indent=None, separators=(",", ":")).replace("],[", "],\n[")
    (_FOLDER / "results.json").write_text(text + "\n", "utf-8", newline="\n")
    (_FOLDER / "RESULTS.md").write_text(table, "utf-8", newline="\n")
    print(table)
    missed = [name for name, (ratio, target) in _ratios(scores).items() if ratio > target]
    if missed or any(tracer.startswith("pipeline") for tracer, *_ in failures):
        raise SystemExit(f"missed: {', '.join(missed) or 'some pictures failed'}")


def _table(scores: list[Score], failures: list[Failure], command: str) -> str:
    tracers = list(dict.fromkeys(score.tracer for score in scores))
    icons = len({(score.pack, score.icon) for score in scores})
    lines = [
        "# Vector bench",
        "",
        f"{icons} icons of {', '.join(PACKS)}, each as {', '.join(SETS)}, against the drawing at 1024 px on white.",
        "Segments, shapes and bytes are multiples of the drawing's own; seconds are medians.",
        "",
        f"Command: `{command}`. Machine: {machine()}. Commit: {commit()}.",
        "",
    ]
    for title, kinds in (("All sets together", SETS), *((kind, (kind,)) for kind in SETS)):
        lines += [f"## {title}", "", "| tracer | mean dE2000 | dE > 5 | SSIM | segments | shapes | bytes | s |"]
        lines.append("|---|---|---|---|---|---|---|---|")
        for tracer in tracers:
            mean = averages(score for score in scores if score.tracer == tracer and score.kind in kinds)
            lines.append(
                f"| {tracer} | {mean['mean_de']:.3f} | {mean['share_over_5']:.2%} | {mean['ssim']:.4f} "
                f"| {mean['segments']:.2f} | {mean['shapes']:.2f} | {mean['bytes']:.2f} | {mean['seconds']:.2f} |"
            )
        lines.append("")
    lines += [
        "## The 12 MP pipeline as a multiple of plain VTracer",
        "",
        "| figure | ratio | at most |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {ratio:.3f} | {target} |" for name, (ratio, target) in _ratios(scores).items()]
    lines += ["", f"## Failures: {len(failures)}", ""]
    lines += [f"- {tracer}, {kind}, {icon}: {reason}" for tracer, kind, icon, reason in failures]
    return "\n".join(lines).rstrip() + "\n"


def _ratios(scores: list[Score]) -> dict[str, tuple[float, float]]:
    own = averages(score for score in scores if score.tracer == "pipeline 12 MP")
    peer = averages(score for score in scores if score.tracer == _PEER)
    return {name: (own[name] / peer[name], target) for name, target in _TARGETS.items()}


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
