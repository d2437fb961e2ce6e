"""Bringing a photograph to the size at which it is cut into tiles."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import BadInput
from ...progress import Progress, silent
from ..resize import MAX_SIDE

NONE, TWICE, FOUR_TIMES, LONG_SIDE = "none", "2x", "4x", "long side"
SIZES = (NONE, TWICE, FOUR_TIMES, LONG_SIDE)
LANCZOS, BICUBIC = "lanczos", "bicubic"

_KERNELS = {LANCZOS: Image.Resampling.LANCZOS, BICUBIC: Image.Resampling.BICUBIC}
_STRIP = 1 << 20  # values of the result between two looks at `progress`: some 30 ms


def target_size(height: int, width: int, upscale: str, long_side: int) -> tuple[int, int]:
    """Height and width after `upscale` ("none", "2x", "4x", or "long side": that many px, either way).

    The aspect is kept as near as whole px allow. Raises BadInput where a side would exceed 16384 px.
    """
    if upscale == NONE:
        return height, width
    if upscale not in SIZES:
        raise BadInput("Upscale", value=repr(upscale), limit=", ".join(SIZES), remedy="Choose one of them.")
    longest = max(height, width)
    wanted = long_side if upscale == LONG_SIDE else longest * (2 if upscale == TWICE else 4)
    if not 1 <= wanted <= MAX_SIDE:
        raise BadInput(
            f"Size of the enlarged image ({width} x {height}, {upscale})",
            value=f"long side {wanted} px",
            limit=f"1 to {MAX_SIDE} px",
            remedy=f"Choose a smaller upscale, or 'long side' with at most {MAX_SIDE}.",
        )
    return max(1, round(height * wanted / longest)), max(1, round(width * wanted / longest))


def resize_photo(
    pixels: NDArray[np.float32], height: int, width: int, kernel: str, progress: Progress = silent
) -> NDArray[np.float32]:
    """float32 (H, W, C) in 0..1 -> (height, width, C) in 0..1, by "lanczos" (3 lobes) or "bicubic" (a = -0.5).

    Shrinking widens the kernel, against aliasing. Interpolated in sRGB as stored. Not `resize_lanczos`: that one
    clips to the neighbouring pixels, which keeps flat art flat but takes from a photograph the crispness of its
    edges and the small lights that lie between pixels. The input itself is returned when it has the size already.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    scale = pixels.shape[0] / height
    rows = max(1, _STRIP // (width * pixels.shape[2]))
    result = np.empty((height, width, pixels.shape[2]), np.float32)
    planes = [Image.fromarray(np.ascontiguousarray(pixels[..., channel])) for channel in range(pixels.shape[2])]

    def strip(plane: Image.Image, top: int, bottom: int) -> NDArray[np.float32]:
        box = (0.0, top * scale, float(pixels.shape[1]), min(bottom * scale, float(pixels.shape[0])))
        return np.asarray(plane.resize((width, bottom - top), _KERNELS[kernel], box))  # sees beyond the box

    with ThreadPoolExecutor(len(planes)) as pool:
        for top in range(0, height, rows):
            progress(top / height)
            bottom = min(top + rows, height)
            strips = pool.map(strip, planes, [top] * len(planes), [bottom] * len(planes))
            for channel, values in enumerate(strips):
                np.clip(values, 0, 1, out=result[top:bottom, :, channel])
    progress(1.0)
    return result
