"""Pictures for the fit that single icons do not give: line drawings and scenes of many parts, shading."""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import icons

from . import material
from .material import Condition, Picture

Pixels = NDArray[np.uint8]

KINDS = {"outlines": "line_art", "scenes": "illustration", "shaded": "illustration"}

_SIZE = 384


def compose(kind: str, index: int) -> Picture:
    """Picture `index` of a kind of `KINDS`, always the same; of names that are not kept for testing."""
    generator = np.random.default_rng([material.number(kind), index])
    made = {"outlines": _outlines, "scenes": _scene, "shaded": _shaded}[kind](generator)
    quality = int(generator.choice([0, 0, 60, 80]))
    side = int(generator.choice([128, 256, _SIZE]))
    small = cv2.resize(made, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return (icons.jpeg(small, quality) if quality else small), None


def _parts(generator: np.random.Generator, pack: str, condition: Condition, count: int) -> list[Pixels]:
    names = material.names(pack, 800, test=False)
    found = []
    for _ in range(count):
        picture = material.picture(pack, names[int(generator.integers(len(names)))], condition)
        if picture is not None and picture[1] is not None:
            found.append(np.dstack([picture[0], np.rint(picture[1] * 255).astype(np.uint8)]))
    return found


def _paste(canvas: Pixels, part: Pixels, top: int, left: int) -> None:
    height, width = min(part.shape[0], canvas.shape[0] - top), min(part.shape[1], canvas.shape[1] - left)
    target = canvas[top : top + height, left : left + width]
    cover = part[:height, :width, 3:].astype(np.float32) / 255
    target[:] = np.rint(part[:height, :width, :3] * cover + target * (1 - cover))


def _outlines(generator: np.random.Generator) -> Pixels:
    """A drawing of several outlines with one pen, side by side or into each other."""
    dark = generator.random() < 0.2
    ground = (24, 26, 40) if dark else tuple(int(part) for part in generator.choice([[255] * 3, [250, 246, 235]]))
    condition = Condition(
        size=int(generator.choice([130, 180, 260])),
        ground="alpha",
        color="#ffffff" if dark else str(generator.choice(["#000000", "#333333", "#1a2a6c"])),
        stroke=float(generator.choice([0.5, 0.75, 1, 1.25, 1.5])),
        pen=str(generator.choice(["round", "square"])),
    )
    canvas = np.full((_SIZE, _SIZE, 3), ground, np.uint8)
    for part in _parts(generator, material.LINES, condition, int(generator.integers(2, 8))):
        top, left = (int(place) for place in generator.integers(0, _SIZE - condition.size, 2))
        _paste(canvas, part, top, left)
    return canvas


def _scene(generator: np.random.Generator) -> Pixels:
    """Figures before a backdrop: plain or shaded sky, ground, in a frame or to the edge."""
    canvas = np.full((_SIZE, _SIZE, 3), 255, np.uint8)
    edge = int(generator.choice([0, 0, 20, 40]))
    inner = canvas[edge : _SIZE - edge, edge : _SIZE - edge]
    above, below, land = generator.integers(40, 256, (3, 3))
    if generator.random() < 0.4:
        below = above
    rise = np.linspace(0, 1, len(inner))[:, None]
    inner[:] = np.rint(above * (1 - rise) + below * rise).astype(np.uint8)[:, None]
    if generator.random() < 0.7:
        horizon = int(len(inner) * generator.uniform(0.4, 0.85))
        inner[horizon:] = land
    size = int(generator.choice([90, 130, 180]))
    condition = Condition(size=size, ground="alpha")
    for part in _parts(generator, material.EMOJI, condition, int(generator.integers(2, 9))):
        top, left = (int(place) for place in generator.integers(0, len(inner) - size, 2))
        _paste(inner, part, top, left)
    return canvas


def _shaded(generator: np.random.Generator) -> Pixels:
    """Gradients and cloudy colour fields that fill the frame, standing for paintings and photos."""
    coarse = generator.random((int(generator.choice([2, 3, 6, 12, 24])),) * 2 + (3,)).astype(np.float32)
    field = cv2.resize(coarse, (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
    field += generator.normal(0, generator.choice([0, 0.01, 0.05]), field.shape)
    return np.rint(field.clip(0, 1) * 255).astype(np.uint8)
