"""RESULTS.md from the figures of both parts."""

from typing import Any

from . import cpu, gpu
from .writers import PLAIN

_RATIOS = ("ours_is_times", "ours_is_times_by_processor_time")


def text(data: dict[str, Any]) -> str:
    """`data`: what results.json holds; a part that was never measured is absent and said so."""
    lines = [
        "# Writing drawings: tokens per second",
        "",
        "Random weights that never end a drawing: every writer goes on to the limit. Settings of the image task",
        "(temperature 0.3, top-p 0.9, top-k 50, repetition penalty 1.05), one picture of 256 tokens in the prompt.",
        "Tokens per second are those of all K drawings, over the whole time, the reading of the prompt included.",
        "The peers are `generate` of transformers on the same weights with all 197,000 words in the head.",
        "",
    ]
    lines += _cpu(data["cpu"]) if "cpu" in data else ["## CPU", "", "Unmeasured.", ""]
    if "gpu" in data:
        lines += _gpu(data["gpu"])
    else:
        targets = " and ".join(f"{least:.0f} tokens/s for K = {k}" for k, least in gpu.TARGETS.items())
        lines += ["## GPU, full size", "", "Unmeasured: no GPU was at hand. `python -m benchmarks.omnisvg --gpu`", ""]
        lines += [f"Targets on an H100 with the 8B: at least {targets} in total.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _heading(title: str, part: dict[str, Any]) -> list[str]:
    return [f"## {title}", "", f"`{part['command']}`; {part['machine']}; commit {part['commit']}.", ""]


def _cpu(part: dict[str, Any]) -> list[str]:
    lines = _heading("CPU", part)
    for case in part["cases"]:
        rows, words = case["head_rows"]
        lines += [
            f"### {case['size']}: hidden {case['hidden']}, {case['layers']} layers, {case['dtype']}",
            "",
            f"Prompt {case['prompt']} tokens, {case['tokens']} written, {case['repeats']} rounds in which the writers "
            f"take turns, threads: {case['threads']};",
            f"load of the machine at the end {case['load'][0]} (1 min), {case['load'][2]} (15 min). Medians (least to "
            f"most). Our head: {rows:,} of {words:,} rows.",
            "",
            "| K | writer | tokens/s | ours is | by processor time |",
            "|---|---|---|---|---|",
        ]
        for streams, row in case["speed"].items():
            lines += [
                f"| {streams} | {name} | {_spread(figures['tokens_per_second'], 1)} | "
                + (" | |" if name == "ours" else " | ".join(f"{_spread(figures[key], 2)} x" for key in _RATIOS) + " |")
                for name, figures in row.items()
            ]
        lines += [
            "",
            "One step of ours:",
            "",
            "| K | ms | layers | head | sampling and grammar |",
            "|---|---|---|---|---|",
        ]
        for streams, spent in case["step"].items():
            total = sum(spent.values())
            shares = " | ".join(f"{value / total:.0%}" for value in spent.values())
            lines.append(f"| {streams} | {total:.2f} | {shares} |")
        lines.append("")
    tiny = part["cases"][0]
    ratios = ", ".join(f"{row[PLAIN]['ours_is_times']['median']:.2f} x (K = {k})" for k, row in tiny["speed"].items())
    verdict = "met" if cpu.reached(tiny) else "missed"
    return [
        *lines,
        f"**Target on the {tiny['size']} model, {cpu.TARGET:.0f} x plain `generate`: {verdict}**, {ratios}.",
        "",
    ]


def _gpu(part: dict[str, Any]) -> list[str]:
    lines = _heading("GPU, full size", part)
    for case in part["cases"]:
        peer = case["transformers"]
        lines += [
            f"### {case['size']}, {case['dtype']}",
            "",
            f"Prompt {case['prompt']} tokens, {case['tokens']} written, medians of {case['repeats']}. A step reads "
            f"{case['weight_bytes_of_a_step'] / 1e9:.2f} GB of weights;",
            f"a copy inside the memory runs at {case['bytes_per_second'] / 1e12:.2f} TB/s. Limit = K x that / bytes of "
            "a step (weights and cache).",
            f"Plain `generate`, K = 1: {peer['tokens_per_second']} tokens/s ({peer['least']} to {peer['most']}).",
            "",
            "| K | tokens/s (least to most) | without prompt and capture | limit | ms a step | prefill ms "
            "| capture and set-up ms | peak GB | asked for GB |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {k} | {row['tokens_per_second']} ({row['least']} to {row['most']}) | {row['steady_tokens_per_second']} "
            f"| {row['limit']} | {row['step_ms']} | {row['prefill_ms']} | {row['capture_ms']} "
            f"| {row['peak_bytes'] / 1e9:.2f} | {row['working_bytes'] / 1e9:.2f} |"
            for k, row in case["ours"].items()
        ]
        lines.append("")
        if case["size"] == "8B":
            targets = " and ".join(f"{least:.0f} for K = {k}" for k, least in gpu.TARGETS.items())
            lines += [f"**Targets, {targets}: {'met' if gpu.reached(case) else 'missed'}.**", ""]
    return lines


def _spread(values: dict[str, float], digits: int) -> str:
    return f"{values['median']:.{digits}f} ({values['least']:.{digits}f} to {values['most']:.{digits}f})"
