"""Curves as points: as near as asked for, and no more points than that takes."""

import numpy as np
import pytest

from vectrahub.engine.svg.geometry import encloses, flattened
from vectrahub.engine.svg.path import Contour
from vectrahub.engine.svg.pathdata import read_contours


@pytest.mark.parametrize("tolerance", [0.5, 0.03])
@pytest.mark.parametrize("size", [1.0, 40.0, 5000.0])
def test_flattened_is_as_near_as_asked_for(size: float, tolerance: float) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        control = rng.random((4, 2)) * size
        contour = Contour(control[0], control[None, 1:], np.zeros(1, bool))
        points = flattened(contour, tolerance)
        t = np.linspace(0, 1, 2000)[:, None]
        curve = (1 - t) ** 3 * control[0] + 3 * (1 - t) ** 2 * t * control[1] + 3 * (1 - t) * t**2 * control[2]
        curve += t**3 * control[3]
        along = np.interp(t[:, 0], np.linspace(0, 1, len(points)), np.arange(len(points)))
        low = np.minimum(along.astype(int), len(points) - 2)
        drawn = points[low] + (along - low)[:, None] * (points[low + 1] - points[low])
        assert np.linalg.norm(drawn - curve, axis=1).max() <= tolerance
        assert len(points) <= 2 + np.sqrt(3 * size / tolerance) and (points[[0, -1]] == control[[0, 3]]).all()


def test_lines_keep_their_two_points() -> None:
    (contour,) = read_contours("M0 0L1000 0C1000 500 500 1000 0 1000L0 500z")
    points = flattened(contour, 0.1)
    assert (points[1] == [1000, 0]).all() and (points[-2:] == [[0, 1000], [0, 500]]).all() and len(points) > 20
    assert len(flattened(read_contours("M5 5z")[0], 0.1)) == 1


@pytest.mark.parametrize(
    ("data", "inside"),
    [
        ("M0 0L9 9", False),
        ("M0 0L9 9L3 3z", False),
        ("M0 0C1 1 2 2 3 3", False),
        ("M5 5z", False),
        ("M0 0L9 0L9 1", True),
        ("M0 0C1 9 2 -9 3 3", True),
        ("M0 0L9 9M0 0h1v1z", True),
    ],
)
def test_what_encloses_something(data: str, inside: bool) -> None:
    assert encloses(read_contours(data)) == inside
