"""Small drawings whose truth is known at every size, and pictures of them as users send them."""

from __future__ import annotations

import re

import cv2
import numpy as np
from numpy.typing import NDArray

from vectrahub.engine.raster.alpha import bleed_colors
from vectrahub.engine.svg.render import over_ground, render

# No colour lies on the line between two others.
FLAT_COLORS = ("#FFFFFF", "#E30613", "#1A4F9C", "#2E8B3A", "#FFC800", "#101010")


def svg(body: str, width: int = 128, height: int = 128) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{body}</svg>'.encode()


def drawing(body: str, size: int = 128, units: int = 128) -> NDArray[np.uint8]:
    """(size, size, 3) on white; `units` is the side of the viewBox."""
    # resvg puts edges on quarters of a pixel; drawn larger and averaged they are on sixteenths.
    fine = 4 if size <= 512 else 1
    return _smaller(over_ground(render(svg(body, units, units), size * fine, size * fine)), size)


def drawing_with_alpha(body: str, size: int = 128, units: int = 128) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Straight colours (size, size, 3), black where nothing was drawn as image editors leave it, and alpha 0..1."""
    alpha = _smaller(render(svg(body, units, units), size * 4, size * 4)[..., 3], size)
    # From an opaque rendering: the renderer stores colours multiplied by their alpha, which costs digits.
    solid = render(svg(re.sub(r' fill-opacity="[^"]*"', "", body), units, units), size, size)
    colors = bleed_colors(solid[..., :3], (solid[..., 3] / np.float32(255)).astype(np.float32))
    return np.where(alpha[..., None] > 0, colors, np.uint8(0)), (alpha / np.float32(255)).astype(np.float32)


def _smaller(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def jpeg(rgb: NDArray[np.uint8], quality: int = 80) -> NDArray[np.uint8]:
    coded, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert coded
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy()


FLAT_ART = (
    '<rect width="128" height="128" fill="#FFFFFF"/>'
    '<circle cx="40" cy="40" r="28" fill="#E30613"/>'
    '<rect x="72" y="16" width="44" height="40" fill="#1A4F9C"/>'
    '<polygon points="20,112 50,72 64,118" fill="#2E8B3A"/>'
    '<rect x="76" y="72" width="40" height="40" rx="12" fill="#FFC800"/>'
    '<circle cx="96" cy="92" r="10" fill="#101010"/>'
)
