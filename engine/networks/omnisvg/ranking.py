"""The best of several drawings: the one most like the picture, not the first that can be drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import BadInput, EngineFailure
from ...progress import Progress, part, silent
from ...raster.alpha import flatten
from ...svg.edges import edge_agreement, edge_map
from ...svg.measure import likeness, resized
from ...svg.render import over_ground, render

SIDE = 448  # px of the longest side at which drawings are compared; never above the picture's own, as in the gate
LEAST_CHARACTERS = 20  # official check of a drawing
BRIGHTEST = {"icon": 252.0, "illustration": 250.0}  # largest mean byte of one over white: official check
_FADE = 10.0  # CIEDE2000 at which colour counts 1 / e
_ENOUGH = 3.0  # sides of the canvas: edges of a drawing that has enough to show; a ring has about 3
_UNFINISHED = 0.5  # what an unfinished drawing is worth: parts are missing, it is never certain which


@dataclass(frozen=True)
class Score:
    """likeness: 0..1, what the ranking goes by; 0 only when the drawing cannot be used, and then there is a reason.

    mean_de: mean CIEDE2000 over white. ssim: -1..1. edges: 0..1, `edge_agreement`. coverage_error: mean difference
    of the alpha planes, 0..1. All None where they were not measured.
    """

    likeness: float
    reason: str = ""
    mean_de: float | None = None
    ssim: float | None = None
    edges: float | None = None
    coverage_error: float | None = None

    def figures(self) -> dict[str, float | str]:
        """What there is of it, rounded for a report."""
        numbers = {
            name: round(value, 4)
            for name in ("likeness", "mean_de", "ssim", "edges", "coverage_error")
            if (value := getattr(self, name)) is not None
        }
        return {**numbers, "reason": self.reason} if self.reason else dict(numbers)


@dataclass(frozen=True)
class Ranking:
    """best: index of the highest likeness, the lowest index of equals. scores: one per candidate."""

    best: int
    scores: tuple[Score, ...]


def rank(
    candidates: Sequence[bytes],
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None = None,
    progress: Progress = silent,
) -> Ranking:
    """Compare drawings with the picture (H, W, 3), alpha (H, W), 1 = opaque, that they were made from.

    Raises BadInput when there is no candidate; a bad candidate only gets a bad score.
    """
    picture = flatten(rgb, alpha)
    mask = None if alpha is None else np.rint(alpha * 255).astype(np.uint8)
    if max(picture.shape[:2]) > SIDE:
        picture = resized(picture, SIDE)
        mask = None if mask is None else resized(mask, SIDE)
    scores = []
    for index, svg in enumerate(candidates):
        step = part(progress, index / len(candidates), (index + 1) / len(candidates))
        scores.append(_compared(svg, picture, mask, step))
    return _ranking(scores)


def rank_without_picture(
    candidates: Sequence[bytes],
    finished: Sequence[bool] | None = None,
    brightest: float = BRIGHTEST["icon"],
    progress: Progress = silent,
) -> Ranking:
    """Order drawings that no picture can be held against, by what is wrong with them.

    First the official check: at least 20 characters, it renders, its mean byte over white is at most `brightest`.
    Then three things that a person would send back, multiplied, each 1 when nothing is wrong:

    * one flat blob: the length of its edges in sides of the canvas, up to 3. More detail than that is not better,
      so that among sound drawings the first one stays first;
    * cut off: 1 - s / 2, where s is the share of the canvas's border that has another colour than most of it;
    * unfinished: 1/2 where `finished` says that the drawing stopped at the limit of its tokens.

    Raises BadInput when there is no candidate.
    """
    done = [True] * len(candidates) if finished is None else finished
    scores = []
    for index, (svg, whole) in enumerate(zip(candidates, done, strict=True)):
        progress(index / len(candidates))
        score = _sound(svg, brightest)
        scores.append(score if whole else replace(score, likeness=_UNFINISHED * score.likeness))
    return _ranking(scores)


def combined(mean_de: float, ssim: float, edges: float, coverage_error: float = 0.0) -> float:
    """One figure, above 0 and at most 1, that grows whenever one of the measures gets better.

    The geometric mean of three shares: exp(-mean_de / 10) of colour, ((1 + ssim) / 2)^2 of structure (about the
    SSIM itself near 1, positive below 0) and (1 + 9 edges) / 10 of edges; times 1 - coverage_error, so that among
    equals on white the one with the picture's own holes wins. Geometric, since one failure is not made up for by
    the others: on a white ground an empty drawing has nearly all colours and structure right, and no edge.
    """
    color = math.exp(-mean_de / _FADE)
    structure = ((1 + ssim) / 2) ** 2
    return (color * structure * (0.1 + 0.9 * edges)) ** (1 / 3) * (1 - coverage_error)


def _compared(svg: bytes, picture: NDArray[np.uint8], mask: NDArray[np.uint8] | None, progress: Progress) -> Score:
    progress(0)
    drawn = _drawn(svg, picture.shape[1], picture.shape[0])
    if isinstance(drawn, str):
        return Score(0.0, drawn)
    shown = over_ground(drawn)
    progress(0.2)
    alike = likeness(picture, shown)
    progress(0.8)
    edges = edge_agreement(picture, shown)
    error = None if mask is None else float(np.abs(drawn[..., 3].astype(np.int16) - mask).mean() / 255)
    figure = combined(alike.mean_de, alike.ssim, edges, error or 0.0)
    return Score(figure, "", alike.mean_de, alike.ssim, edges, error)


def _sound(svg: bytes, brightest: float) -> Score:
    if len(svg) < LEAST_CHARACTERS:
        return Score(0.0, f"The file has {len(svg)} characters; at least {LEAST_CHARACTERS} are asked for.")
    drawn = _drawn(svg, SIDE, SIDE)
    if isinstance(drawn, str):
        return Score(0.0, drawn)
    shown = over_ground(drawn)
    mean = float(shown.mean())
    if mean > brightest:
        return Score(0.0, f"The drawing is nearly white: mean {mean:.1f} of 255, at most {brightest:g} allowed.")
    detail = min(1.0, float(edge_map(shown).sum()) / (_ENOUGH * SIDE))
    border = np.concatenate([shown[0], shown[-1], shown[1:-1, 0], shown[1:-1, -1]])
    _, counts = np.unique(border, axis=0, return_counts=True)
    cut = 1 - float(counts.max()) / len(border)
    return Score((0.1 + 0.9 * detail) * (1 - cut / 2))


def _drawn(svg: bytes, width: int, height: int) -> NDArray[np.uint8] | str:
    """The drawing (height, width, 4), or why there is nothing to see."""
    if not svg:
        return "There is no drawing."
    try:
        drawn = render(svg, width, height)
    except (BadInput, EngineFailure) as error:
        return str(error)
    return drawn if drawn[..., 3].any() else "The drawing shows 0 visible pixels."


def _ranking(scores: Sequence[Score]) -> Ranking:
    if not scores:
        raise BadInput(
            "There is nothing to choose from", value="0 candidates", limit="1 or more", remedy="Ask for one candidate."
        )
    best = max(range(len(scores)), key=lambda index: scores[index].likeness)
    return Ranking(best, tuple(scores))
