"""How alike two pictures are, and how much a drawing costs."""

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from ..errors import BadInput
from ..raster.alpha import flatten
from .paint import NO_PAINT, hex_color, inherited_paint
from .pathdata import count_segments
from .render import over_ground, render
from .safe import BASIC_SHAPES, read_svg

VISIBLE_DE = 5.0
_CHUNK = 1 << 17
_SSIM_WINDOW = 7  # skimage's default
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Likeness:
    """mean_de: mean CIEDE2000, 0 = equal. share_over_5: share (0..1) of pixels that differ by more than 5.
    ssim: -1..1, 1 = equal."""

    mean_de: float
    share_over_5: float
    ssim: float


@dataclass(frozen=True)
class Complexity:
    """shapes: drawing elements. segments: drawing commands of all path data (M counts one, Z none, a repeated
    argument group counts each) plus one per basic shape. bytes: of the file. colors: different paints."""

    shapes: int
    segments: int
    bytes: int
    colors: int


def likeness(reference: Pixels, candidate: Pixels) -> Likeness:
    """Compare two (H, W, 3) uint8 sRGB pictures of one size. Raises BadInput when the sizes differ."""
    if reference.shape != candidate.shape:
        raise BadInput(
            "Two pictures of different size cannot be compared",
            value=candidate.shape,
            limit=reference.shape,
            remedy="Render the drawing at the reference's size.",
        )
    mean, share = color_difference(reference, candidate)
    return Likeness(mean, share, _ssim(reference, candidate))


def likeness_of_svg(reference: Pixels, svg: bytes, alpha: NDArray[np.float32] | None = None, side: int = 0) -> Likeness:
    """Compare a drawing with the picture that it was made from, both over white.

    reference: (H, W, 3) uint8. alpha: (H, W) float32, 1 = opaque. side: longest side of the comparison
    (the reference is resized by area or Lanczos); 0 = the reference's own size.
    """
    truth = flatten(reference, alpha)
    height, width = truth.shape[:2]
    if side:
        truth = resized(truth, side)
        height, width = truth.shape[:2]
    return likeness(truth, over_ground(render(svg, width, height)))


def resized(picture: Pixels, side: int) -> Pixels:
    """The picture (H, W[, C]) with `side` as its longest side: by area when smaller, by Lanczos when larger."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LANCZOS4
    return cv2.resize(picture, size, interpolation=method).astype(np.uint8, copy=False)


def color_difference(reference: Pixels, candidate: Pixels) -> tuple[float, float]:
    """Mean CIEDE2000 and the share of pixels above VISIBLE_DE.

    Equal to skimage's formula on every pixel, computed once per different pair of colours.
    """
    pairs = _packed(reference) << np.uint64(24) | _packed(candidate)
    differing = pairs[_packed(reference) != _packed(candidate)]
    unique, counts = np.unique(differing, return_counts=True)
    total = over = 0.0
    for start in range(0, len(unique), _CHUNK):
        chunk, weights = unique[start : start + _CHUNK], counts[start : start + _CHUNK]
        difference = deltaE_ciede2000(_lab(chunk >> np.uint64(24)), _lab(chunk & np.uint64(0xFFFFFF)))
        total += float(np.dot(difference, weights))
        over += float(weights[difference > VISIBLE_DE].sum())
    return total / pairs.size, over / pairs.size


def complexity(svg: bytes) -> Complexity:
    """Count what any SVG file is made of; transforms do not matter, `use` is not followed."""
    root = read_svg(svg, expand=False).root
    shapes = segments = 0
    colors: set[str] = set()
    stack: list[tuple[Element, dict[str, str]]] = [(root, {})]
    while stack:
        element, paint = stack.pop()
        paint = inherited_paint(element, paint)
        if element.tag == "path":
            shapes += 1
            segments += count_segments(element.attrib.get("d", ""))
        elif element.tag in BASIC_SHAPES:
            shapes += 1
            segments += 1
        colors |= _colors(element, paint)
        stack.extend((child, paint) for child in element)
    return Complexity(shapes, segments, len(svg), len(colors))


def _colors(element: Element, paint: dict[str, str]) -> set[str]:
    if element.tag == "stop":
        return {_same_name(element.attrib.get("stop-color", "#000000"))}
    if element.tag != "path" and element.tag not in BASIC_SHAPES:
        return set()
    used = {_same_name(paint.get("fill", "#000000")), _same_name(paint.get("stroke", "none"))}
    return {color for color in used if color not in NO_PAINT and not color.startswith("url")}


def _same_name(color: str) -> str:
    return hex_color(color) or re.sub(r"\s+", "", color.lower())


def _packed(picture: Pixels) -> NDArray[np.uint64]:
    wide = picture.reshape(-1, 3).astype(np.uint64)
    return wide[:, 0] << np.uint64(16) | wide[:, 1] << np.uint64(8) | wide[:, 2]


def _lab(packed: NDArray[np.uint64]) -> NDArray[np.float64]:
    channels = np.stack([packed >> np.uint64(16), packed >> np.uint64(8), packed], axis=-1) & np.uint64(0xFF)
    return rgb2lab(channels[None] / 255.0)[0]


def _ssim(reference: Pixels, candidate: Pixels) -> float:
    short = [max(0, _SSIM_WINDOW - side) for side in reference.shape[:2]]
    if any(short):
        # Smaller than the window: repeat the border until the window fits.
        around = [(0, short[0]), (0, short[1]), (0, 0)]
        reference, candidate = np.pad(reference, around, "edge"), np.pad(candidate, around, "edge")
    score = structural_similarity(reference, candidate, channel_axis=2, data_range=255)
    return float(score)  # pyright: ignore[reportArgumentType]  (a tuple only with full=True or gradient=True)
