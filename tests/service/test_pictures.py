import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from vectrahub.vectrahub_client.service.pictures import MAX_FRAMES, examine
from vectrahub.vectrahub_client.service.problems import Problem

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}


def noise(width=64, height=48):
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8))


def png(width, height, data=b"", kind=6):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def refusal(path, mp=1.0, **more):
    with pytest.raises(Problem) as caught:
        examine(path, "image", mp, **more)
    assert "files.image" in caught.value.detail
    return caught.value.status


def wrote(tmp_path, data, name="file"):
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_picture_is_known_by_its_content(tmp_path, kind):
    path = tmp_path / "lies.exe"
    noise().save(path, kind)
    picture = examine(path, "image", 1)
    assert picture.kind.suffix == SUFFIXES[kind] and (picture.pixels, picture.frames) == (64 * 48, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "I", "F", "CMYK"])
def test_all_modes_are_taken(tmp_path, mode):
    path = tmp_path / "x"
    kind = "TIFF" if mode in ("F", "CMYK", "I") else "PNG"
    (Image.new(mode, (9, 7)) if mode in ("I;16", "I", "F") else noise().convert(mode)).save(path, kind)
    assert examine(path, "image", 1).frames == 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_frames_count(tmp_path, kind):
    path = tmp_path / "x"
    frames = [Image.new("RGB", (100, 100), (20 * n, 0, 0)) for n in range(12)]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    picture = examine(path, "image", 0.12)
    assert (picture.frames, picture.pixels) == (12, 120_000)
    assert refusal(path, 0.119) == 413


def test_endless_frames_are_refused(tmp_path):
    path = tmp_path / "x"
    frames = [Image.new("L", (1, 1), n % 256) for n in range(MAX_FRAMES + 5)]
    frames[0].save(path, "TIFF", save_all=True, append_images=frames[1:])
    assert refusal(path) == 413


@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_truncated_picture_is_refused(tmp_path, kind):
    whole = tmp_path / "whole"
    noise(200, 200).save(whole, kind)
    data = whole.read_bytes()
    for share in (0.3, 0.7, 0.95):
        assert refusal(wrote(tmp_path, data[: int(len(data) * share)], "part")) == 422


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", SUFFIXES)
def test_damaged_pictures_are_taken_or_refused_and_nothing_else(tmp_path, kind):
    whole = tmp_path / "whole"
    noise().save(whole, kind)
    data, rng = whole.read_bytes(), np.random.default_rng(5)
    for _ in range(60):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(broken), 400), 4):
            broken[at] = rng.integers(0, 256)
        try:
            examine(wrote(tmp_path, bytes(broken), "broken"), "image", 1)
        except Problem as problem:
            assert problem.status in (413, 422)


def test_a_picture_whose_data_are_short_is_refused(tmp_path):
    assert refusal(wrote(tmp_path, png(100, 100, b"\0" * 50))) == 422


@pytest.mark.parametrize("limit", [1, 100, 5000])
def test_a_bomb_is_refused_without_its_memory(tmp_path, limit):
    path = wrote(tmp_path, png(100_000, 100_000, b"\0" * 100_000))
    tracemalloc.start()
    assert refusal(path, limit) == 413
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_webp_bomb_is_refused_by_its_header(tmp_path):
    canvas = b"\x10\0\0\0" + (16383).to_bytes(3, "little") * 2
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + canvas
    assert refusal(wrote(tmp_path, b"RIFF" + struct.pack("<I", len(body)) + body), 100) == 413
    lossless = b"\x2f" + (16383 | 16383 << 14).to_bytes(4, "little")
    body = b"WEBP" + b"VP8L" + struct.pack("<I", 5) + lossless
    assert refusal(wrote(tmp_path, b"RIFF" + struct.pack("<I", len(body)) + body), 100) == 413


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exact": True}])
def test_the_size_of_a_webp_is_read_as_pillow_reads_it(tmp_path, options):
    path = tmp_path / "x"
    noise(123, 45).convert("RGBA" if "exact" in options else "RGB").save(path, "WEBP", **options)
    assert examine(path, "image", 123 * 45 / 1e6).pixels == 123 * 45
    assert refusal(path, (123 * 45 - 1) / 1e6) == 413


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"RIFF0000WEBP"])
def test_what_is_no_picture_is_refused(tmp_path, data):
    assert refusal(wrote(tmp_path, data)) == 422


DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


@pytest.mark.parametrize(
    "before", [b"", b"\xef\xbb\xbf", b'<?xml version="1.0"?>\n<!-- a - b -->\n', b"<!DOCTYPE svg>\n"]
)
def test_an_svg_is_taken_only_where_it_is_right(tmp_path, before):
    path = wrote(tmp_path, before + DRAWING)
    assert refusal(path) == 422
    assert examine(path, "image", 1, svg=True).kind.suffix == ".svg"


@pytest.mark.parametrize(
    "data",
    [
        b"<html></html>",
        b"<svg><rect",
        b'<!DOCTYPE svg [<!ENTITY a "b">]>' + DRAWING,
        b"<?xml?>",
        b"<!--" + b"-" * 50_000,
    ],
    ids=["html", "cut off", "entities", "empty", "comment"],
)
def test_what_only_looks_like_an_svg_is_refused(tmp_path, data):
    assert refusal(wrote(tmp_path, data), svg=True) == 422


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "nothing") == 422
