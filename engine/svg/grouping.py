"""Painting order: all shapes of a colour together, where no overlap forbids it."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from .coverage import Grid
from .flatten import Painted

MAX_SHAPES = 3000  # above it only neighbours are grouped: every pair has to be compared


def color_of(item: Painted) -> str:
    """What a shape is filed under: its layer, or the colour of its fill, of its line, or 'gradients'."""
    if item.layer:
        return item.layer
    fill, stroke = item.get("fill"), item.get("stroke", "none")
    paint, kind = (stroke, "line") if fill == "none" else (fill, "color")
    return "gradients" if paint.startswith("url") else f"{kind}-{paint.lstrip('#').lower()}"


def grouped(items: Sequence[Painted], grid: Grid) -> list[tuple[str, list[Painted]]]:
    """(colour, shapes) from bottom to top, in an order that draws the same picture.

    Two shapes keep their order when their cells of the grid meet and their paints differ. Among the colours
    that can be drawn next, the one that leaves the fewest of its shapes for later comes first, then the one
    that stood lowest: grouping a grouped drawing changes nothing.
    """
    colors = [color_of(item) for item in items]
    runs = [
        (color, [item for _, item in run]) for color, run in groupby(zip(colors, items, strict=True), lambda p: p[0])
    ]
    if len(runs) == len(set(colors)) or len(items) > MAX_SHAPES:
        return runs
    below = _below(items, grid)
    waiting = dict.fromkeys(range(len(items)))
    done: set[int] = set()
    out: list[tuple[str, list[Painted]]] = []
    while waiting:
        free: dict[str, list[int]] = {}
        left: dict[str, int] = {}
        for index in waiting:
            left[colors[index]] = left.get(colors[index], 0) + 1
            if below[index] <= done:
                free.setdefault(colors[index], []).append(index)
        best = min(free, key=lambda color: (left[color] - len(free[color]), free[color][0]))
        chosen = free[best]
        # A shape of the colour may wait for nothing but another of the colour with another paint.
        for index in waiting:
            if colors[index] == best and index not in chosen and below[index] <= done | set(chosen):
                chosen.append(index)
        done.update(chosen)
        for index in chosen:
            del waiting[index]
        if out and out[-1][0] == best:
            out[-1][1].extend(items[index] for index in chosen)
        else:
            out.append((best, [items[index] for index in chosen]))
    return out


def _below(items: Sequence[Painted], grid: Grid) -> list[set[int]]:
    prints = [grid.touched(item) for item in items]
    boxes = np.array([each.box for each in prints])
    paints = {paint: number for number, paint in enumerate(dict.fromkeys(item.paint for item in items))}
    kinds = np.array([paints[item.paint] for item in items])
    below: list[set[int]] = []
    for index, (left, top, right, bottom) in enumerate(boxes):
        low = boxes[:index]
        near = (low[:, 0] < right) & (low[:, 2] > left) & (low[:, 1] < bottom) & (low[:, 3] > top)
        near &= kinds[:index] != kinds[index]
        below.append({lower for lower in np.flatnonzero(near).tolist() if prints[lower].cells & prints[index].cells})
    return below
