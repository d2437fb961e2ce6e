"""The features route on pictures that this file draws itself."""

import numpy as np
import pytest

from vectrahub.engine.networks.router_features import read_forest, route_by_features
from vectrahub.engine.networks.router_measures import measure
from vectrahub.engine.networks.router_view import cut_out
from vectrahub.engine.networks.routes import ROUTES
from vectrahub.tests.router_drawings import as_jpeg, line_drawing, mark, padded, scene

KINDS = {"logo": mark, "line_art": line_drawing, "illustration": scene}


def route(rgb, alpha=None):
    scores = route_by_features(rgb, alpha)
    return max(scores, key=scores.__getitem__)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [64, 170, 512, 1024])
def test_each_kind_is_known_at_every_size(kind, size):
    assert route(KINDS[kind](size)) == kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quality", [60, 90])
def test_jpeg_changes_nothing(kind, quality):
    assert route(as_jpeg(KINDS[kind](), quality)) == kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_padding_changes_nothing(kind, share):
    assert route(padded(KINDS[kind](512), share)) == kind


@pytest.mark.parametrize("ground", [(24, 26, 40), (0, 0, 0), (20, 60, 140)])
@pytest.mark.parametrize("kind", ["logo", "line_art"])
def test_light_on_dark_is_the_same_kind(kind, ground):
    assert route(KINDS[kind](ink=(255, 255, 255), ground=ground)) == kind


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255)])
@pytest.mark.parametrize("kind", ["logo", "line_art"])
def test_a_transparent_ground_is_a_ground_whatever_color_hides_in_it(kind, ink):
    cover = 1 - KINDS[kind](ink=(0, 0, 0))[..., 0].astype(np.float32) / 255
    rgb = np.where(cover[..., None] > 0, np.uint8(ink), np.uint8((90, 200, 10))).astype(np.uint8)
    assert route(rgb, cover) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_mirrored_picture_keeps_its_kind(kind):
    rgb = KINDS[kind]()
    assert route(np.ascontiguousarray(rgb[:, ::-1])) == route(np.ascontiguousarray(rgb[::-1])) == kind


def test_scores_are_probabilities_and_repeat_exactly():
    for draw in KINDS.values():
        rgb = draw()
        scores = route_by_features(rgb)
        assert tuple(scores) == ROUTES
        assert sum(scores.values()) == pytest.approx(1, abs=1e-9)
        assert min(scores.values()) >= 0
        assert route_by_features(rgb) == scores


def test_the_input_is_left_alone():
    rgb, alpha = mark(), np.full((256, 256), 0.5, np.float32)
    kept, kept_alpha = rgb.copy(), alpha.copy()
    route_by_features(rgb, alpha)
    assert np.array_equal(rgb, kept)
    assert np.array_equal(alpha, kept_alpha)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (300, 400)])
def test_a_single_color_is_an_illustration_without_confidence(shape):
    assert route_by_features(np.full((*shape, 3), 77, np.uint8))["illustration"] == 0.5


def test_a_wholly_transparent_picture_is_an_illustration_without_confidence():
    assert route_by_features(scene(), np.zeros((256, 256), np.float32))["illustration"] == 0.5


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1, 5000), (3, 3), (5000, 2), (200, 300)])
def test_noise_of_any_shape_gives_probabilities(shape):
    rgb = np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)
    scores = route_by_features(rgb)
    assert np.isfinite(list(scores.values())).all()
    assert sum(scores.values()) == pytest.approx(1)


def test_a_gradient_that_fills_the_frame_is_an_illustration():
    ramp = np.linspace(0, 255, 300)
    rgb = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 128.0), -1).astype(np.uint8)
    assert route(rgb) == "illustration"


def test_the_cut_out_does_not_depend_on_padding():
    plain, wide = (measure(cut_out(rgb)) for rgb in (mark(400), padded(mark(400), 0.4)))
    assert plain == pytest.approx(wide, abs=0.1)


def test_the_committed_trees_fit_the_measures():
    forest = read_forest()
    assert set(forest.measures) == set(measure(cut_out(mark())))
    assert forest.questions.min() >= 0
    assert forest.questions.max() < len(forest.measures)
