"""De-shine: lightness alone, greys exact, strips like the whole, any size."""

import cv2
import numpy as np
import pytest

from vectrahub.engine.errors import BadInput
from vectrahub.engine.raster import bilateral as module
from vectrahub.engine.raster.deshine import deshine

SEED = np.random.default_rng(7)


def photo(height: int, width: int) -> np.ndarray:
    coarse = SEED.integers(0, 256, (max(height // 12, 2), max(width // 12, 2), 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(smooth + SEED.integers(-6, 7, (height, width, 3)), 0, 255).astype(np.uint8)


def lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def test_lightness_is_what_opencv_makes_of_it() -> None:
    rgb = photo(160, 240)
    light = np.rint(lab(rgb)[..., 0] * np.float32(2.55)).astype(np.uint8)
    wanted = cv2.createCLAHE(2.0, (8, 8)).apply(cv2.bilateralFilter(light, 9, 75, 75)).astype(np.float32) / 2.55
    done = deshine(rgb)
    found = lab(done.rgb)[..., 0]
    inside = ((done.rgb > 0) & (done.rgb < 255)).all(axis=2)  # beyond the gamut colours are cut
    assert inside.mean() > 0.5 and np.abs(found - wanted)[inside].max() < 1.2
    assert done.tiles == 8 and done.change > 1


def test_chroma_stays() -> None:
    rgb = np.clip(photo(120, 120) // 2 + 64, 0, 255).astype(np.uint8)
    done = deshine(rgb).rgb
    inside = ((done > 0) & (done < 255)).all(axis=2)
    assert inside.mean() > 0.9
    assert np.abs(lab(done) - lab(rgb))[inside][:, 1:].max() < 1.5  # one byte in the darkest blue is that much


def test_greys_stay_greys_exactly() -> None:
    grey = photo(90, 130)[..., :1].repeat(3, axis=2)
    done = deshine(grey).rgb
    assert (done[..., 0] == done[..., 1]).all() and (done[..., 1] == done[..., 2]).all() and (done != grey).any()


def test_strips_are_bit_identical_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = photo(203, 157)
    monkeypatch.setattr(module, "_STRIP", 10**12)
    whole = deshine(rgb, 11, 60.0)
    for strip in (1, 40_000, 400_000):
        monkeypatch.setattr(module, "_STRIP", strip)
        assert (deshine(rgb, 11, 60.0).rgb == whole.rgb).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (15, 40), (16, 16), (40, 129)])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (227, 6, 19)])
def test_one_tone_stays_to_the_byte(shape: tuple[int, int], color: tuple[int, int, int]) -> None:
    rgb = np.full((*shape, 3), color, np.uint8)
    done = deshine(rgb)
    assert (done.rgb == rgb).all() and (done.tiles, done.change) == (0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (15, 40), (17, 31)])
def test_tiny_pictures_keep_their_tones(shape: tuple[int, int]) -> None:
    rgb = SEED.integers(90, 110, (*shape, 3), dtype=np.uint8)
    done = deshine(rgb)
    assert done.rgb.shape == rgb.shape and done.tiles == min(shape) // 16
    if not done.tiles:
        assert np.abs(done.rgb.astype(int) - rgb).max() < 25


def test_the_diameter_told_is_the_one_that_ran() -> None:
    rgb = photo(60, 80)
    even, odd = deshine(rgb, 8), deshine(rgb, 9)
    assert (even.diameter, odd.diameter) == (9, 9) and (even.rgb == odd.rgb).all()
    assert [deshine(rgb, *values).diameter for values in ((1, 75.0), (9, 0.0), (2, 75.0))] == [1, 1, 3]


def test_what_is_left_out_does_nothing() -> None:
    rgb = photo(60, 80)
    for left_out in ({"diameter": 1}, {"sigma": 0.0}):
        assert (deshine(rgb, **left_out, clip_limit=0.0).rgb == rgb).all()
        assert (deshine(rgb, **left_out).rgb != rgb).any()


def test_nothing_is_mutated_and_the_same_comes_again() -> None:
    rgb = photo(60, 80)
    before = rgb.copy()
    rgb.setflags(write=False)
    assert (deshine(rgb).rgb == deshine(rgb).rgb).all() and (rgb == before).all()


@pytest.mark.parametrize(
    ("name", "value"), [("diameter", 0), ("diameter", 33), ("sigma", -1.0), ("sigma", float("nan")), ("grid", 0)]
)
def test_limits_are_named(name: str, value: float) -> None:
    with pytest.raises(BadInput, match=f"{name}: got {value}, allowed"):
        deshine(photo(20, 20), **{name: value})


class Stop(Exception):
    pass


def test_twelve_megapixels_report_often_and_can_be_stopped() -> None:
    rgb = cv2.resize(photo(300, 400), (4000, 3000))
    shares: list[float] = []
    deshine(rgb, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1
    assert np.diff(shares, prepend=0).max() < 0.05

    heard: list[float] = []

    def stop(share: float) -> None:
        heard.append(share)
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        deshine(rgb, progress=stop)
    assert 0.5 < heard[-1] < 0.6
