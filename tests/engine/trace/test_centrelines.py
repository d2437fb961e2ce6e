"""Known strokes give back their course and width; areas give none."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vectrahub.engine.svg.geometry import outline
from vectrahub.engine.trace.centrelines import Centreline, centrelines


def found(*strokes: tuple[slice, slice]) -> list[Centreline]:
    area = np.zeros((300, 300), bool)
    for rows, columns in strokes:
        area[rows, columns] = True
    return centrelines(area, 12)


def ends(line: Centreline) -> NDArray[np.float64]:
    return np.stack(sorted([line.contour.start, line.contour.curves[-1, 2]], key=sum))


@pytest.mark.parametrize("width", [2, 3, 4, 7, 10])
def test_a_straight_line_is_one_line(width: int) -> None:
    (line,) = found(np.s_[100 : 100 + width, 50:250])
    middle = 100 + width / 2
    assert line.contour.lines.tolist() == [True] and not line.contour.closed
    assert np.abs(ends(line) - [[50, middle], [250, middle]]).max() <= 0.3
    assert abs(line.width - width) <= 0.3 and abs(line.length - 200) <= 1


@pytest.mark.parametrize("angle", [7, 30, 45, 77])
def test_a_slanted_line_lies_in_the_middle(angle: int) -> None:
    way = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    grid = np.stack(np.meshgrid(np.arange(300) + 0.5, np.arange(300) + 0.5), axis=2) - 150
    area = (np.abs(grid @ way) <= 100) & (np.abs(grid @ [-way[1], way[0]]) <= 3)
    (line,) = centrelines(area, 12)
    assert np.abs(ends(line) - [150 - 100 * way, 150 + 100 * way]).max() <= 1
    assert np.abs((outline(line.contour) - 150) @ [-way[1], way[0]]).max() <= 0.4 and abs(line.width - 6) <= 0.4


@pytest.mark.parametrize("squeeze", [1.0, 0.6])
def test_a_ring_is_closed(squeeze: float) -> None:
    y, x = np.mgrid[:300, :300] + 0.5
    radius = np.hypot(x - 150, (y - 150) / squeeze)
    slope = np.hypot(x - 150, (y - 150) / squeeze**2) / np.maximum(radius, 1)
    (line,) = centrelines(np.abs(radius - 100) <= 3 * slope, 12)
    points = outline(line.contour) - 150
    assert line.contour.closed and abs(line.width - 6) <= 0.4
    assert np.abs(np.hypot(points[:, 0], points[:, 1] / squeeze) - 100).max() <= 0.8


def test_a_wheel_is_a_closed_rim_and_its_spokes() -> None:
    y, x = np.mgrid[:300, :300] + 0.5
    radius = np.hypot(x - 150, y - 150)
    turns = [np.deg2rad(72 * spoke - 90) for spoke in range(5)]
    ways = [
        ((x - 150) * np.cos(t) + (y - 150) * np.sin(t), (y - 150) * np.cos(t) - (x - 150) * np.sin(t)) for t in turns
    ]
    spokes = np.any([(along > 0) & (along < 100) & (np.abs(aside) < 4) for along, aside in ways], axis=0)
    lines = centrelines((np.abs(radius - 100) < 3) | spokes | (radius < 20), 12)
    rim = [line for line in lines if line.contour.closed]
    assert len(rim) == 1 and len(lines) == 6
    points = outline(rim[0].contour) - 150
    assert np.abs(np.hypot(points[:, 0], points[:, 1]) - 100).max() <= 1.2
    tips = np.concatenate([ends(line) - 150 for line in lines if not line.contour.closed])
    assert np.abs(np.sort(np.hypot(tips[:, 0], tips[:, 1]))[5:] - 100).max() <= 3  # they end inside the rim


def test_a_seam_between_areas_is_no_line() -> None:
    assert found(np.s_[100:101, 50:250]) == []


def test_a_cross_is_two_lines_through_one_point() -> None:
    lines = found(np.s_[146:154, 50:250], np.s_[50:250, 146:154])
    assert len(lines) == 2
    for line in lines:
        assert np.abs(ends(line).mean(axis=0) - 150).max() <= 0.3 and abs(line.length - 200) <= 1


def test_a_stem_ends_on_its_bar() -> None:
    bar, stem = sorted(found(np.s_[96:104, 50:250], np.s_[104:250, 146:154]), key=lambda line: -line.length)
    assert np.abs(ends(bar) - [[50, 100], [250, 100]]).max() <= 0.3
    assert np.abs(ends(stem) - [[150, 100], [150, 250]]).max() <= 0.5


def test_corners_stay_sharp() -> None:
    (frame,) = found(np.s_[50:250, 50:58], np.s_[50:250, 242:250], np.s_[50:58, 50:250], np.s_[242:250, 50:250])
    assert frame.contour.closed and frame.contour.lines.all() and len(frame.contour.lines) == 4
    assert np.abs(np.abs(frame.contour.curves[:, 2] - 150) - 96).max() <= 0.3
    (angle,) = found(np.s_[50:250, 50:58], np.s_[242:250, 50:250])
    assert angle.contour.lines.tolist() == [True, True]
    assert np.abs(angle.contour.curves[0, 2] - [54, 246]).max() <= 0.5


def test_rods_of_a_body_but_not_the_body() -> None:
    lines = found(np.s_[130:170, 100:200], np.s_[147:153, 20:280])
    assert len(lines) == 2 and all(abs(line.width - 6) <= 0.3 for line in lines)
    assert all(abs(line.contour.start[1] - 150) <= 0.3 and 75 <= line.length <= 90 for line in lines)


@pytest.mark.parametrize("shape", ["square", "disk", "wedge", "spots", "star", "nothing"])
def test_areas_have_no_line(shape: str) -> None:
    area = np.zeros((300, 300), np.uint8)
    if shape == "square":
        area[50:250, 50:250] = 1
    elif shape == "disk":
        cv2.circle(area, (150, 150), 90, 1, -1)
    elif shape == "wedge":
        cv2.fillPoly(area, [np.array([[50, 150], [250, 130], [250, 170]])], (1,))
    elif shape == "spots":
        area[::20, ::20] = area[1::20, ::20] = area[::20, 1::20] = 1
    elif shape == "star":
        turn = np.arange(10) * np.pi / 5
        radius = np.where(np.arange(10) % 2, 45, 110)[:, None]
        cv2.fillPoly(area, [(150 + radius * np.stack([np.sin(turn), np.cos(turn)], axis=1)).astype(np.int32)], (1,))
    assert centrelines(area > 0, 12) == []


def test_lines_paint_nothing_but_their_area() -> None:
    for seed in range(6):
        noise = cv2.GaussianBlur(np.random.default_rng(seed).random((300, 300)), (0, 0), 4)
        area = np.abs(noise - 0.5) < 0.012  # contours: lines of uneven width with many junctions
        painted = np.zeros(area.shape, np.uint8)
        lines = centrelines(area, 12)
        for line in lines:
            points = np.rint((outline(line.contour) - 0.5) * 16).astype(np.int32)
            cv2.polylines(painted, [points], line.contour.closed, 1, max(1, round(line.width) - 2), shift=4)
        wide = cv2.dilate(area.astype(np.uint8), np.ones((3, 3), np.uint8))
        stray = cv2.morphologyEx(painted & (1 - wide), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        assert len(lines) > 3 and stray.sum() <= 0.01 * painted.sum(), seed


def test_progress_goes_on_and_can_cancel() -> None:
    area = np.zeros((300, 300), bool)
    area[10::20, 5:290] = area[11::20, 5:290] = True
    shares: list[float] = []
    centrelines(area, 12, shares.append)
    assert shares == sorted(shares) and 0.9 <= shares[-1] <= 1

    def stop(share: float) -> None:
        if share > 0.3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        centrelines(area, 12, stop)


def drawn(line: Centreline) -> NDArray[np.float64]:
    """Points of the curves themselves."""
    starts = np.concatenate([line.contour.start[None], line.contour.curves[:-1, 2]])
    control = np.concatenate([starts[:, None], line.contour.curves], axis=1)
    t = np.linspace(0, 1, 200)
    basis = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return (basis @ control).reshape(-1, 2)


@pytest.mark.parametrize("thickness", [8, 20])
@pytest.mark.parametrize("radius", [100, 300, 560, 900])
def test_a_large_ring_is_one_line(radius: int, thickness: int) -> None:
    middle = radius + 30
    y, x = np.ogrid[: 2 * middle, : 2 * middle]
    away = np.hypot(x + 0.5 - middle, y + 0.5 - middle)
    (line,) = centrelines(np.abs(away - radius) <= thickness / 2, 30)
    assert line.contour.closed and abs(line.width - thickness) <= 0.3
    assert np.abs(np.linalg.norm(drawn(line) - middle, axis=1) - radius).max() <= 0.4


@pytest.mark.parametrize("radius", [3000, 8000])
def test_a_long_shallow_arc_is_one_line(radius: int) -> None:
    y, x = np.ogrid[:400, :1800]
    away = np.hypot(x + 0.5 - 900, y + 0.5 - radius - 40)
    (line,) = centrelines(np.abs(away - radius) <= 4, 30)
    assert not line.contour.closed and line.length > 1800
    assert np.abs(np.linalg.norm(drawn(line) - [900, radius + 40], axis=1) - radius).max() <= 0.4


def test_a_long_wave_is_one_line() -> None:
    y, x = np.ogrid[:600, :2400]
    wave = np.abs(y - 300 - 200 * np.sin(x / 180)) <= 4 * np.hypot(1, 200 / 180 * np.cos(x / 180))
    (line,) = centrelines(wave, 30)
    assert abs(line.width - 8) <= 0.4 and line.length > 3000


def test_a_long_ring_of_waves_is_one_line() -> None:
    y, x = np.mgrid[:1400, :1400] - 699.5
    lobes = 600 + 10 * np.sin(30 * np.arctan2(y, x) + 0.5)
    (line,) = centrelines(np.abs(np.hypot(x, y) - lobes) <= 4, 25)
    points = drawn(line) - 700
    course = 600 + 10 * np.sin(30 * np.arctan2(points[:, 1], points[:, 0]) + 0.5)
    assert line.contour.closed and np.abs(np.hypot(*points.T) - course).max() <= 2
