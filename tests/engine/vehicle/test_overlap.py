"""How much of a silhouette is kept, and how strengths are raised."""

from __future__ import annotations

import numpy as np
import pytest

from vectrahub.engine.vehicle.silhouette import Strengths, overlap


def block(height: int, width: int, left: float, right: float) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    mask[:, round(left * width) : round(right * width)] = 1
    return mask


@pytest.mark.parametrize(("left", "right", "iou"), [(0, 0.5, 1.0), (0.25, 0.75, 1 / 3), (0.5, 1, 0.0), (0, 1, 0.5)])
def test_intersection_over_union(left: float, right: float, iou: float) -> None:
    assert overlap(block(40, 80, 0, 0.5), block(40, 80, left, right)).iou == pytest.approx(iou)


@pytest.mark.parametrize("size", [(40, 80), (20, 40), (400, 800), (33, 77), (80, 40)])
def test_sizes_do_not_matter(size: tuple[int, int]) -> None:
    found = overlap(block(40, 80, 0.25, 0.75), block(*size, 0.25, 0.75))
    assert found.iou > 0.95
    assert found.result == pytest.approx(0.5, abs=0.02)


def test_a_vehicle_that_fills_the_frame() -> None:
    assert overlap(np.ones((8, 8), np.float32), np.ones((9, 9), np.float32)).iou == 1.0


def test_a_result_without_a_vehicle_keeps_nothing() -> None:
    assert overlap(np.ones((8, 8), np.float32), np.zeros((8, 8), np.float32)).iou == 0.0


def test_an_original_without_one_is_no_silhouette() -> None:
    for result in (np.ones((8, 8), np.float32), np.zeros((8, 8), np.float32)):
        found = overlap(np.full((8, 8), 0.4, np.float32), result)
        assert (found.iou, found.original) == (0.0, 0.0)


def test_a_soft_mask_counts_from_one_half() -> None:
    soft = np.full((4, 4), 0.49, np.float32)
    soft[:2] = 0.51
    assert overlap(block(4, 4, 0, 1), soft).iou == 0.5


def test_strengths_rise_by_steps_to_their_limits() -> None:
    held = Strengths(0.6, 0.4, 0.1, 0.9, 0.7)
    assert [held.at(attempt) for attempt in range(5)] == [(0.6, 0.4), (0.7, 0.5), (0.8, 0.6), (0.9, 0.7), (0.9, 0.7)]
    assert Strengths(1.2, 0.4, 0.1, 0.9, 0.7).at(2) == (1.2, 0.6), "what begins above its limit stays"
