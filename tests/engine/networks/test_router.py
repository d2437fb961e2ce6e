"""Which classifier decides, and how a batch becomes one route."""

import pytest

from vectrahub.engine.errors import MissingPart
from vectrahub.engine.networks.router import choose_route, forced_route
from vectrahub.engine.networks.routes import ROUTES
from vectrahub.tests.router_drawings import line_drawing, mark


def always(route):
    def classify(rgb, alpha):
        return {name: 0.8 if name == route else 0.1 for name in ROUTES}

    return lambda: classify


def absent():
    raise MissingPart("The weights", remedy="Fetch them.")


def test_auto_takes_clip_when_it_is_there():
    routing = choose_route([(mark(), None)], "auto", always("line_art"))
    assert (routing.route, routing.method) == ("line_art", "clip")


def test_auto_takes_features_when_clip_is_absent_and_says_why():
    routing = choose_route([(mark(), None)], "auto", absent)
    assert (routing.route, routing.method) == ("logo", "features")
    assert "Fetch them." in routing.reason


def test_clip_by_name_does_not_fall_back():
    with pytest.raises(MissingPart):
        choose_route([(mark(), None)], "clip", absent)


def test_auto_does_not_swallow_an_error_of_clip():
    def broken():
        def classify(rgb, alpha):
            raise RuntimeError("device lost")

        return classify

    with pytest.raises(RuntimeError, match="device lost"):
        choose_route([(mark(), None)], "auto", broken)


def test_features_by_name_never_asks_for_clip():
    def forbidden():
        raise AssertionError("asked for clip")

    assert choose_route([(line_drawing(), None)], "features", forbidden).route == "line_art"


def test_a_batch_takes_the_best_mean_score():
    scores = iter(
        [
            {"logo": 0.5, "illustration": 0.1, "line_art": 0.4},
            {"logo": 0.5, "illustration": 0.1, "line_art": 0.4},
            {"logo": 0.0, "illustration": 0.1, "line_art": 0.9},
        ]
    )
    done = []
    routing = choose_route([(mark(), None)] * 3, "clip", lambda: lambda rgb, alpha: next(scores), done.append)
    assert routing.route == "line_art"
    assert routing.confidence == pytest.approx(1.7 / 3)
    assert len(routing.per_image) == 3
    assert done == pytest.approx([1 / 3, 2 / 3, 1])


def test_force_is_certain():
    routing = forced_route("illustration", 2)
    assert (routing.route, routing.confidence, len(routing.per_image)) == ("illustration", 1.0, 2)
