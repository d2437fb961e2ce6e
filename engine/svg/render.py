"""A drawing as pixels."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray

from ..errors import BadInput, EngineFailure, MissingPart
from ..progress import Progress, part, silent
from .non_scaling import fix_widths
from .safe import parse_svg, serialize
from .viewport import Box, viewport_of

RENDERERS = ("resvg", "cairosvg")
MAX_PIXELS = 50_000_000  # an allocation that fails ends the whole process inside resvg
_BAND_PIXELS = 1_500_000  # about 0.15 s of drawing and coding


def render(
    svg: bytes, width: int, height: int, renderer: str = "resvg", progress: Progress = silent
) -> NDArray[np.uint8]:
    """Draw `svg`, stretched to exactly `width` x `height`, on nothing.

    Returns (height, width, 4) uint8, sRGB with straight alpha. The drawing is sanitised first. The
    renderer holds Python's lock while it draws, so a large picture is drawn in bands, between which
    it can be cancelled; a drawing with percentages, which depend on the whole canvas, is drawn at once.
    Raises BadInput (unsafe or broken drawing, size), MissingPart (cairosvg), EngineFailure.
    """
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise BadInput(
            "The size to draw at is out of range",
            value=f"{width} x {height}",
            limit=f"1 x 1 to {MAX_PIXELS} pixels",
            remedy="Choose another width and height.",
        )
    root = parse_svg(svg)
    box = viewport_of(root).box
    fix_widths(root, (width / box[2], height / box[3]))
    rows = height if b"%" in svg else max(1, _BAND_PIXELS // width)
    bands = []
    for top in range(0, height, rows):
        bands.append(_band(root, box, (width, height), (top, min(top + rows, height)), renderer))
        progress(min(top + rows, height) / height)
    return bands[0] if len(bands) == 1 else np.concatenate(bands)


def _band(root: Element, box: Box, size: tuple[int, int], span: tuple[int, int], renderer: str) -> NDArray[np.uint8]:
    """Rows span[0] to span[1] of the drawing at `size` (width, height)."""
    (width, height), (top, bottom) = size, span
    shown = (box[0], box[1] + box[3] * top / height, box[2], box[3] * (bottom - top) / height)
    root.attrib |= {
        "width": str(width),
        "height": str(bottom - top),
        "viewBox": " ".join(f"{value:.12g}" for value in shown),
        "preserveAspectRatio": "none",
    }
    image = _decode(_encode_png(serialize(root), renderer))
    if image.shape != (bottom - top, width, 4):
        raise EngineFailure(f"{renderer} drew {image.shape} instead of {(bottom - top, width, 4)}")
    return image


def render_to_width(
    svgs: Sequence[bytes], width: int, renderer: str = "resvg", progress: Progress = silent
) -> list[NDArray[np.uint8]]:
    """Draw several drawings at one width, 0 = each at its own; the height follows the drawing.

    Raises BadInput when there is none or when they do not all come out in one size.
    """
    sizes = [_size(svg, width) for svg in svgs]
    if len(set(sizes)) != 1:
        raise BadInput(
            "The drawings cannot make one batch",
            value=", ".join(f"{w} x {h}" for w, h in sizes) or "no drawing",
            limit="drawings of one size",
            remedy="Render them one by one, or give them one size first.",
        )
    return [
        render(svg, *size, renderer, part(progress, index / len(svgs), (index + 1) / len(svgs)))
        for index, (svg, size) in enumerate(zip(svgs, sizes, strict=True))
    ]


def render_within(svg: bytes, side: int) -> NDArray[np.uint8]:
    """Draw with `side` px as the longest side: (H, W, 4) as `render`."""
    own = viewport_of(parse_svg(svg))
    scale = side / max(own.width, own.height)
    return render(svg, max(1, round(own.width * scale)), max(1, round(own.height * scale)))


def _size(svg: bytes, width: int) -> tuple[int, int]:
    own = viewport_of(parse_svg(svg))
    scale = width / own.width if width else 1.0
    return max(1, round(own.width * scale)), max(1, round(own.height * scale))


def split_alpha(rgba: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(H, W, 4) -> colours (H, W, 3), white where nothing is visible, and alpha (H, W) 0..1, 1 = opaque."""
    rgb = np.where(rgba[..., 3:] > 0, rgba[..., :3], np.uint8(255))
    return rgb, (rgba[..., 3] / np.float32(255)).astype(np.float32)


def over_ground(rgba: NDArray[np.uint8], ground: tuple[int, int, int] = (255, 255, 255)) -> NDArray[np.uint8]:
    """(H, W, 4) straight alpha laid over a plain colour: (H, W, 3) uint8."""
    alpha = rgba[..., 3:].astype(np.uint32)
    mixed = rgba[..., :3] * alpha + np.array(ground, np.uint32) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _encode_png(svg: bytes, renderer: str) -> bytes:
    if renderer == "resvg":
        try:
            return resvg_py.svg_to_bytes(svg_string=svg.decode(), skip_system_fonts=True)
        except ValueError as error:
            raise EngineFailure(f"resvg cannot draw this SVG: {error}") from error
    if renderer != "cairosvg":
        raise BadInput("Unknown renderer", value=renderer, limit=" or ".join(RENDERERS), remedy="Choose one of them.")
    try:
        import cairosvg  # pyright: ignore[reportMissingImports]  (optional: it needs a system library)
    except (ImportError, OSError) as error:
        raise MissingPart(
            "The renderer cairosvg (or the system library cairo)",
            remedy="Choose renderer 'resvg', or run `pip install cairosvg` and install libcairo2.",
        ) from error
    png = cairosvg.svg2png(bytestring=svg)
    if not isinstance(png, bytes):
        raise EngineFailure("cairosvg returned no picture")
    return png


def _decode(png: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] not in (3, 4):
        raise EngineFailure("the renderer's PNG cannot be read")
    code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return cv2.cvtColor(image, code).astype(np.uint8, copy=False)
