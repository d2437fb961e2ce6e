"""What the router measures on a cut-out drawing: strokes, shape, edges, colours, shading.

Lengths are shares of the drawing's longer side, areas shares of the ink (what differs from the
ground), colours CIELAB / 100. So the measures do not depend on size, padding or position, and
as colours are compared with the ground, hardly on whether it is light or dark.
"""

from dataclasses import dataclass
from typing import SupportsFloat

import cv2
import numpy as np
from numpy.typing import NDArray

from .router_view import MARGIN, Drawing, Floats, Mask, distance

_EDGE = 18.0  # CIE76 across a few px at the border of two areas
_SHADED = 4.0  # CIE76 across 5 px from which a calm area is shaded rather than flat
_SAME = 8.0  # CIE76 within which two colours are one
_GREY = 12.0  # CIELAB chroma below which a colour has no hue
_SMALLEST = 0.004  # share of the ink below which a colour is noise
_FEWEST = 100  # px of calm ink below which all ink is taken for the palette


@dataclass(frozen=True)
class Palette:
    """The flat colours of the ink and their shares, which sum to 1."""

    colors: NDArray[np.float64]  # (N, 3) CIELAB
    shares: NDArray[np.float64]  # (N,)


def measure(drawing: Drawing) -> dict[str, float]:
    """The measures by name, in a fixed order."""
    depth = cv2.distanceTransform(drawing.ink.astype(np.uint8), cv2.DIST_L2, 5).astype(np.float32, copy=False)
    sharp_edges = _steps(drawing.lab, 3) > _EDGE
    figures = (
        _strokes(drawing.ink, depth)
        | _outline(drawing.ink)
        | _edges(drawing, sharp_edges)
        | _colors(find_palette(drawing, depth, sharp_edges))
        | _light(drawing)
    )
    return {name: float(value) for name, value in figures.items()}


def _size(mask: Mask) -> int:
    return max(mask.shape) - 2 * MARGIN


def _strokes(ink: Mask, depth: Floats) -> dict[str, SupportsFloat]:
    """How thick the ink is, how even, and how sharp its corners are.

    Twice the depth on the ridge of the ink is the width of the stroke there; `over..` is the area
    that survives an opening by a disc of that diameter. Pens round their ends: an opening
    by a disc somewhat thinner than the stroke takes only corners away.
    """
    size, area = _size(ink), np.count_nonzero(ink)
    ridge = ink & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)) - 1e-6) & (depth > 1)
    radii = np.sort(depth[ridge]) if ridge.any() else np.ones(1, np.float32)
    mass = np.cumsum(radii)
    middle, widest = (float(radii[np.searchsorted(mass, mass[-1] * share)]) for share in (0.5, 0.9))
    corner = max(1.5, 0.75 * middle)
    lost = area - _opened(ink, depth, corner)
    return {
        "width_widest": np.log(2 * widest / size),
        "width_spread": np.log(widest / middle),
        "over_6": _opened(ink, depth, 0.03 * size) / area,
        "over_20": _opened(ink, depth, 0.1 * size) / area,
        "over_35": _opened(ink, depth, 0.175 * size) / area,
        "corners_cut": np.log1p(lost / corner**2),
        "corners_share": lost / area,
    }


def _opened(ink: Mask, depth: Floats, radius: float) -> int:
    """Area of the ink that discs of this radius reach without leaving it."""
    centers = depth > radius
    if not centers.any():
        return 0
    reach = cv2.distanceTransform((~centers).astype(np.uint8), cv2.DIST_L2, 5)
    return int(np.count_nonzero((reach <= radius + 0.5) & ink))


def _outline(ink: Mask) -> dict[str, SupportsFloat]:
    """Shape of the whole: how much of its box and of its hull it fills, how angular its contours are."""
    plane = ink.astype(np.uint8)
    outer, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    box = (ink.shape[0] - 2 * MARGIN) * (ink.shape[1] - 2 * MARGIN)
    hull = max(1.0, cv2.contourArea(cv2.convexHull(np.concatenate(outer))))
    contours = [c for c in cv2.findContours(plane, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0] if len(c) > 8]
    length = sum(len(contour) for contour in contours) or 1
    bends = sum(len(cv2.approxPolyDP(contour, 2.5, True)) for contour in contours)
    return {
        "ink": np.count_nonzero(ink) / box,
        "hull": hull / box,
        "bends": 30 * bends / length,
    }


def _edges(drawing: Drawing, sharp_edges: Mask) -> dict[str, SupportsFloat]:
    """How much of the edges lies inside the ink rather than around it, and what lies between edges."""
    ink = drawing.ink
    wide = _steps(drawing.lab, 5)
    around = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8)) > 0
    calm = ink & ~(cv2.dilate((wide > _EDGE).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    count = np.count_nonzero(sharp_edges)
    return {
        "edges_inside": np.count_nonzero(sharp_edges & ink & ~around) / max(1, count),
        "calm": np.count_nonzero(calm) / np.count_nonzero(ink),
        "shaded": np.count_nonzero(calm & (wide > _SHADED)) / max(200, np.count_nonzero(calm)),
    }


def _steps(lab: Floats, size: int) -> Floats:
    kernel = np.ones((size, size), np.uint8)
    apart = cv2.dilate(lab, kernel) - cv2.erode(lab, kernel)
    return np.sqrt(np.einsum("...c,...c->...", apart, apart))


def find_palette(drawing: Drawing, depth: Floats, sharp_edges: Mask) -> Palette:
    """Colours by area: the commonest first, each taking all that lies within `_SAME` of it."""
    core = drawing.ink & ~sharp_edges & (depth > 1.5)
    if np.count_nonzero(core) < _FEWEST:
        core = drawing.ink
    pixels = drawing.lab[core]
    cells = np.floor((pixels + 128) / 6).astype(np.int64) @ (1 << 20, 1 << 10, 1)
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(inverse.ravel(), pixels[:, c]) for c in range(3)], 1) / counts[:, None]
    colors, shares = [], []
    free = np.ones(len(counts), bool)
    while (
        free.any() and (top := int(np.argmax(counts * free))) is not None and counts[top] > _SMALLEST / 2 * len(pixels)
    ):
        same = free & (distance(means, means[top]) < _SAME)
        free &= ~same
        share = counts[same].sum() / len(pixels)
        if share >= _SMALLEST:
            colors.append(counts[same] @ means[same] / counts[same].sum())
            shares.append(share)
    if not colors:
        return Palette(pixels.mean(0, keepdims=True).astype(np.float64), np.ones(1))
    return Palette(np.array(colors), np.array(shares) / sum(shares))


def _colors(palette: Palette) -> dict[str, SupportsFloat]:
    shares = palette.shares
    chroma = np.hypot(palette.colors[:, 1], palette.colors[:, 2])
    top = int(np.argmax(shares))
    return {
        "colors": -(shares * np.log(shares)).sum(),  # entropy: the logarithm of the number of equal shares
        "color_top": shares[top],
        "chroma_top": chroma[top] / 100,
        "chroma": shares @ chroma / 100,
        "grey": shares[chroma <= _GREY].sum(),
        "darkest": palette.colors[:, 0].min() / 100,
    }


def _light(drawing: Drawing) -> dict[str, SupportsFloat]:
    light = drawing.lab[..., 0][drawing.ink]
    apart = drawing.lab - drawing.lab[:, ::-1]
    unlike = np.sqrt(np.einsum("...c,...c->...", apart, apart)).mean()
    return {
        "dark": np.mean(light < 20),
        "unlike_mirrored": unlike / max(1.0, float(distance(drawing.lab, drawing.lab[0, 0]).mean())),
    }
