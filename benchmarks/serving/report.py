"""The table of a measurement."""

from typing import Any

from . import probes

TARGET_MS = 30.0


def reached(case: dict[str, Any]) -> bool:
    """Whether a job costs less than the target beyond its nodes, alone (median) and among many (mean), and probes
    answer within theirs (99 of 100).
    """
    jobs = case["many"]["over_ms"] < TARGET_MS and case["single"]["POST ?wait"]["median_ms"] < TARGET_MS
    return jobs and case["probes"]["p99_ms"] < probes.TARGET_MS


def text(data: dict[str, Any]) -> str:
    """Markdown."""
    case = data["case"]
    many = case["many"]
    rows = [
        f"| {name} | {one['median_ms']:.1f} | {one['p95_ms']:.1f} | {one['nodes_ms']:.1f} |"
        for name, one in case["single"].items()
    ]
    verdict = "met" if reached(case) else "missed"
    return "\n".join(
        [
            "# Serving",
            "",
            f"`{data['command']}`; {data['machine']}; commit {data['commit']}.",
            "",
            "Each job makes a picture of 16 px and saves it. The client, the server and the nodes share the machine;"
            f" load at the end {case['load'][0]} (1 min).",
            "",
            "## One after the other, in turns",
            "",
            "Without the API the time of the nodes is that of the run in ComfyUI's history.",
            "",
            "| | beyond the nodes, median ms | p95 ms | nodes, mean ms |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Many at once, through the API",
            "",
            f"{many['jobs']} jobs posted by {many['clients']} connections: all accepted, and so in the ledger, after"
            f" {many['accepted_after_s']} s, all done after {many['seconds']} s ({many['jobs_per_s']} per second), of"
            f" which {many['node_seconds']} s are nodes: **{many['over_ms']:.1f} ms per job beyond them**.",
            "",
            "## Probes among a hundred clients",
            "",
            f"{case['probes']['probes']} probes (/health, /ready) while nodes vectorized without a pause and"
            f" {case['probes']['clients']} clients posted pictures of a megapixel and looked once a second (answers:"
            f" {case['probes']['answers']}): median {case['probes']['p50_ms']} ms, 99 of 100 within"
            f" {case['probes']['p99_ms']} ms, the slowest {case['probes']['max_ms']} ms.",
            "",
            f"**Target, less than {TARGET_MS:.0f} ms per job beyond the nodes, 99 of 100 probes within"
            f" {probes.TARGET_MS:.0f} ms: {verdict}.**",
            "",
        ]
    )
