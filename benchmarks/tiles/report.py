"""RESULTS.md from the figures of both parts."""

from typing import Any

from . import cpu, refine


def text(data: dict[str, Any]) -> str:
    """`data`: what results.json holds; a part that was never measured is absent and said so."""
    lines = ["# Tiles", ""]
    lines += _cpu(data["cpu"]) if "cpu" in data else ["## Split and blend", "", "Unmeasured.", ""]
    lines += refine.lines(data.get("gpu"))
    return "\n".join(lines).rstrip() + "\n"


def _cpu(part: dict[str, Any]) -> list[str]:
    case = part["case"]
    seconds, peaks, errors = case["seconds"], case["peak_bytes"], case["error"]
    processor = case["processor_seconds"]
    lines = [
        "## Split and blend",
        "",
        f"`{part['command']}`; {part['machine']}; commit {part['commit']}.",
        "",
        f"A random {case['side']} x {case['side']} float32 image, tile {case['tile']}, overlap {case['overlap']}, "
        "under inference_mode. Core is SplitImageToTileList and",
        "ImageMergeTileList, which mix sRGB values as stored; ours mixes in linear light.",
        f"{case['repeats']} rounds in which both take turns after one that is not counted, threads: {case['threads']}; "
        f"load of the machine at the end {case['load'][0]} (1 min), {case['load'][2]} (15 min).",
        "Medians (least to most). Peak: by how much resident memory grows at most in a fresh process, the result of "
        f"{case['output_bytes'] / 1e6:.0f} MB included.",
        "",
        "| | seconds | of the processor | peak MB | x the result | largest error |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {_words(seconds[name])} | {_words(processor[name])} | {peaks[name] / 1e6:.0f} "
        f"| {peaks[name] / case['output_bytes']:.2f} | {errors[name]:.1e} |"
        for name in (cpu.OURS, cpu.CORE)
    ]
    verdict = "met" if cpu.reached(case) else "missed"
    return [
        *lines,
        "",
        f"**Target, {cpu.FASTER:g} x as fast with less peak memory: {verdict}**, {_words(case['ours_is_times'])} x; "
        f"by processor time {_words(case['ours_is_times_by_processor_time'])} x.",
        "",
    ]


def _words(values: dict[str, float]) -> str:
    return f"{values['median']:.2f} ({values['least']:.2f} to {values['most']:.2f})"
