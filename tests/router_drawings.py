"""Pictures of the three kinds, drawn here, so that the router is not tried on what it was fitted to."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_SCALE = 4


def _canvas(size: int, ground: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    return np.full((size * _SCALE, size * _SCALE, 3), ground, np.uint8)


def _finish(canvas: Pixels, size: int) -> Pixels:
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _at(size: int, *points: tuple[float, float]) -> NDArray[np.int32]:
    return np.rint(np.array(points) * size * _SCALE).astype(np.int32)


def mark(
    size: int = 256, ink: tuple[int, int, int] = (215, 30, 50), ground: tuple[int, int, int] = (255, 255, 255)
) -> Pixels:
    """A brand mark: a solid disc with a wedge and a bar cut out of it."""
    canvas = _canvas(size, ground)
    side = size * _SCALE
    cv2.circle(canvas, (side // 2, side // 2), int(side * 0.42), ink, -1)
    cv2.fillPoly(canvas, [_at(size, (0.3, 0.9), (0.52, 0.35), (0.6, 0.9))], ground)
    cv2.rectangle(canvas, tuple(_at(size, (0.55, 0.3))[0]), tuple(_at(size, (0.95, 0.42))[0]), ground, -1)
    return _finish(canvas, size)


def line_drawing(
    size: int = 256, ink: tuple[int, int, int] = (0, 0, 0), ground: tuple[int, int, int] = (255, 255, 255)
) -> Pixels:
    """A house in outline with strokes of one width."""
    canvas = _canvas(size, ground)
    stroke = max(1, round(size * _SCALE * 0.04))
    paths = [
        ((0.15, 0.9), (0.15, 0.45), (0.5, 0.12), (0.85, 0.45), (0.85, 0.9), (0.15, 0.9)),
        ((0.42, 0.9), (0.42, 0.62), (0.6, 0.62), (0.6, 0.9)),
        ((0.24, 0.5), (0.35, 0.5), (0.35, 0.66), (0.24, 0.66), (0.24, 0.5)),
        ((0.68, 0.28), (0.68, 0.14), (0.76, 0.14), (0.76, 0.36)),
    ]
    for path in paths:
        cv2.polylines(canvas, [_at(size, *path)], False, ink, stroke, cv2.LINE_AA)
    return _finish(canvas, size)


def scene(size: int = 256) -> Pixels:
    """A framed landscape: shaded sky, sun, hills, a house and trees in many colours."""
    canvas = _canvas(size)
    side = size * _SCALE
    top, bottom = int(side * 0.08), int(side * 0.92)
    rise = np.linspace(0, 1, bottom - top)[:, None]
    sky = (1 - rise) * np.array([90, 150, 225]) + rise * np.array([250, 225, 180])
    canvas[top:bottom, top:bottom] = np.rint(sky)[:, None]
    cv2.circle(canvas, (int(side * 0.7), int(side * 0.3)), int(side * 0.1), (250, 205, 80), -1)
    cv2.circle(canvas, (int(side * 0.7), int(side * 0.3)), int(side * 0.07), (255, 225, 130), -1)
    cv2.fillPoly(canvas, [_at(size, (0.08, 0.7), (0.35, 0.4), (0.6, 0.7))], (140, 120, 160))
    cv2.fillPoly(canvas, [_at(size, (0.35, 0.4), (0.28, 0.48), (0.34, 0.46), (0.42, 0.49))], (240, 240, 250))
    cv2.rectangle(canvas, (top, int(side * 0.68)), (bottom - 1, bottom - 1), (110, 160, 80), -1)
    cv2.rectangle(canvas, (int(side * 0.5), int(side * 0.55)), (int(side * 0.72), int(side * 0.78)), (200, 120, 90), -1)
    cv2.fillPoly(canvas, [_at(size, (0.46, 0.56), (0.61, 0.44), (0.76, 0.56))], (130, 60, 50))
    for x in (0.16, 0.26, 0.84):
        cv2.line(canvas, *(tuple(p) for p in _at(size, (x, 0.82), (x, 0.7))), (100, 70, 50), side // 50)
        cv2.circle(canvas, tuple(_at(size, (x, 0.65))[0]), int(side * 0.06), (60, 120, 70), -1)
        cv2.circle(canvas, tuple(_at(size, (x - 0.02, 0.63))[0]), int(side * 0.03), (95, 150, 90), -1)
    return _finish(canvas, size)


def as_jpeg(rgb: Pixels, quality: int) -> Pixels:
    """The picture as it comes back from a JPEG file."""
    done, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("not written")
    return cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.uint8)


def padded(rgb: Pixels, share: float, ground: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    """The picture with `share` of its side as ground on each side."""
    width = round(rgb.shape[0] * share)
    return cv2.copyMakeBorder(rgb, width, width, width, width, cv2.BORDER_CONSTANT, value=ground).astype(np.uint8)
