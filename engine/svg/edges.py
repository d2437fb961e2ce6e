"""Whether two pictures have their edges at the same places."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color.spaces import srgb_to_lab
from ..errors import BadInput
from ..raster.resize import resize_lanczos

SIDE = 448  # px of the longest side at which edges are looked for
# Distances in px there. A step of a 200 x 200 canvas is 2.2: within 1.3 steps an edge is found, at 5 it is another.
# Between them it counts in part, since a drawing that is a little off is worth more than one that lacks the thing.
FOUND, LOST = 3.0, 12.0
# A step of d (CIELAB) answers with 2.7 d: 4 d of the Sobel kernel less what the blur takes.
_ANSWER = 2.7
_WEAK, _STRONG = 5.0, 10.0  # CIELAB distance of an edge that continues one, and of one that stands for itself
_BLUR = 1.0  # px (sigma): noise goes, and an edge drawn sharp looks like one that was photographed


def edge_map(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Edges of an (H, W, 3) sRGB picture as lines one pixel wide, (h, w) with 448 as the longest side.

    Canny's detector (1986) on the channel of CIELAB that changes most, so that red on green of equal lightness is
    an edge, too.
    """
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    sized = resize_lanczos(picture, max(1, round(width * scale)), max(1, round(height * scale)))
    lab = srgb_to_lab(sized) * np.float32(100) + np.array([0, 128, 128], np.float32)
    levels = cv2.GaussianBlur(np.rint(np.clip(lab, 0, 255)).astype(np.uint8), (0, 0), _BLUR)
    found = cv2.Canny(levels, _ANSWER * _WEAK, _ANSWER * _STRONG, L2gradient=True)
    return np.asarray(found) > 0


def edge_agreement(reference: NDArray[np.uint8], candidate: NDArray[np.uint8]) -> float:
    """F-measure (0..1) of the edges of two (H, W, 3) pictures of one size.

    The harmonic mean of two shares (Martin, Fowlkes and Malik, 2004): of the candidate's edge pixels, those that
    are edges of the reference, and the other way round. A pixel counts 1 within 3 px (at 448) of an edge, less
    further away, 0 from 12 px. 1 when neither picture has an edge, 0 when only one has. Raises BadInput when the
    sizes differ.
    """
    if reference.shape != candidate.shape:
        raise BadInput(
            "Two pictures of different size cannot be compared",
            value=candidate.shape,
            limit=reference.shape,
            remedy="Render the drawing at the reference's size.",
        )
    wanted, drawn = edge_map(reference), edge_map(candidate)
    if not wanted.any() or not drawn.any():
        return float(wanted.any() == drawn.any())
    precision, recall = _found(drawn, wanted), _found(wanted, drawn)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def _found(these: NDArray[np.bool_], those: NDArray[np.bool_]) -> float:
    distance = cv2.distanceTransform((~those).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(np.clip((LOST - distance[these]) / (LOST - FOUND), 0, 1).mean())
