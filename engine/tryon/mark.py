"""The green mark on the person, which tells the model whether the garment goes on the upper or the lower body."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .frame import Photo, place_of

GREEN = (0.0, 1.0, 0.0)
_MARKED = 0.5  # of the mask's 0..1


def marked(person: Photo, mask: NDArray[np.float32] | None) -> Photo:
    """The framed person (H, W, 3) with the region green where the mask (h, w), 0..1, is above one half.

    The mask has the size of the picture before it was framed, or that of the frame. The person itself is returned
    when nothing is marked, or too little to be seen. Raises BadInput for a mask of another aspect.
    """
    if mask is None or not (mask > _MARKED).any():
        return person
    place = place_of(mask.shape[0], mask.shape[1], (person.shape[0], person.shape[1]), "mask")
    inner = np.asarray(Image.fromarray(mask).resize((place.width, place.height), Image.Resampling.BOX))
    if not (inner > _MARKED).any():
        return person
    green = person.copy()
    green[place.rows, place.columns][inner > _MARKED] = GREEN
    return green
