"""Measures how often the features route is right, and how long it takes."""

import json
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from engine.networks.router_features import route_by_features
from engine.networks.routes import ROUTES

from ..record import commit, machine
from . import material

_FOLDER = Path(__file__).parent
_PICTURES = {material.DEVICON: 50, material.SIMPLE: 50, material.EMOJI: 100, material.LINES: 100}
_STRANGERS = {material.FLAT: 100, material.SKILL: 100}

# pack, condition, route (None: nothing to see there), confidence, seconds
Result = tuple[str, str, str | None, float, float]


def score() -> None:
    """Write results.json and RESULTS.md beside this file and print the table."""
    jobs = [
        (pack, name)
        for pack, count in (_PICTURES | _STRANGERS).items()
        for name in material.names(pack, count, test=pack in _PICTURES)
    ]
    with ProcessPoolExecutor() as pool:
        results = [result for part in pool.map(_routes, jobs, chunksize=20) for result in part]
    data = {"machine": machine(), "commit": commit(), "command": "python -m benchmarks.router"} | _figures(results)
    table = _table(data)
    (_FOLDER / "results.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8", newline="\n")
    (_FOLDER / "RESULTS.md").write_text(table, "utf-8", newline="\n")
    print(table)


def _routes(job: tuple[str, str]) -> list[Result]:
    pack, name = job
    found: list[Result] = []
    for condition in material.CONDITIONS:
        picture = material.picture(pack, name, condition)
        if picture is None:
            found.append((pack, str(condition), None, 0.0, 0.0))
            continue
        started = time.perf_counter()
        scores = route_by_features(*picture)
        seconds = time.perf_counter() - started
        route = max(ROUTES, key=scores.__getitem__)
        found.append((pack, str(condition), route, scores[route], seconds))
    return found


def _figures(results: list[Result]) -> dict[str, Any]:
    seen = [result for result in results if result[2] is not None]
    known = [result for result in seen if result[0] in _PICTURES]
    plain = (str(material.CLEAN), str(material.JPEG))
    halves = [[result for result in known if result[1] == condition] for condition in plain]
    return {
        # Of each pack every other icon clean and the rest as JPEG: 300 pictures of 300 icons.
        "three_hundred": _share(halves[0][::2] + halves[1][1::2]),
        "conditions": {
            str(condition): {
                pack: _share([r for r in seen if r[:2] == (pack, str(condition))]) for pack in _PICTURES | _STRANGERS
            }
            | {"all four": _share([r for r in known if r[1] == str(condition)])}
            for condition in material.CONDITIONS
        },
        "routes": {
            pack: {route: Counter(r[2] for r in seen if r[0] == pack)[route] for route in ROUTES}
            for pack in _PICTURES | _STRANGERS
        },
        "unseen_on_ground": sum(result[2] is None for result in results),
        "calibration": _calibration(known),
        "median_ms_512": round(1000 * float(np.median([r[4] for r in seen if r[1] in plain])), 1),
    }


def _share(results: list[Result]) -> dict[str, float]:
    truth = material.TRUTH | material.STRANGERS
    right = sum(truth[result[0]] == result[2] for result in results)
    return {"pictures": len(results), "right": right, "share": round(right / max(1, len(results)), 4)}


def _calibration(results: list[Result]) -> list[dict[str, float]]:
    """How often a confidence keeps its word."""
    bands = []
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.99), (0.99, 1.01)):
        band = [r for r in results if low <= r[3] < high]
        mean = float(np.mean([r[3] for r in band])) if band else 0.0
        bands.append(_share(band) | {"confidence": round(mean, 3)})
    return bands


def _table(data: dict[str, Any]) -> str:
    packs = list(_PICTURES | _STRANGERS)
    three = data["three_hundred"]
    lines = [
        "# The features route on icons it was not fitted on",
        "",
        f"`{data['command']}`; {data['machine']}; commit {data['commit']}.",
        f"Median time of a 512 px picture: {data['median_ms_512']} ms.",
        "",
        f"**{three['pictures']} pictures of as many icons, half clean, half JPEG q80: {three['share']:.1%} right.**",
        "",
        "Share right by condition. The last two packs were not seen in the fit at all; how they should be",
        "routed (flat-color-icons as illustration, skill-icons as logo) is our opinion.",
        "",
        "| condition | " + " | ".join(packs) + " | first four |",
        "|---|" + "---|" * (len(packs) + 1),
    ]
    for condition, row in data["conditions"].items():
        shares = [f"{row[key]['share']:.1%}" for key in [*packs, "all four"]]
        lines.append(f"| {condition} | " + " | ".join(shares) + " |")
    lines += [
        "",
        "Routes taken, all conditions together:",
        "",
        "| pack | " + " | ".join(ROUTES) + " |",
        "|---|---|---|---|",
    ]
    lines += [f"| {pack} | " + " | ".join(str(data["routes"][pack][r]) for r in ROUTES) + " |" for pack in packs]
    lines += [
        "",
        "Confidence against truth (first four packs):",
        "",
        "| mean confidence | right | pictures |",
        "|---|---|---|",
    ]
    lines += [
        f"| {b['confidence']:.2f} | {b['share']:.1%} | {b['pictures']} |" for b in data["calibration"] if b["pictures"]
    ]
    unseen = data["unseen_on_ground"]
    lines += ["", f"{unseen} pictures were left out: a dark drawing on a dark ground shows nothing.", ""]
    return "\n".join(lines)
