"""Pixel outlines become few lines and curves that stay where the shape was."""

import cv2
import numpy as np
import pytest

from vectrahub.engine.svg.path import Contour
from vectrahub.engine.trace.refit import refit
from vectrahub.tests.drawn_art import drawing

DETAIL = 4


def lattice(mask: np.ndarray) -> list[np.ndarray]:
    """The closed polygons of pixel corners around a mask (H, W) bool, holes included, each corner once."""
    tall = np.pad(mask, 1)
    step: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for dy, dx, first, second in (
        (-1, 0, (0, 0), (1, 0)),
        (1, 0, (1, 1), (0, 1)),
        (0, -1, (0, 1), (0, 0)),
        (0, 1, (1, 0), (1, 1)),
    ):
        inside = tall & ~np.roll(tall, (-dy, -dx), axis=(0, 1))
        for y, x in np.argwhere(inside):
            step.setdefault((x - 1 + first[0], y - 1 + first[1]), []).append((x - 1 + second[0], y - 1 + second[1]))
    polygons = []
    while step:
        start = here = next(iter(step))
        ring = []
        while True:
            ring.append(here)
            following = step[here].pop()
            if not step[here]:
                del step[here]
            here = following
            if here == start:
                break
        points = np.array(ring)
        turn = (np.roll(points, -1, axis=0) - points) != (points - np.roll(points, 1, axis=0))
        polygons.append(points[turn.any(axis=1)])
    return polygons


def mask_of(body: str, size: int = 64) -> np.ndarray:
    """A shape at 4 pixels a detail, its edges as exact as the pixels allow."""
    large = drawing(body, size * DETAIL * 4, size)
    return cv2.resize(large, (size * DETAIL,) * 2, interpolation=cv2.INTER_AREA)[..., 1] < 128


def points_of(contour: Contour, count: int = 40) -> np.ndarray:
    """Points along a contour."""
    t = np.linspace(0, 1, count, endpoint=False)[:, None]
    pen, parts = contour.start, []
    for (first, second, end), straight in zip(contour.curves, contour.lines, strict=True):
        if straight:
            parts.append(pen + (end - pen) * t)
        else:
            s = 1 - t
            parts.append(s**3 * pen + 3 * s**2 * t * first + 3 * s * t**2 * second + t**3 * end)
        pen = end
    parts.append(pen + (contour.start - pen) * t)
    return np.vstack(parts)


def dense(polygon: np.ndarray, spacing: float) -> np.ndarray:
    closed = np.vstack([polygon, polygon[:1]]).astype(float)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.arange(0, length[-1], spacing)
    return np.stack([np.interp(at, length, closed[:, 0]), np.interp(at, length, closed[:, 1])], axis=1)


def farthest(first: np.ndarray, second: np.ndarray) -> float:
    """The largest distance of a point of `first` from the nearest of `second`."""
    return max(float(np.linalg.norm(second - point, axis=1).min()) for point in first)


def corners_of(contour: Contour) -> np.ndarray:
    return np.vstack([contour.start, contour.curves[:, 2]])


@pytest.mark.parametrize(("radius", "center"), [(20.0, (32.0, 32.0)), (11.3, (30.7, 33.2)), (3.1, (20.4, 40.6))])
def test_a_circle_is_four_cubics(radius, center):
    body = f'<circle cx="{center[0]}" cy="{center[1]}" r="{radius}"/>'
    (contour,) = refit(lattice(mask_of(body)), DETAIL, 0.3)
    assert len(contour.curves) == 4 and not contour.lines.any() and contour.closed
    distance = np.linalg.norm(points_of(contour) - center, axis=1)
    assert np.abs(distance - radius).max() < 0.1


@pytest.mark.parametrize(("x", "y", "width", "height"), [(10, 12, 40, 30), (10.5, 12.25, 40.25, 7.5), (20, 20, 4, 30)])
def test_a_rectangle_is_four_lines(x, y, width, height):
    body = f'<rect x="{x}" y="{y}" width="{width}" height="{height}"/>'
    (contour,) = refit(lattice(mask_of(body)), DETAIL, 0.3)
    truth = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    assert contour.segments <= 5 and contour.lines.all()
    assert farthest(truth, corners_of(contour)) < 0.1
    assert farthest(corners_of(contour), truth) < 0.1


@pytest.mark.parametrize("angle", [10, 30, 45])
def test_a_turned_square_keeps_its_corners(angle):
    body = f'<rect x="16" y="16" width="32" height="32" transform="rotate({angle} 32 32)"/>'
    (contour,) = refit(lattice(mask_of(body)), DETAIL, 0.3)
    a = np.deg2rad(angle)
    truth = np.array([(-16, -16), (16, -16), (16, 16), (-16, 16)]) @ [[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]
    assert len(contour.curves) == 4 and contour.lines.all()
    assert farthest(truth + 32, corners_of(contour)) < 0.2


@pytest.mark.parametrize("radius", [4, 8, 12])
def test_a_rounded_rectangle_is_four_lines_and_few_curves(radius):
    body = f'<rect x="10" y="14" width="44" height="36" rx="{radius}"/>'
    mask = mask_of(body)
    (contour,) = refit(lattice(mask), DETAIL, 0.3)
    assert contour.lines.sum() == 4 and 4 <= (~contour.lines).sum() <= 8
    (polygon,) = lattice(mask)
    assert farthest(points_of(contour), dense(polygon / DETAIL, 0.05)) < 0.3 + 1 / DETAIL


def test_a_stars_tips_stay_sharp():
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radius = np.where(np.arange(10) % 2 == 0, 28, 11)
    truth = 32 + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    body = f'<polygon points="{" ".join(f"{x:.3f},{y:.3f}" for x, y in truth)}"/>'
    (contour,) = refit(lattice(mask_of(body)), DETAIL, 0.3)
    assert contour.lines.all() and len(contour.curves) <= 12
    assert farthest(truth, corners_of(contour)) < 0.45


def test_holes_are_kept():
    body = '<path fill-rule="evenodd" d="M8 8H56V56H8Z M20 20H44V44H20Z M32 26a6 6 0 1 0 .01 0Z"/>'
    contours = refit(lattice(mask_of(body)), DETAIL, 0.3)
    assert all(contour.segments <= 5 for contour in contours)
    assert sorted(bool(contour.lines.all()) for contour in contours) == [False, True, True]


def smooth_shape(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    radius = 18 + sum(rng.normal(0, 4.5 / order) * np.cos(order * angle + rng.uniform(0, 6.3)) for order in range(2, 7))
    points = 32 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    canvas = np.zeros((64 * DETAIL,) * 2, np.uint8)
    cv2.fillPoly(canvas, [np.rint(points * DETAIL * 16).astype(np.int32)], 1, shift=4)
    return canvas.astype(bool)


@pytest.mark.parametrize("tolerance", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_tolerance_is_obeyed(seed, tolerance):
    (polygon,) = lattice(smooth_shape(seed))
    (contour,) = refit([polygon], DETAIL, tolerance)
    truth, found = dense(polygon / DETAIL, 0.05), points_of(contour)
    limit = tolerance + 1 / DETAIL
    assert farthest(found, truth) < limit
    assert farthest(truth[::5], found) < limit
    assert len(contour.curves) <= 40


def test_looser_costs_less():
    (polygon,) = lattice(smooth_shape(3))
    costs = [len(refit([polygon], DETAIL, tolerance)[0].curves) for tolerance in (0.05, 0.3, 1.0)]
    assert costs == sorted(costs, reverse=True) and costs[0] > costs[-1]


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (60, 1), (2, 3)])
def test_the_smallest_shapes(size):
    mask = np.zeros((70, 70), bool)
    mask[4 : 4 + size[0], 4 : 4 + size[1]] = True
    contours = refit(lattice(mask), 1, 0.3)
    assert len(contours) == 1
    assert np.isfinite(contours[0].curves).all()
    found = points_of(contours[0])
    assert found.min() > 2.5 and found.max() < 4 + max(size) + 1.5


def test_nothing_gives_nothing_and_the_input_is_untouched():
    assert refit([], 4, 0.3) == []
    (polygon,) = lattice(mask_of('<circle cx="32" cy="32" r="9"/>'))
    before = polygon.copy()
    first, second = (refit([polygon], DETAIL, 0.3)[0] for _ in range(2))
    assert (polygon == before).all() and (first.curves == second.curves).all()
