"""Raster to drawing: colours to shapes by VTracer, outlines to paths by VTracer or by the refit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..progress import Progress, part, silent
from ..svg.document import Drawing, Shape
from ..svg.path import Contour
from .labels import EMPTY, MAX_COLORS, Labelled, ground_apart, label_image
from .layers import Layer, layers, painting_order
from .options import TraceOptions
from .refit import refit
from .regions import absorb_specks, find_regions
from .vtracer_process import run_vtracer
from .vtracer_svg import TracedPath, read_paths

MAX_PIXELS = 64_000_000
_UNDERLAP = 0.6  # details that a layer runs on below a higher one


@dataclass(frozen=True)
class Traced:
    """The drawing; which hierarchy was used, and why if another one was asked for."""

    drawing: Drawing
    hierarchy: str
    reason: str


def trace(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None,
    options: TraceOptions,
    source_size: tuple[int, int] | None = None,
    progress: Progress = silent,
) -> Traced:
    """Trace an image (H, W, 3) with alpha (H, W) 0..1, or None for opaque.

    source_size: width and height before upscaling; the drawing has that size and the options' lengths
    are in those pixels. None = the image's own. Raises BadInput over 64 MP, EngineFailure if VTracer fails.
    """
    height, width = rgb.shape[:2]
    if height * width > MAX_PIXELS:
        raise BadInput(
            "The image to trace is too large",
            value=f"{width} x {height}",
            limit=f"{MAX_PIXELS // 1_000_000} megapixels",
            remedy="Put ESRGAN12MP before, it ends at 12 MP.",
        )
    size = source_size or (width, height)
    detail = max(1.0, width / size[0])
    options, reason, labelled = _possible(rgb, alpha, options)
    if labelled is not None:
        shapes = _by_layers(labelled, options, detail, progress)
    else:
        shapes = _by_vtracer(rgb, alpha, options, detail, progress)
    drawing = Drawing(width / detail, height / detail, tuple(shape for shape in shapes if shape.contours))
    return Traced(drawing.resized(*size), options.hierarchy, reason)


def _possible(
    rgb: NDArray[np.uint8], alpha: NDArray[np.float32] | None, options: TraceOptions
) -> tuple[TraceOptions, str, Labelled | None]:
    """The options that this image admits, why they differ, and its labels when it goes by layers."""
    reason = ""
    if options.hierarchy == "layers":
        labelled = label_image(rgb, alpha)
        if labelled is not None:
            return options, reason, labelled
        options = replace(options, hierarchy="stacked")
        reason = f"more than {MAX_COLORS} colours: put PaletteSnap before to trace by layers"
    if alpha is not None and options.hierarchy == "stacked":
        options = replace(options, hierarchy="cutout")
        reason = "; ".join(filter(None, [reason, "transparency: stacked shapes cannot have holes, cut out instead"]))
    return options, reason, None


def _by_layers(labelled: Labelled, options: TraceOptions, detail: float, progress: Progress) -> list[Shape]:
    regions = find_regions(labelled.labels, part(progress, 0, 0.2))
    label = absorb_specks(regions, (options.filter_speckle * detail) ** 2)
    label, labelled = ground_apart(labelled, regions, label)
    opaque = [opacity == 1 for opacity in labelled.opacities]
    opaque += [False] * (EMPTY + 1 - len(opaque))
    order = painting_order(label, regions.area, opaque)
    plates: list[Layer] = []
    for plate in layers(regions, label, order, opaque, EMPTY, max(1, round(_UNDERLAP * detail))):
        plates.append(plate)
        progress(0.2 + 0.1 * len(plates) / len(order))
    keywords = {**options.vtracer(detail), "colormode": "binary", "filter_speckle": 0}
    stencils = [np.where(plate.mask, np.uint8(0), np.uint8(255)) for plate in plates]
    drawn = run_vtracer(stencils, keywords, part(progress, 0.3, 0.5))
    result = []
    for number, (plate, svg) in enumerate(zip(plates, drawn, strict=True)):
        step = part(progress, 0.5 + 0.5 * number / len(plates), 0.5 + 0.5 * (number + 1) / len(plates))
        paths = [replace(path, x=path.x + plate.x, y=path.y + plate.y) for path in read_paths(svg)]
        seen = _seen(plate, regions.index, label)
        contours = _contours(paths, options, detail, seen, step)
        result.append(Shape(tuple(contours), labelled.fills[plate.label], labelled.opacities[plate.label]))
    return result


def _seen(plate: Layer, index: NDArray[np.int32], label: NDArray[np.int64]) -> tuple[NDArray[np.bool_], int, int]:
    """Pixels that the plate's own regions touch, in the plate's window, and where the window lies."""
    height, width = plate.mask.shape
    own = (label == plate.label)[index[plate.y : plate.y + height, plate.x : plate.x + width]]
    return cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool), plate.x, plate.y


def _by_vtracer(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None,
    options: TraceOptions,
    detail: float,
    progress: Progress,
) -> list[Shape]:
    image, key = rgb, None
    if alpha is not None:
        # VTracer keys transparency out only when there is much of it; a colour of its own always works.
        key = _unused_color(rgb)
        image = np.where(alpha[..., None] >= 0.5, rgb, key)
    (svg,) = run_vtracer([image], options.vtracer(detail), part(progress, 0, 0.6))
    paths = [path for path in read_paths(svg) if key is None or not _is_key(path.fill, key)]
    result = []
    for number, path in enumerate(paths):
        progress(0.6 + 0.4 * number / len(paths))
        result.append(Shape(tuple(_contours([path], options, detail, None, silent)), path.fill))
    return result


def _contours(
    paths: Sequence[TracedPath],
    options: TraceOptions,
    detail: float,
    seen: tuple[NDArray[np.bool_], int, int] | None,
    progress: Progress,
) -> list[Contour]:
    if options.mode == "refit":
        polygons = [polygon for path in paths for polygon in path.polygons()]
        return refit(polygons, detail, options.tolerance, seen, progress)
    return [contour.scaled(1 / detail, 1 / detail) for path in paths for contour in path.contours()]


def _unused_color(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The corner or face of the colour cube that is farthest from every colour of the image."""
    cells = np.unique((rgb >> 4).reshape(-1, 3).astype(np.uint32) @ np.array([256, 16, 1], np.uint32))
    used = np.stack([cells >> 8, cells >> 4 & 15, cells & 15], axis=1).astype(np.int32) * 16 + 8
    levels = np.array([0, 128, 255])
    candidates = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.abs(candidates[:, None] - used[None]).max(axis=2).min(axis=1)
    return candidates[distance.argmax()].astype(np.uint8)


def _is_key(fill: str, key: NDArray[np.uint8]) -> bool:
    return bool(np.abs(np.array(list(bytes.fromhex(fill[1:])), np.int32) - key).max() <= 2)
