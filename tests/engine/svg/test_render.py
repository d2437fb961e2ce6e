"""Exact size, exact pixels, straight alpha."""

import sys

import numpy as np
import pytest

from vectrahub.engine.errors import BadInput, MissingPart
from vectrahub.engine.svg.render import over_ground, render

CARD = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2"><path d="M0 0h1v1H0z" fill="#E30613"/>
<path d="M1 0h1v1H1z" fill="#0000FF" fill-opacity=".5"/><path d="M0 1h1v1H0z" fill="#123456"/></svg>"""


@pytest.mark.parametrize("size", [(2, 2), (8, 4), (64, 200)])
def test_card_has_exact_pixels(size: tuple[int, int]) -> None:
    width, height = size
    drawn = render(CARD, width, height)
    assert drawn.shape == (height, width, 4) and drawn.dtype == np.uint8
    quarters = (
        drawn[: height // 2, : width // 2],
        drawn[: height // 2, width // 2 :],
        drawn[height // 2 :, : width // 2],
    )
    for quarter, color in zip(quarters, [(0xE3, 6, 0x13, 255), (0, 0, 255, 128), (0x12, 0x34, 0x56, 255)], strict=True):
        assert (quarter == color).all()
    assert not drawn[height // 2 :, width // 2 :].any()


def test_own_ratio_is_kept_before_stretching() -> None:
    head = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10" viewBox="0 0 1 1">'
    svg = head + b'<path d="M0 0h1v1H0z"/></svg>'
    alpha = render(svg, 40, 40)[..., 3]
    assert not alpha[:, :9].any() and alpha[:, 11:29].all() and not alpha[:, 31:].any()


def test_over_ground_is_exact() -> None:
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (50, 50, 4), dtype=np.uint8)
    share = rgba[..., 3:] / 255
    expected = np.rint(rgba[..., :3] * share + np.array((10, 200, 255)) * (1 - share))
    assert np.abs(over_ground(rgba, (10, 200, 255)) - expected).max() <= 1


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (100_000, 100_000)])
def test_size_is_capped(size: tuple[int, int]) -> None:
    with pytest.raises(BadInput):
        render(CARD, *size)


def test_cairosvg_is_named_when_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(MissingPart, match="cairosvg"):
        render(CARD, 4, 4, "cairosvg")
    with pytest.raises(BadInput):
        render(CARD, 4, 4, "chrome")


def test_bands_of_a_large_picture_are_the_picture():
    body = "".join(
        f'<circle cx="{7 * i}" cy="{5 * i}" r="{3 + i}" fill="#{i:02x}{9 * i % 256:02x}40"/>' for i in range(1, 40)
    )
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 200">{body}</svg>'.encode()
    steps: list[float] = []
    banded = render(drawing, 2400, 1600, progress=steps.append)
    whole = render(drawing.replace(b"<circle", b'<g id="%"/><circle', 1), 2400, 1600)
    assert len(steps) > 2 and steps[-1] == 1
    apart = np.abs(over_ground(banded).astype(int) - over_ground(whole)).max(axis=2)
    assert (apart > 2).mean() < 1e-3 and apart.max() < 64  # resvg's edges depend a little on the canvas
