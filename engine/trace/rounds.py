"""Circles and ellipses: an outline that is one becomes exactly that."""

import cv2
import numpy as np

from ..svg.path import Contour
from .outline import Outline

_SHARE = 0.6  # of the refit's tolerance
_CIRCLE = 0.12  # details: axes that differ by less are one radius
_KAPPA = 0.5522847498307936  # 4/3 (sqrt 2 - 1): handle length of a quarter circle


def ellipse(shape: Outline, tolerance: float) -> Contour | None:
    """Four cubics when every point of the outline lies within 0.6 tolerances of one ellipse, else None."""
    (cx, cy), (width, height), angle = cv2.fitEllipseDirect(shape.points.astype(np.float32))
    if not np.isfinite([cx, cy, width, height, angle]).all() or min(width, height) < 0.5:
        return None
    if abs(width - height) < max(2 * _CIRCLE, 0.01 * width):
        width = height = (width + height) / 2
        angle = 0.0
    turn = np.deg2rad(angle)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    radii = np.array([width, height]) / 2
    local = (shape.points - [cx, cy]) @ axes.T
    # First-order distance of a point from the ellipse f = 1: |f - 1| / |grad f|.
    value = np.sqrt(((local / radii) ** 2).sum(axis=1))
    slope = np.linalg.norm(local / radii**2, axis=1) / np.maximum(value, 1e-9)
    if (np.abs(value - 1) / np.maximum(slope, 1e-9)).max() > _SHARE * tolerance:
        return None
    unit = np.array([[1, 0], [1, _KAPPA], [_KAPPA, 1], [0, 1], [-_KAPPA, 1], [-1, _KAPPA], [-1, 0]])
    unit = np.vstack([unit, -unit[1:]])
    points = unit * radii @ axes + [cx, cy]
    return Contour(points[0], points[1:].reshape(4, 3, 2), np.zeros(4, bool))
