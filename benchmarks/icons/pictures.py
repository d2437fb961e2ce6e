"""SVG text -> pixels, and the forms in which users have such pictures."""

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def render(svg: str, size: int) -> Pixels:
    """Straight-alpha RGBA (H, W, 4) whose longer side is `size` px; system fonts are not used.

    Raises ValueError when resvg cannot read the drawing.
    """
    pixels = _decode(resvg_py.svg_to_bytes(svg_string=svg, width=size, skip_system_fonts=True))
    if pixels.shape[0] > size:
        pixels = _decode(resvg_py.svg_to_bytes(svg_string=svg, height=size, skip_system_fonts=True))
    return pixels


def _decode(png: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        raise ValueError("resvg gave no RGBA picture")
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA).astype(np.uint8, copy=False)


def on_ground(rgba: Pixels, ground: tuple[int, int, int] = (255, 255, 255)) -> Pixels:
    """Composite RGBA over a plain ground -> RGB (H, W, 3)."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    mixed = rgba[..., :3] * alpha + np.asarray(ground, np.float32) * (1 - alpha)
    return np.rint(mixed).astype(np.uint8)


def jpeg(rgb: Pixels, quality: int = 80) -> Pixels:
    """RGB as it comes back from a JPEG file (4:2:0, as cameras and browsers save)."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture could not be written as JPEG")
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if back is None:
        raise ValueError("the picture could not be read back")
    return cv2.cvtColor(back, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
