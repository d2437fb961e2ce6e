"""The picture's own colours for a drawing whose colours have only four bits a channel."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...color.estimate import estimate_colors
from ...color.mixtures import flat
from ...color.source import Source, read_source
from ...color.spaces import hex_to_rgb, rgb_to_hex, srgb_to_lab
from ...progress import Progress, part, silent
from ...raster.alpha import flatten
from ...svg.document import Drawing, write_svg
from ...svg.measure import resized
from ...svg.render import render
from .ranking import SIDE, rank

# Four bits round by up to half a step of 17, and the network may be two steps beside that. What is farther away is
# another colour: the drawing then differs from the picture in shape, and its colour says what was meant.
REACH = 42.5
_SNAP = 0.05  # CIELAB / 100 within which the picture's palette has the colour
_INSIDE = 5  # px: a pixel is inside a fill when the square of this side around it is; edges differ by as much
_LEAST = 12  # pixels inside: fewer say nothing
_FLAT = 0.5  # share of the pixels in flat neighbourhoods from which a picture has a palette
_OPAQUE = 253  # of 255
_COMMON = 0.25  # share of the pixels from which their commonest colour is the colour


@dataclass(frozen=True)
class Recolored:
    """changed: how many fill colours were replaced, 0 when the drawing is the one given. before, after: its likeness
    (0..1, `ranking.Score`) then and now; equal when nothing was changed or what was changed was taken back."""

    drawing: Drawing
    changed: int
    before: float
    after: float


def recolored_if_better(
    drawing: Drawing,
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None = None,
    progress: Progress = silent,
) -> Recolored:
    """`recolor`, unless that makes the drawing less like the picture."""
    new = recolor(drawing, rgb, alpha, part(progress, 0, 0.6))
    changed = len({old.fill for old, now in zip(drawing.shapes, new.shapes, strict=True) if old.fill != now.fill})
    if not changed:
        score = rank([write_svg(drawing)], rgb, alpha, part(progress, 0.6, 1)).scores[0].likeness
        return Recolored(drawing, 0, score, score)
    scores = rank([write_svg(drawing), write_svg(new)], rgb, alpha, part(progress, 0.6, 1)).scores
    before, after = (score.likeness for score in scores)
    if after < before:
        return Recolored(drawing, 0, before, before)
    return Recolored(new, changed, before, after)


def recolor(
    drawing: Drawing,
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None = None,
    progress: Progress = silent,
) -> Drawing:
    """The drawing with each fill colour replaced by the picture's typical colour where that fill is seen.

    drawing: in the coordinates of the picture (H, W, 3); alpha (H, W), 1 = opaque. Equal fills stay equal. The
    typical colour is the commonest one inside the visible area of the fill, away from its edges, or the median
    where none is common; it is snapped to the picture's palette, where there is one and has it within CIELAB 5.
    A fill keeps its colour when no part of it is seen well enough, when it is translucent, or when the new colour
    is farther away than 42.5 of 255 in any channel.
    """
    fills = tuple(dict.fromkeys(shape.fill for shape in drawing.shapes if shape.opacity == 1))
    if not fills:
        return drawing
    picture = flatten(rgb, alpha)
    opacity = np.full(rgb.shape[:2], 255, np.uint8) if alpha is None else np.rint(alpha * 255).astype(np.uint8)
    if max(picture.shape[:2]) > SIDE:
        picture, opacity = resized(picture, SIDE), resized(opacity, SIDE)
    seen = _visible(drawing, fills, picture.shape[1], picture.shape[0])
    solid = opacity >= _OPAQUE
    source = read_source(picture)
    palette = _palette(source, solid, progress)
    new = {fill: _new_color(fill, source.rgb[(seen == index) & solid], palette) for index, fill in enumerate(fills, 1)}
    shapes = (replace(s, fill=new[s.fill]) if s.opacity == 1 else s for s in drawing.shapes)
    return replace(drawing, shapes=tuple(shapes))


def _palette(source: Source, solid: NDArray[np.bool_], progress: Progress) -> NDArray[np.uint8]:
    """The picture's colours (n, 3); none where it is a texture or a photo, which would take half a minute."""
    if flat(source.rgb, source.tolerances).mean() < _FLAT:
        return np.empty((0, 3), np.uint8)
    return estimate_colors(source, solid, progress=progress)


def _visible(drawing: Drawing, fills: tuple[str, ...], width: int, height: int) -> NDArray[np.int32]:
    """Which fill is seen inside each pixel, counted from 1; 0 where it is none, or the edge of one: (height, width)."""
    # An edge's mixed pixels may look like a third number, but never fill a whole square.
    number = {fill: f"#{index:06X}" for index, fill in enumerate(fills, 1)}
    shapes = (
        replace(shape, fill=number[shape.fill]) if shape.opacity == 1 else replace(shape, fill="#FFFFFF", opacity=1.0)
        for shape in drawing.shapes
    )
    drawn = render(write_svg(replace(drawing, shapes=tuple(shapes))), width, height)
    labels = drawn[..., :3].astype(np.float32) @ np.array([1 << 16, 1 << 8, 1], np.float32)
    labels[drawn[..., 3] < 255] = 0
    window = np.ones((_INSIDE, _INSIDE), np.uint8)
    inside = (cv2.dilate(labels, window) == cv2.erode(labels, window)) & (labels <= len(fills))
    return np.where(inside, labels, 0).astype(np.int32)


def _new_color(fill: str, pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> str:
    if len(pixels) < _LEAST:
        return fill
    old = hex_to_rgb((fill,))
    color = _typical(pixels)[None]
    away = np.linalg.norm(srgb_to_lab(palette) - srgb_to_lab(color), axis=1)
    if away.min(initial=np.inf) <= _SNAP:
        color = palette[[int(away.argmin())]]
    if np.abs(color.astype(np.int16) - old).max() > REACH:
        return fill
    return rgb_to_hex(color)[0]


def _typical(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    if counts.max() >= _COMMON * len(pixels):
        return colors[counts.argmax()]
    return np.rint(np.median(pixels, axis=0)).astype(np.uint8)
