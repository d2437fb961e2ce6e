"""An image of few colours as labels: one per colour and opacity, with the ground apart from what it encloses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..color.spaces import rgb_to_hex
from .regions import Regions

MAX_COLORS = 64
EMPTY = 255  # the label of transparent ground

_MOST_LEVELS = 6
_INVISIBLE = 0.04


@dataclass(frozen=True)
class Labelled:
    """labels: (H, W) index into fills and opacities, or EMPTY where the picture is transparent."""

    labels: NDArray[np.uint8]
    fills: tuple[str, ...]
    opacities: tuple[float, ...]


def label_image(rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None) -> Labelled | None:
    """Label every pixel (H, W, 3) by exact colour and opacity level; None with more than 64 colours.

    alpha: (H, W) 0..1. Up to six opacity levels are kept; more (a soft edge or shadow) are cut at one half.
    """
    code = (rgb[..., 0].astype(np.uint32) << 16) | (rgb[..., 1].astype(np.uint32) << 8) | rgb[..., 2]
    level, levels = _opacity_levels(alpha)
    visible = None if alpha is None else levels[level] > 0
    present = np.zeros(1 << 24, bool)
    present[code if visible is None else code[visible]] = True
    colors = np.flatnonzero(present)
    if len(colors) > MAX_COLORS:
        return None
    if not len(colors):
        return Labelled(np.full(code.shape, EMPTY, np.uint8), (), ())
    rank = np.zeros(1 << 24, np.uint8)
    rank[colors] = np.arange(len(colors), dtype=np.uint8)
    hexes = rgb_to_hex(np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1).astype(np.uint8))
    index = rank[code]
    if alpha is None:
        return Labelled(index, hexes, (1.0,) * len(hexes))
    return _with_opacity(index, hexes, level, levels)


def ground_apart(labelled: Labelled, regions: Regions, label: NDArray[np.int64]) -> tuple[NDArray[np.int64], Labelled]:
    """Give the regions that the ground's colour fills inside the picture a label of their own.

    The ground is the colour of most of the picture's border. Apart from what it encloses it can be
    removed later without taking the white of an eye with it. Returns the label of each region anew.
    """
    index = regions.index
    rim = np.concatenate([index[0], index[-1], index[1:-1, 0], index[1:-1, -1]])
    counts = np.bincount(label[rim], minlength=EMPTY + 1)
    ground = int(counts.argmax())
    if ground == EMPTY or 2 * counts[ground] < len(rim) or len(labelled.fills) == EMPTY:
        return label, labelled
    outside = np.zeros(len(label), bool)
    outside[np.unique(rim)] = True
    inner = (label == ground) & ~_joined_to(outside & (label == ground), regions, label == ground)
    if not inner.any():
        return label, labelled
    apart = Labelled(
        labelled.labels,
        (*labelled.fills, labelled.fills[ground]),
        (*labelled.opacities, labelled.opacities[ground]),
    )
    return np.where(inner, len(labelled.fills), label), apart


def _joined_to(start: NDArray[np.bool_], regions: Regions, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Regions of `among` that `start` reaches; absorbed specks may lie between two parts of one ground."""
    reached = start.copy()
    one, other = regions.pairs[among[regions.pairs].all(axis=1)].T
    while True:
        before = reached.sum()
        reached[one] |= reached[other]
        reached[other] |= reached[one]
        if reached.sum() == before:
            return reached


def _opacity_levels(alpha: NDArray[np.float32] | None) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    if alpha is None:
        return np.zeros((0, 0), np.uint8), np.ones(1)
    steps = np.rint(alpha * 255).astype(np.uint8)
    levels = np.flatnonzero(np.bincount(steps.reshape(-1), minlength=256)) / 255
    if len(levels) > _MOST_LEVELS:
        return (alpha >= 0.5).astype(np.uint8), np.array([0.0, 1.0])
    table = np.zeros(256, np.uint8)
    table[np.rint(levels * 255).astype(np.int64)] = np.arange(len(levels))
    levels = np.where(levels < _INVISIBLE, 0.0, np.where(levels > 1 - _INVISIBLE, 1.0, levels))
    return table[steps], levels


def _with_opacity(
    index: NDArray[np.uint8], hexes: tuple[str, ...], level: NDArray[np.uint8], levels: NDArray[np.float64]
) -> Labelled:
    pair = index.astype(np.int32) * len(levels) + level
    seen = np.flatnonzero(np.bincount(pair.reshape(-1), minlength=len(hexes) * len(levels)))
    shown = [int(code) for code in seen if levels[code % len(levels)] > 0][:EMPTY]
    table = np.full(len(hexes) * len(levels), EMPTY, np.uint8)
    table[shown] = np.arange(len(shown), dtype=np.uint8)
    fills = tuple(hexes[code // len(levels)] for code in shown)
    return Labelled(table[pair], fills, tuple(float(levels[code % len(levels)]) for code in shown))
