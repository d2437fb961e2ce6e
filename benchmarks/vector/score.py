"""Measures every tracer on every picture against the drawing that the picture was rendered from."""

import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

from engine.svg.measure import complexity, likeness
from engine.svg.render import render

from ..icons import on_ground
from .material import SETS, Icon, picture, truth
from .tracers import present


@dataclass(frozen=True)
class Score:
    """One tracer on one picture. share_over_5 in 0..1; segments, shapes and bytes as multiples of the drawing's."""

    tracer: str
    kind: str
    pack: str
    icon: str
    mean_de: float
    share_over_5: float
    ssim: float
    segments: float
    shapes: float
    bytes: float
    seconds: float


Failure = tuple[str, str, str, str]  # tracer, kind of picture, icon, reason


def measure(icons: Iterable[Icon], workers: int) -> tuple[list[Score], list[Failure]]:
    """All scores, and what failed and why."""
    scores: list[Score] = []
    failures: list[Failure] = []
    with ProcessPoolExecutor(workers) as pool:
        for number, (found, failed) in enumerate(pool.map(_measure_icon, icons), 1):
            scores += found
            failures += failed
            print(f"\r{number} icons", end="", flush=True)
    print()
    return scores, failures


def _measure_icon(icon: Icon) -> tuple[list[Score], list[Failure]]:
    scores: list[Score] = []
    failures: list[Failure] = []
    goal, cost = truth(icon), complexity(icon.svg.encode())
    height, width = goal.shape[:2]
    for kind in SETS:
        rgb = picture(icon, kind)
        for name, tracer in present().items():
            started = time.perf_counter()
            try:
                svg = tracer(rgb)
                seconds = time.perf_counter() - started
                seen = on_ground(render(svg, width, height))
            except Exception as error:  # noqa: BLE001  (any failure of any tracer is a row of the result)
                failures.append((name, kind, f"{icon.pack}/{icon.name}", f"{type(error).__name__}: {error}"))
                continue
            like, own = likeness(goal, seen), complexity(svg)
            ratios = own.segments / max(cost.segments, 1), own.shapes / max(cost.shapes, 1), len(svg) / len(icon.svg)
            figures = like.mean_de, like.share_over_5, like.ssim, *ratios, seconds
            scores.append(Score(name, kind, icon.pack, icon.name, *(float(figure) for figure in figures)))
    return scores, failures


def averages(scores: Iterable[Score]) -> dict[str, float]:
    """Means of every figure; seconds as the median."""
    rows = [asdict(score) for score in scores]
    names = ("mean_de", "share_over_5", "ssim", "segments", "shapes", "bytes")
    figures = {name: float(np.mean([row[name] for row in rows])) for name in names}
    return {**figures, "seconds": float(np.median([row["seconds"] for row in rows]))}
