"""Real transparency for a drawing on a plain ground: the ground is found, not hoped for."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color.spaces import srgb_to_lab
from ..errors import BadInput
from ..progress import Progress, silent
from ..svg.background import GROUND_SHARE, ONE_PART
from .alpha import INVISIBLE, bleed_colors
from .ground_color import Ground, distance, follow_ground, lab_of, limit_beside_edges, read_ground
from .shadow import with_shadow
from .unmix import Behind, unmix

HOLES = ("outside", "everywhere")
AUTOMATIC = -1.0
_OPAQUE = 250 / 255
_SPECK = 2.0  # times the tolerance: what is nowhere further from the ground is noise in it
_ROUNDS = 2  # of finding the ground and bending its surface to what was found


@dataclass(frozen=True)
class CutOut:
    """rgb: uint8 (H, W, 3), straight colours freed of the ground. alpha: float32 (H, W), None = all opaque.

    ground: '#RRGGBB' that was taken away, or "". reason: what was done, or why not. share: of the pixels that
    became more transparent than visible (0..1).
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32] | None
    ground: str
    reason: str
    share: float


def cut_out(
    rgb: NDArray[np.uint8],
    alpha: NDArray[np.float32] | None = None,
    holes: str = "outside",
    tolerance: float = AUTOMATIC,
    progress: Progress = silent,
) -> CutOut:
    """Take the plain ground of a drawing away. rgb: (H, W, 3); alpha: (H, W) 0..1 that it has already, or None.

    The ground is what has the smooth colour of at least GROUND_SHARE of the border, ONE_PART of it in one piece.
    holes: "outside" takes what is connected with the border, so a white eye in a dark owl on white stays;
    "everywhere" takes the colour wherever it is. tolerance: CIELAB distance / 100 that is still ground, -1 = from
    the noise of the border. Soft shadows on the ground become translucent black. Without such a ground, or with
    nothing but it, the picture comes back as it is and `reason` says why. Raises BadInput for other `holes` or a
    tolerance outside -1..1.
    """
    _check(holes, tolerance)
    opaque = np.ones(rgb.shape[:2], bool) if alpha is None else alpha >= _OPAQUE

    def kept(reason: str) -> CutOut:
        return CutOut(rgb, alpha, "", f"kept: {reason}", 0.0)

    if _ring(opaque).mean() < GROUND_SHARE:
        return kept("the border is transparent already")
    calm = np.asarray(cv2.GaussianBlur(rgb, (3, 3), 0.8), np.uint8)
    ground = read_ground(calm, opaque, tolerance)
    progress(0.1)
    if ground is None or ground.share < GROUND_SHARE:
        return kept(f"no plain colour covers {GROUND_SHARE:.0%} of the border")
    hidden = np.zeros_like(opaque) if alpha is None else alpha <= INVISIBLE
    found = _find(rgb, calm, ground, opaque, hidden, tolerance < 0, progress)
    if not _in_one_piece(found.outside):
        return kept(f"the border's colour {ground.color} lies there in pieces: a field, not a ground")
    there = found.everywhere if holes == "everywhere" else found.outside
    there, veil = with_shadow(calm, found.surface, there, opaque | hidden, ground.tolerance)
    progress(0.7)
    there |= _specks(found.apart, there, found.limit)
    progress(0.75)
    colors, opacity = unmix(rgb, Behind(there, found.surface, veil), found.raw, found.limit, found.compressed)
    if alpha is not None:
        opacity *= alpha
    if opacity.max() < 0.5:
        return kept(f"there is nothing but the ground {ground.color}")
    progress(0.9)
    share = float((opacity < 0.5).mean() - (0.0 if alpha is None else (alpha < 0.5).mean()))
    return CutOut(bleed_colors(colors, opacity, 0.0), opacity, ground.color, f"removed: {ground.color}, {holes}", share)


@dataclass(frozen=True)
class _Found:
    """Where the ground is, and how far each pixel is from its colour (CIELAB / 100): raw, apart (noise smoothed)."""

    outside: NDArray[np.bool_]
    everywhere: NDArray[np.bool_]
    surface: NDArray[np.float32]
    raw: NDArray[np.float32]
    apart: NDArray[np.float32]
    limit: NDArray[np.float32]
    compressed: bool


def _find(
    rgb: NDArray[np.uint8],
    calm: NDArray[np.uint8],
    ground: Ground,
    opaque: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    automatic: bool,
    progress: Progress,
) -> _Found:
    surface = ground.surface
    raw_lab = srgb_to_lab(rgb)
    progress(0.15)
    calm_lab = srgb_to_lab(calm)
    turn = 0
    while True:
        behind = lab_of(surface)
        progress(0.2 + 0.15 * turn)
        raw = distance(raw_lab, behind)
        apart = np.minimum(raw, distance(calm_lab, behind))
        progress(0.25 + 0.15 * turn)
        if turn == _ROUNDS:
            break
        turn += 1
        outside = _touching((apart <= ground.tolerance) & opaque | hidden)
        progress(0.15 + 0.15 * turn)
        bent = follow_ground(calm, outside & opaque, surface)
        if bent is surface:
            break
        surface = bent
    limit, compressed = np.full(raw.shape, ground.tolerance, np.float32), False
    if automatic:
        limit, compressed = limit_beside_edges(apart, raw, ground.tolerance)
    everywhere = (apart <= limit) & opaque | hidden
    return _Found(_touching(everywhere), everywhere, surface, raw, apart, limit, compressed)


def _check(holes: str, tolerance: float) -> None:
    if holes not in HOLES:
        raise BadInput(
            "Unknown kind of ground to take away",
            value=repr(holes),
            limit=" | ".join(HOLES),
            remedy="Choose one of them.",
        )
    if not (tolerance == AUTOMATIC or 0 <= tolerance <= 1):
        raise BadInput(
            "Tolerance out of range", value=tolerance, limit="0..1, or -1 = automatic", remedy="Try -1, or 0.05."
        )


def _ring(plane: NDArray) -> NDArray:
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])


def _touching(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces (by sides) of a mask that touch the border."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    labels = np.asarray(labels, np.int32)
    outer = np.zeros(int(labels.max()) + 1, bool)
    outer[_ring(labels)] = True
    outer[0] = False
    return outer[labels]


def _in_one_piece(mask: NDArray[np.bool_]) -> bool:
    ring = _ring(np.asarray(cv2.connectedComponents(mask.astype(np.uint8))[1]))
    counts = np.bincount(ring)[1:]
    return bool(len(counts)) and counts.max() >= ONE_PART * len(ring)


def _specks(apart: NDArray[np.float32], there: NDArray[np.bool_], limit: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pieces of the rest that differ nowhere enough from the ground."""
    count, labels = cv2.connectedComponents((~there).astype(np.uint8))
    labels = np.asarray(labels, np.int32)
    clear = np.bincount(labels.ravel(), (apart > _SPECK * limit).ravel(), count) > 0
    clear[0] = True
    return ~clear[labels]
