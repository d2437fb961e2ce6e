"""How much of an edge pixel is drawing and how much ground, and the drawing's colour without the ground in it."""

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

REACH = 4  # pixels from the ground over which an edge may fade: a renderer needs 2, a soft generated edge 4
_STEP = 4.0  # levels of 0..255: a smaller rise is the flat inside
_STEP_SHARE = 0.04  # of the contrast that is reached, likewise
_OFF_LINE, _OFF_LINE_SHARE = 8.0, 0.08  # levels, and share of the contrast: more is another colour, not a mixture
_SLACK = 12.0  # levels by which a freed colour may differ from the colour it is a part of: noise, not ground
_TRUST = 300.0  # and more with each share of the pixel above half: there hardly any ground can be in it
_ROUGH = 2.0  # times more, in a compressed picture: its colour is coarser than its brightness
_THIN = 1.5  # pixels from the ground to the crest of a line that may be nowhere a full pixel wide
_ALONG = 2  # steps along such a line to where it covers most of a pixel
_NEXT = tuple(product(range(-1, 2), repeat=2))
_NEAR = tuple(product(range(-3, 4), repeat=2))


@dataclass(frozen=True)
class Behind:
    """What lies behind a drawing. Where `there` (H, W), nothing of the drawing is.

    color: of the ground, float32 sRGB 0..255 (H, W, 3), defined everywhere. veil: (H, W) 0..1, opacity of a black
    shadow on it.
    """

    there: NDArray[np.bool_]
    color: NDArray[np.float32]
    veil: NDArray[np.float32]


def unmix(
    rgb: NDArray[np.uint8],
    behind: Behind,
    distance: NDArray[np.float32],
    tolerance: NDArray[np.float32],
    compressed: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Straight colours (H, W, 3) and alpha (H, W): laid on the ground they give the picture again.

    An edge pixel is c = alpha * F + (1 - alpha) * B, in sRGB as stored, for that is how renderers blend. F is found
    uphill: from the pixel in steps to the neighbour that differs most from the ground, until it rises no more (the
    flat inside, or the crest of a thin line), as long as c stays on the straight line between F and B. A line that
    is thinner than a pixel covers most of one where it is darkest: its crest is followed a little way to there.
    distance: CIELAB distance / 100 from the ground (H, W); up to `tolerance` (H, W) it is noise, from twice that it
    is drawing. compressed: as JPEG does, colour strays from the line.
    """
    contrast = np.linalg.norm(rgb - behind.color, axis=2)
    noise = 40 * float(tolerance.min())
    at = np.flatnonzero(_edge(contrast, behind.there, 2 + noise))
    alpha = np.where(behind.there, behind.veil, np.float32(1)).astype(np.float32)
    out = rgb.copy()
    out[behind.there] = 0
    if not len(at):
        return out, alpha
    flat = rgb.reshape(-1, 3)
    pixel = flat[at].astype(np.float32)
    back, veil = _nearest(behind, at)
    climb = _Climb(rgb, contrast, max(_STEP, 3 * noise), _ROUGH if compressed else 1.0)
    color = climb.up(at, pixel - back, back, behind.there)
    toward = color - back
    share = np.einsum("nc,nc->n", pixel - back, toward) / np.maximum(np.einsum("nc,nc->n", toward, toward), 1e-6)
    ramp = np.clip(distance.ravel()[at] / np.maximum(tolerance.ravel()[at], 1e-6) - 1, 0, 1)
    share = np.clip(share, 0, 1) * ramp * ramp * (3 - 2 * ramp)
    total = share + (1 - share) * veil
    freed = (pixel - (1 - share)[:, None] * back) / np.maximum(share, 1e-3)[:, None]
    slack = (_SLACK + _TRUST * np.clip(share - 0.5, 0, None))[:, None]
    freed = np.clip(color + np.clip(freed - color, -slack, slack), 0, 255)
    freed = np.where((share >= 1)[:, None], pixel, freed * (share / np.maximum(total, 1e-6))[:, None])
    alpha.ravel()[at] = total
    out.reshape(-1, 3)[at] = np.rint(freed).astype(np.uint8)
    return out, alpha


def _edge(contrast: NDArray[np.float32], there: NDArray[np.bool_], slack: float) -> NDArray[np.bool_]:
    """Pixels of the drawing that are reached from the ground by never going down: not those behind a line."""
    window = np.ones((3, 3), np.uint8)
    reached = there.copy()
    for _ in range(REACH):
        lowest = cv2.erode(np.where(reached, contrast, np.float32(1e6)), window)
        reached |= lowest <= contrast + slack
    return reached & ~there


def _nearest(behind: Behind, at: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colour and veil behind the pixels `at`: the ground there, or the shadow beside them."""
    color = behind.color.reshape(-1, 3)[at]
    if not behind.veil.any():
        return color, np.zeros(len(at), np.float32)
    _, labels = cv2.distanceTransformWithLabels(
        (~behind.there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.asarray(labels, np.int32)
    where = np.zeros(int(nearest.max()) + 1, np.intp)
    seen = np.flatnonzero(behind.there)
    where[nearest.ravel()[seen]] = seen
    source = where[nearest.ravel()[at]]
    veil = behind.veil.ravel()[source]
    return color * (1 - veil)[:, None], veil


@dataclass(frozen=True)
class _Climb:
    """rgb (H, W, 3), contrast to the ground (H, W), the least rise in levels, and how far off the line is allowed."""

    rgb: NDArray[np.uint8]
    contrast: NDArray[np.float32]
    least: float
    loose: float

    def up(
        self, at: NDArray[np.intp], offset: NDArray[np.float32], back: NDArray[np.float32], there: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(n, 3): the colour of which each pixel is a part. offset: its own colour less the colour behind it."""
        place = at.copy()
        everyone = np.arange(len(at))
        self._walk(place, everyone, offset, back, _NEXT, REACH)
        depth = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
        thin = everyone[np.asarray(depth).ravel()[place] <= _THIN]
        self._walk(place, thin, offset, back, _NEAR, _ALONG)
        return self.rgb.reshape(-1, 3)[place].astype(np.float32)

    def _walk(
        self,
        place: NDArray[np.intp],
        going: NDArray[np.intp],
        offset: NDArray[np.float32],
        back: NDArray[np.float32],
        around: tuple[tuple[int, ...], ...],
        steps: int,
    ) -> None:
        """Move `place` of those `going` to the highest pixel `around`, at most so many times."""
        height, width = self.contrast.shape
        level = self.contrast.ravel()
        for _ in range(steps):
            rows, columns = np.divmod(place[going], width)
            best = place[going]
            for row, column in around:
                other = np.clip(rows + row, 0, height - 1) * width + np.clip(columns + column, 0, width - 1)
                best = np.where(level[other] > level[best], other, best)
            here = level[place[going]]
            higher = level[best] > here + np.maximum(self.least, _STEP_SHARE * here)
            going, best = going[higher], best[higher]
            if not len(going):
                return
            on_line = self._on_line(best, offset[going], back[going])
            going, best = going[on_line], best[on_line]
            place[going] = best

    def _on_line(
        self, best: NDArray[np.intp], offset: NDArray[np.float32], back: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        toward = self.rgb.reshape(-1, 3)[best] - back
        length = np.einsum("nc,nc->n", toward, toward)
        along = np.einsum("nc,nc->n", offset, toward) / np.maximum(length, 1e-6)
        off = np.linalg.norm(offset - along[:, None] * toward, axis=1)
        return off <= self.loose * (_OFF_LINE + _OFF_LINE_SHARE * np.sqrt(length))
