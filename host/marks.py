"""Photos and what is marked on them: IMAGE and MASK of the nodes that repaint, 1 = marked."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .convert import Alpha, mask_to_planes, only_photo, plane_per_image


def images_to_photos(images: torch.Tensor) -> list[NDArray[np.float32]]:
    """IMAGE (B, H, W, 1..4) -> B arrays (H, W, 3) float32, 0..1, not rounded. Alpha channels are dropped.

    Raises BadInput for an empty batch, for an image without pixels and for pixels that are not numbers.
    """
    if images.ndim != 4 or len(images) == 0:
        return [only_photo("image", images)]  # which says what is wrong
    return [only_photo("image", image[None]) for image in images]


def mask_to_marks(mask: torch.Tensor, photos: Sequence[NDArray[np.float32]]) -> list[Alpha | None]:
    """MASK (N, H, W), 1 = marked -> a plane (h, w) per image, None where nothing is marked.

    No plane marks nothing, one stands for all images, and several over one image are marked all (detectors give a plane
    per thing found). Other sizes are resized to the image; no mark gets lost. Raises BadInput for another count.
    """
    if not len(mask):
        return [None] * len(photos)
    planes = mask_to_planes(mask)
    if len(photos) == 1 and len(planes) > 1:
        planes = [np.maximum.reduce(planes)]
    each = plane_per_image(planes, len(photos))
    return [_fitted(plane, photo) if plane.any() else None for plane, photo in zip(each, photos, strict=True)]


def marks_anything(mask: torch.Tensor) -> bool:
    """Whether a MASK, any of its planes, is above 0 somewhere; NaN is not."""
    return bool((mask.float() > 0).any())


def marked_percent(mask: torch.Tensor) -> float:
    """Share of a MASK, of all its planes together, that is above 0; NaN is not."""
    return round(100 * float((mask.float() > 0).float().mean()), 4) if mask.numel() else 0.0


def nothing_marked(mask: torch.Tensor) -> torch.Tensor:
    """An empty MASK of that one's size, with a plane at least, as other nodes want."""
    shape = (max(1, len(mask)), *mask.shape[1:]) if mask.ndim == 3 else mask.shape
    return mask.new_zeros(shape)


def _fitted(plane: Alpha, photo: NDArray[np.float32]) -> Alpha:
    """The plane at the photo's size: where it shrinks the most marked counts, else it is interpolated."""
    height, width = photo.shape[:2]
    for axis, size in ((0, height), (1, width)):
        own = plane.shape[axis]
        if own > size:  # up to the start of the next pixel, and up to its end: all that a pixel covers, in part too
            starts = np.arange(size) * own
            covered = (np.maximum.reduceat(plane, first, axis=axis) for first in (starts // size, -(-starts // size)))
            plane = np.maximum(*covered)
    if plane.shape != (height, width):
        plane = np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return plane
