"""A picture before it is upscaled: where its palette is read and its regions are told apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from ..raster.denoise import calm
from .mixtures import CLEAN, COMPRESSED, Tolerances


@dataclass(frozen=True)
class Source:
    """rgb: (h, w, 3) bytes, compression ripples removed. compressed: whether there were any."""

    rgb: NDArray[np.uint8]
    compressed: bool

    @property
    def tolerances(self) -> Tolerances:
        """How exactly the pixels of this picture can be trusted."""
        return COMPRESSED if self.compressed else CLEAN


def read_source(rgb: NDArray[np.uint8], progress: Progress = silent) -> Source:
    """Judge a picture (h, w, 3) clean or compressed, and prepare it accordingly."""
    return Source(*calm(rgb, progress))
