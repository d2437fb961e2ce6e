"""The gate lets good drawings through and says what is wrong with the others."""

import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.svg.gate import Thresholds, Verdict, better, check
from vectrahub.engine.svg.render import over_ground, render, split_alpha

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
LOGO = (
    HEAD + '<rect width="100" height="100" fill="#fff"/><circle cx="50" cy="50" r="30" fill="#E30613"/></svg>'
).encode()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return over_ground(render(LOGO, 512, 512))


def failed(body: str, picture: np.ndarray, **limits: float) -> str:
    padded = body + " " * 100
    return check((HEAD + padded + "</svg>").encode(), picture, None, Thresholds(**limits)).failed_test  # type: ignore[arg-type]


def test_the_right_drawing_passes(picture: np.ndarray) -> None:
    verdict = check(LOGO, picture)
    assert verdict.passed and verdict.figures["mean_de"] < 0.3


def test_failures_are_named(picture: np.ndarray) -> None:
    assert check(b"<svg", picture).failed_test == "readable"
    assert check(HEAD.encode() + b"</svg>", picture).failed_test == "size"
    assert failed("", picture) == "elements"
    assert failed("<path d='M0 0h1v1z'/>" * 9, picture, max_shapes=8) == "shapes"
    assert failed("<path d='M0 0'/>", picture) == "empty"
    assert failed("<rect width='100' height='100'/>", picture) == "uniform"
    assert failed("<rect width='100' height='100' fill='#fff'/>", picture) == "uniform"
    assert failed("<circle cx='50' cy='50' r='30' fill='#00f'/>", picture) == "color"
    stripes = "".join(f"<rect y='{y}' width='100' height='1' fill='#f5f5f5'/>" for y in range(0, 100, 2))
    assert failed(stripes + "<circle cx='50' cy='50' r='30' fill='#E30613'/>", picture, min_ssim=0.99) == "structure"


def test_reason_has_value_and_limit(picture: np.ndarray) -> None:
    assert "at least 100" in check(b"<svg xmlns='http://www.w3.org/2000/svg'/>", picture).reason


def test_small_icon_on_large_ground_passes() -> None:
    svg = (HEAD + '<circle cx="50" cy="50" r="2" fill="#E30613"/>' + " " * 50 + "</svg>").encode()
    assert check(svg, over_ground(render(svg, 512, 512))).passed


def test_coverage_is_compared_when_there_is_alpha() -> None:
    svg = (HEAD + '<circle cx="50" cy="50" r="30" fill="#fff"/><circle cx="50" cy="50" r="9"/></svg>').encode()
    rgb, alpha = split_alpha(render(svg, 300, 300))
    assert check(svg, rgb, alpha).passed
    filled = (HEAD + '<rect width="100" height="100" fill="#fff"/><circle cx="50" cy="50" r="9"/></svg>').encode()
    assert check(filled, rgb, alpha).failed_test == "coverage"


def test_plain_and_tiny_pictures() -> None:
    black = (HEAD + '<rect width="100" height="100"/>' + " " * 60 + "</svg>").encode()
    for shape in [(1, 1, 3), (3, 900, 3), (40, 40, 3)]:
        assert check(black, np.zeros(shape, np.uint8)).passed


GOOD = Verdict(True, "", "All tests passed.", {"mean_de": 3.0})
NEAR, FAR = (Verdict(False, "color", "Too far.", {"mean_de": away}) for away in (5.0, 9.0))
UNREAD = Verdict(False, "readable", "Broken.")


@pytest.mark.parametrize(
    ("candidate", "fallback", "winner"),
    [
        (GOOD, None, "candidate"),
        (NEAR, None, "candidate"),
        (None, GOOD, "fallback"),
        (None, FAR, "fallback"),
        (GOOD, GOOD, "candidate"),
        (NEAR, GOOD, "fallback"),
        (NEAR, FAR, "candidate"),
        (FAR, NEAR, "fallback"),
        (NEAR, NEAR, "fallback"),
        (UNREAD, FAR, "fallback"),
        (FAR, UNREAD, "candidate"),
        (UNREAD, UNREAD, "fallback"),
    ],
)
def test_which_drawing_stands_for_the_picture(candidate: Verdict, fallback: Verdict, winner: str) -> None:
    assert better(candidate, fallback) == (winner, candidate if winner == "candidate" else fallback)


def test_without_any_drawing_there_is_no_choice() -> None:
    with pytest.raises(BadInput, match="no drawing to choose from"):
        better(None, None)
