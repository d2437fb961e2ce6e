"""A PNG without what was written into it, its pixels untouched."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vectrahub.vectrahub_client.service.plain_png import plain_png

PIXELS = np.random.default_rng(3).integers(0, 256, (40, 30, 4), np.uint8)


def saved(kind: str = "PNG", **how: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS if kind == "PNG" else PIXELS[..., :3]).save(stream, kind, **how)
    return stream.getvalue()


def told() -> bytes:
    """With a text of each kind and EXIF, as large as a graph is."""
    info = PngInfo()
    info.add_text("prompt", "/secret/path " * 5000)
    info.add_text("workflow", "/secret/path", zip=True)
    info.add_itxt("more", "/secret/path", zip=False)
    exif = Image.Exif()
    exif[0x010E] = "/secret/path"
    return saved(pnginfo=info, exif=exif.tobytes(), dpi=(300, 300))


def test_only_the_picture_is_left_and_what_belongs_to_it() -> None:
    plain = plain_png(told())
    assert plain == saved(dpi=(300, 300))
    assert b"/secret" in told() and b"secret" not in plain
    picture = Image.open(io.BytesIO(plain))
    assert np.array_equal(np.asarray(picture), PIXELS) and not picture.getexif()


@pytest.mark.parametrize("data", [b"", b"<svg/>", saved("JPEG"), saved(), zlib.compress(b"x")])
def test_what_has_nothing_to_lose_stays_as_it_is(data: bytes) -> None:
    assert plain_png(data) == data


@pytest.mark.parametrize("cut", [9, 20, 33, 50, -1, -13])
def test_a_file_that_is_cut_off_stays_so(cut: int) -> None:
    data = saved()[:cut]
    assert plain_png(data) == data
