"""A picture in the colours of its palette: estimate or obey, snap, replace, and the same for opacity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, part, silent
from ..raster.alpha import bleed_colors, resize_alpha
from ..raster.gradients import has_gradients
from .estimate import estimate_colors
from .nearest import nearest_by_eye
from .obey import is_misread, is_shaded, obey_labels
from .palette import Palette, PaletteRequest, Remap
from .snap import snap_labels
from .source import Source, read_source
from .spaces import hex_to_rgb, rgb_to_hex, srgb_to_lab
from .specks import NOTHING, absorb_specks

TRANSPARENT = "transparent"

_OPACITY_LEVELS = 4
_FAINT = 0.1  # opacity: a colour stored multiplied by less is uncertain by five levels and more
_COMPRESSED_CLEANUP = 2.0  # source pixels: median window against what compression leaves on edges


@dataclass(frozen=True)
class Snapped:
    """rgb: (H, W, 3). alpha: (H, W) in a few levels, None = opaque. background: '#RRGGBB' or 'transparent'.

    compressed: whether the source showed compression noise. unused: asked-for colours that no pixel has.
    specks: how many patches were given to the colour around them.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32] | None
    palette: Palette
    background: str
    gradients: bool
    compressed: bool
    unused: tuple[str, ...]
    specks: int


def quantize(
    image: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None,
    reference: NDArray[np.uint8] | None,
    request: PaletteRequest,
    cleanup: float = -1.0,
    progress: Progress = silent,
    specks: float = 0.0,
) -> Snapped:
    """Snap an image (H, W, 3) with alpha (H, W) 0..1 to a palette.

    With fixed colours flat art is snapped to its own colours, each of which becomes the fixed one that looks most like
    it; a shaded picture, and one of more shades than colours can be found, is decided pixel by pixel (`obey`).

    reference: the picture before it was upscaled (h, w, 3), where colours are read; None = the image itself, which
    is read too where it was shrunk: it has every colour and less to look at.
    cleanup: median window in pixels of the reference, 0..4; -1 = by need. specks: percent of the image, 0..100; patches
    of one colour (8 neighbours) below it take the commonest colour around them.
    """
    original = image if reference is None or reference.size > image.size else reference
    height, width = original.shape[:2]
    small_alpha = resize_alpha(alpha, width, height)
    progress(0.01)
    original = bleed_colors(original, small_alpha, progress=part(progress, 0.01, 0.03))
    progress(0.03)
    source = read_source(original, part(progress, 0.03, 0.1))
    visible = None if small_alpha is None else np.asarray(small_alpha >= _FAINT)
    progress(0.1)
    gradients = has_gradients(original, part(progress, 0.1, 0.12))
    progress(0.12)
    by_pixel = bool(request.fixed) and is_shaded(source, gradients)
    if by_pixel:
        colors = _wanted(source, visible, request, part(progress, 0.12, 0.25))
    else:
        # As many colours as were given need no other limit.
        count = request.count if request.count < len(request.fixed) or not request.fixed else 0
        colors = estimate_colors(source, visible, count, part(progress, 0.12, 0.22))
        if request.fixed and not count and _is_misread(source, visible, colors, request, part(progress, 0.22, 0.24)):
            by_pixel, colors = True, _wanted(source, visible, request, part(progress, 0.24, 0.25))
    table, transparent = _targets(colors, request)
    progress(0.25)
    if cleanup < 0:
        cleanup = _COMPRESSED_CLEANUP if source.compressed else 0.0
    window = round(cleanup * image.shape[1] / width)
    snap = obey_labels if by_pixel else snap_labels
    labels = snap(image, source, colors, window, part(progress, 0.25, 0.7))
    levels = _snap_alpha(alpha, small_alpha, part(progress, 0.7, 0.8))
    if transparent.any():
        levels = np.where(transparent[labels], np.float32(0), np.float32(1) if levels is None else levels)
    labels, removed = _without_specks(labels, levels, table, specks, part(progress, 0.8, 0.95))
    progress(0.95)
    shown = np.bincount(labels.reshape(-1) if levels is None else labels[levels > 0], minlength=len(colors))
    source_height, source_width = (image if reference is None else reference).shape[:2]
    palette = Palette(_by_area(table, shown), source_width, source_height)
    progress(1.0)
    return Snapped(
        table[labels],
        levels,
        palette,
        _background(labels, levels, table),
        gradients,
        source.compressed,
        tuple(color for color in request.fixed if color not in palette.colors),
        removed,
    )


def _is_misread(
    source: Source,
    visible: NDArray[np.bool_] | None,
    colors: NDArray[np.uint8],
    request: PaletteRequest,
    progress: Progress,
) -> bool:
    table, _ = _targets(colors, replace(request, remaps=()))
    return is_misread(source, visible, colors, table, hex_to_rgb(request.fixed), progress)


def _wanted(
    source: Source, visible: NDArray[np.bool_] | None, request: PaletteRequest, progress: Progress
) -> NDArray[np.uint8]:
    """The fixed colours; where fewer are asked for, those that most of the picture looks like."""
    wanted = hex_to_rgb(request.fixed)
    if not 0 < request.count < len(wanted):
        return wanted
    label = nearest_by_eye(source.rgb, wanted, progress)
    area = np.bincount(label.reshape(-1) if visible is None else label[visible], minlength=len(wanted))
    return wanted[np.sort(np.argsort(-area, kind="stable")[: request.count])]


def _without_specks(
    labels: NDArray[np.uint8],
    levels: NDArray[np.float32] | None,
    table: NDArray[np.uint8],
    percent: float,
    progress: Progress,
) -> tuple[NDArray[np.uint8], int]:
    """The labels without patches of one colour below the limit, and how many there were. Labels of one colour join."""
    least = percent / 100 * labels.size
    if least <= 1:
        return labels, 0
    alike = (table[:, None] == table[None]).all(axis=2).argmax(axis=1).astype(np.uint8)[labels]
    if levels is None:
        return absorb_specks(alike, least, progress)
    hidden = levels == 0
    found, removed = absorb_specks(np.where(hidden, np.uint8(NOTHING), alike), least, progress)
    return np.where(hidden, alike, found), removed


def _targets(colors: NDArray[np.uint8], request: PaletteRequest) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """What each found colour becomes, and whether it becomes transparent."""
    table = colors.copy()
    if request.fixed:
        wanted = hex_to_rgb(request.fixed)
        table = wanted[nearest_by_eye(colors, wanted)]
    transparent = np.zeros(len(table), bool)
    for remap in request.remaps:
        hit = _within(table, remap)
        if remap.target is None:
            transparent |= hit
        else:
            table[hit] = hex_to_rgb((remap.target,))[0]
    return table, transparent


def _within(colors: NDArray[np.uint8], remap: Remap) -> NDArray[np.bool_]:
    gap = srgb_to_lab(colors) - srgb_to_lab(hex_to_rgb((remap.source,)))
    return np.linalg.norm(gap, axis=1) <= remap.tolerance + 1e-6


def _by_area(table: NDArray[np.uint8], shown: NDArray[np.int64]) -> tuple[str, ...]:
    """The distinct colours in use, largest area first."""
    area: dict[str, int] = {}
    for color, pixels in zip(rgb_to_hex(table), shown.tolist(), strict=True):
        if pixels:
            area[color] = area.get(color, 0) + pixels
    return tuple(sorted(area, key=lambda color: (-area[color], color)))


def _snap_alpha(
    alpha: NDArray[np.float32] | None, small: NDArray[np.float32] | None, progress: Progress
) -> NDArray[np.float32] | None:
    """Opacity in at most four levels, edges at their half-way; None when all is opaque."""
    if alpha is None or small is None:
        return None
    grey = _grey(alpha)
    progress(0.1)
    source = read_source(_grey(small), part(progress, 0.1, 0.2))
    levels = estimate_colors(source, None, _OPACITY_LEVELS, part(progress, 0.2, 0.4))
    share = levels[:, 0].astype(np.float32) / 255
    share = np.select([share < 0.04, share > 0.96], [np.float32(0), np.float32(1)], share)
    snapped = share[snap_labels(grey, source, levels, 0, part(progress, 0.4, 1))]
    return None if (snapped == 1).all() else snapped


def _grey(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Opacity (H, W) as a picture."""
    return np.asarray(cv2.cvtColor(np.rint(plane * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)


def _background(labels: NDArray[np.uint8], levels: NDArray[np.float32] | None, table: NDArray[np.uint8]) -> str:
    """The colour of most of the picture's border."""
    rim = _rim(labels)
    if levels is not None:
        visible = _rim(levels) > 0
        if 2 * visible.sum() < len(rim):
            return TRANSPARENT
        rim = rim[visible]
    counts = np.zeros(len(table), np.int64)
    np.add.at(counts, rim, 1)
    return rgb_to_hex(table[[_commonest(counts, table)]])[0]


def _commonest(counts: NDArray[np.int64], table: NDArray[np.uint8]) -> int:
    """Labels of one colour count together."""
    same = (table[:, None] == table[None]).all(axis=2)
    return int((same @ counts).argmax())


def _rim(plane: NDArray) -> NDArray:
    sides: Sequence[NDArray] = (plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1])
    return np.concatenate(sides)
