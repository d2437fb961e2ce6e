"""What VTracer writes: paths of absolute commands, each with a fill and a translation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..svg.path import Contour
from ..svg.pathdata import read_contours

_PATH = re.compile(r'<path d="([^"]*)" fill="(#[0-9A-Fa-f]{6})" transform="translate\(([-\d.]+),([-\d.]+)\)"')
_LETTERS = re.compile(r"[ML,]")


@dataclass(frozen=True)
class TracedPath:
    """d: path data relative to (x, y), in pixels. fill: '#RRGGBB'."""

    d: str
    fill: str
    x: float
    y: float

    def polygons(self) -> list[NDArray[np.int64]]:
        """The lattice polygons (k, 2) of a path traced in mode "none"."""
        shift = np.array([round(self.x), round(self.y)])
        rings = (ring for ring in self.d.split("Z") if ring.strip())
        points = [np.array(_LETTERS.sub(" ", ring).split(), np.float64).astype(np.int64) for ring in rings]
        closed = [ring.reshape(-1, 2) + shift for ring in points]
        return [ring[:-1] if (ring[0] == ring[-1]).all() else ring for ring in closed if len(ring) > 3]

    def contours(self) -> list[Contour]:
        """The contours of a path traced in any mode, in pixels."""
        shift = np.array([self.x, self.y])
        return [
            Contour(contour.start + shift, contour.curves + shift, contour.lines, contour.closed)
            for contour in read_contours(self.d)
        ]


def read_paths(svg: str) -> Iterator[TracedPath]:
    """The paths of VTracer's output, bottom to top."""
    for d, fill, x, y in _PATH.findall(svg):
        yield TracedPath(d, fill.upper(), float(x), float(y))
