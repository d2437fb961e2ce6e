"""Colour spaces: sRGB bytes, CIELAB and hex."""

import re

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput

_HEX = re.compile(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")


def srgb_to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(..., 3) sRGB bytes -> (..., 3) CIELAB (D65) divided by 100: L 0..1, a and b about -1..1.

    A distance of 0.01 is one dE76, about the least that people see side by side. CIELAB rather
    than OKLab: OKLab has no linear toe, so the bytes 0 and 1 are 0.07 apart in it.
    """
    rows = np.ascontiguousarray(rgb).reshape(-1, 1, 3)
    if not len(rows):
        return np.zeros(rgb.shape, np.float32)
    lab = cv2.cvtColor(rows.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    return np.asarray(lab, np.float32).reshape(rgb.shape) * np.float32(0.01)


def parse_hex(text: str) -> str:
    """'#abc', 'AABBCC' ... -> '#AABBCC'. Raises BadInput for anything else."""
    match = _HEX.fullmatch(text.strip())
    if match is None:
        raise BadInput(
            "Not a colour", value=repr(text), limit="#RGB or #RRGGBB", remedy="Write the colour as hex, like #E30613."
        )
    digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
    return "#" + digits.upper()


def hex_to_rgb(colors: tuple[str, ...]) -> NDArray[np.uint8]:
    """n '#RRGGBB' -> (n, 3) bytes."""
    return np.array([list(bytes.fromhex(color[1:])) for color in colors], np.uint8).reshape(-1, 3)


def rgb_to_hex(rgb: NDArray[np.uint8]) -> tuple[str, ...]:
    """(n, 3) bytes -> n '#RRGGBB'."""
    return tuple("#" + bytes(row).hex().upper() for row in np.asarray(rgb, np.uint8))
