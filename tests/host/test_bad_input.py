"""Bad and odd pictures, names and bodies through the shipped workflow: a clear error or a right drawing."""

from __future__ import annotations

import json
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from vectrahub.tests.host.runs import ID, busy, post, refusal, run, submit, wait, workflow
from vectrahub.tests.host_fixture import RunningHost

RED, BLUE = (227, 6, 19), (26, 79, 156)


@pytest.fixture(autouse=True)
def nothing_left_behind(host: RunningHost) -> Iterator[None]:
    """After every test: the host is idle and answers, and there is no half-written file anywhere."""
    before = set(Path(tempfile.gettempdir()).glob("vectrahub-*"))
    yield
    assert httpx.get(f"{host.url}/system_stats", timeout=60, trust_env=False).status_code == 200
    assert busy(host) == 0
    assert not [path for path in host.output.rglob("*") if path.name.startswith(".") or path.suffix == ".part"]
    left = set(Path(tempfile.gettempdir()).glob("vectrahub-*")) - before
    left = {path for path in left if path.name.count("-") == 1}  # no folder of another session's host or service
    deadline = time.monotonic() + 60  # what is left for good; other programs trace on this machine, too
    while left and time.monotonic() < deadline:
        left = {path for path in left if path.exists()}
        time.sleep(0.05)
    assert not left


def picture(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """White with a red disc on the left and a blue bar on the right."""
    large = Image.new("RGB", (size[0] * 4, size[1] * 4), (255, 255, 255))
    pen = ImageDraw.Draw(large)
    w, h = large.size
    pen.ellipse((w * 0.1, h * 0.2, w * 0.1 + h * 0.6, h * 0.8), fill=RED)
    pen.rectangle((w * 0.7, h * 0.1, w * 0.9, h * 0.9), fill=BLUE)
    return large.resize(size, Image.Resampling.BOX).convert(mode)


def save(host: RunningHost, name: str, image: Image.Image | bytes, **options: Any) -> str:
    if isinstance(image, bytes):
        (host.input / name).write_bytes(image)
    else:
        image.save(host.input / name, **options)
    return name


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def colors_at(drawn: np.ndarray) -> tuple[Any, Any, Any]:
    """The drawing at the disc, the bar and in between (a picture of 96 x 64)."""
    return drawn[32, 28].tolist(), drawn[32, 77].tolist(), drawn[8, 48].tolist()


def is_near(found: list[int], color: tuple[int, int, int], reach: int = 10) -> bool:
    return found[3] == 255 and max(abs(a - b) for a, b in zip(found, color, strict=False)) <= reach


def check_picture(outcome: Any, reach: int = 10, ground_gone: bool = True) -> None:
    disc, bar, between = colors_at(outcome.rendered(96, 64))
    assert is_near(disc, RED, reach) and is_near(bar, BLUE, reach), (disc, bar)
    assert between[3] == 0 if ground_gone else is_near(between, (255, 255, 255))
    assert b'viewBox="0 0 96 64"' in outcome.svgs[0]


# Files that are no pictures


@pytest.mark.parametrize("kind", ["cut", "text", "empty", "flipped bits", "bomb"])
def test_broken_files_are_refused_before_anything_runs(host: RunningHost, kind: str) -> None:
    save(host, "whole.png", picture())
    whole = (host.input / "whole.png").read_bytes()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 0xFF
    files = {"cut": whole[:150], "text": b"hello", "empty": b"", "flipped bits": bytes(flipped)}
    name = save(
        host, f"broken {kind}.png", files.get(kind) or (png_header(100_000, 100_000) if kind == "bomb" else b"")
    )
    answer = post(host, workflow(name))
    if answer.status_code == 200:
        outcome = wait(host, answer.json()["prompt_id"])
        # Of a file that ends too early the host's LoadImage shows what is there.
        assert (kind == "cut" and outcome.problem is None) or "LoadImage" in outcome.error
    else:
        assert "LoadImage" in answer.text


# Pictures of odd kinds


def kinds() -> dict[str, tuple[str, Image.Image, dict[str, Any]]]:
    grey16 = Image.fromarray(np.asarray(picture("L"), np.uint16) * 257)
    palette = picture().quantize(8, dither=Image.Dither.NONE)
    turned = Image.Exif()
    turned[0x0112] = 6  # shown turned by 90 degrees to the right
    other = Image.new("RGB", (96, 64), (0, 255, 0))
    return {
        "grey": ("png", picture("L"), {}),
        "grey with alpha": ("png", picture("LA"), {}),
        "one bit": ("png", picture("L").point(lambda value: 255 * (value > 200)).convert("1"), {}),
        "16 bit": ("png", grey16, {}),
        "cmyk": ("jpg", picture("CMYK"), {"quality": 92}),
        "palette": ("png", palette, {}),
        "palette webp": ("webp", picture(), {"lossless": True}),
        "animated": (
            "gif",
            picture().quantize(8, dither=Image.Dither.NONE),
            {"save_all": True, "append_images": [other]},
        ),
        "turned": ("jpg", picture().transpose(Image.Transpose.ROTATE_90), {"exif": turned, "quality": 92}),
    }


@pytest.mark.parametrize("kind", ["palette", "palette webp", "cmyk", "turned"])
def test_colours_survive_the_file_format(host: RunningHost, kind: str) -> None:
    suffix, image, options = kinds()[kind]
    outcome = run(host, workflow(save(host, f"kind {kind}.{suffix}", image, **options)))
    check_picture(outcome, reach=14)


@pytest.mark.parametrize("kind", ["grey", "grey with alpha", "one bit", "16 bit"])
def test_grey_stays_grey(host: RunningHost, kind: str) -> None:
    suffix, image, options = kinds()[kind]
    outcome = run(host, workflow(save(host, f"kind {kind}.{suffix}", image, **options)))
    for found in colors_at(outcome.rendered(96, 64))[:2]:
        assert found[3] == 255 and max(found[:3]) - min(found[:3]) <= 2 and max(found[:3]) < 160


def test_an_animation_gives_one_drawing_a_frame(host: RunningHost) -> None:
    suffix, image, options = kinds()["animated"]
    outcome = run(host, workflow(save(host, f"animated.{suffix}", image, **options)))
    assert len(outcome.svgs) == 2
    check_picture(outcome)
    second = outcome.rendered(96, 64, image=1)
    assert (second[..., 3] == 0).all() or is_near(second[32, 48].tolist(), (0, 255, 0))


def test_palette_transparency_is_real(host: RunningHost) -> None:
    image = picture().quantize(8, dither=Image.Dither.NONE)
    white = image.getpixel((0, 0))
    outcome = run(host, workflow(save(host, "holes.png", image, transparency=white), Finish__background="keep"))
    check_picture(outcome)


# Sizes


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5000), (5000, 1), (3, 7)])
def test_tiny_and_thin(host: RunningHost, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, RED)
    outcome = run(host, workflow(save(host, f"thin {size}.png", image), Finish__background="keep"))
    width, height = size
    assert f'viewBox="0 0 {width} {height}"'.encode() in outcome.svgs[0]
    drawn = outcome.rendered(width, height)
    assert (np.abs(drawn.astype(int) - (*RED, 255)) <= 2).all()


def test_40_megapixels_shrink_to_the_asked_for(host: RunningHost) -> None:
    name = save(
        host, "large.png", picture(size=(96, 64)).resize((7746, 5164), Image.Resampling.NEAREST), compress_level=1
    )
    outcome = run(host, workflow(name), 120)
    assert outcome.report("Upscale")["size_in"] == [7746, 5164]
    assert b'viewBox="0 0 7746 5164"' in outcome.svgs[0]
    check = outcome.rendered(96, 64)
    assert is_near(colors_at(check)[0], RED) and is_near(colors_at(check)[1], BLUE)


# Transparency and plain colours


def test_fully_transparent_says_so_or_gives_an_empty_drawing(host: RunningHost) -> None:
    outcome = run(host, workflow(save(host, "nothing.png", Image.new("RGBA", (64, 64), (0, 0, 0, 0)))))
    assert not outcome.rendered(64, 64)[..., 3].any()


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), RED])
@pytest.mark.parametrize("background", ["keep", "remove"])
def test_a_single_colour(host: RunningHost, color: tuple[int, int, int], background: str) -> None:
    name = save(host, f"plain {color}.png", Image.new("RGB", (60, 40), color))
    drawn = run(host, workflow(name, Finish__background=background)).rendered(60, 40)
    if background == "keep" or drawn[..., 3].any():
        assert (drawn == (*color, 255)).all()


def test_half_transparent(host: RunningHost) -> None:
    image = Image.new("RGBA", (96, 64), (0, 0, 0, 0))
    pixels = np.array(image)
    pixels[16:48, 16:48] = (*RED, 128)
    pixels[16:48, 60:80] = (*BLUE, 255)
    outcome = run(host, workflow(save(host, "half.png", Image.fromarray(pixels))))
    drawn = outcome.rendered(96, 64)
    assert drawn[4, 4, 3] == 0 and drawn[32, 54, 3] == 0
    assert abs(int(drawn[32, 32, 3]) - 128) <= 2
    assert (np.abs(drawn[32, 32, :3].astype(int) - RED) <= 3).all()
    assert is_near(drawn[32, 70].tolist(), BLUE)


def test_a_soft_edge_shows_no_black(host: RunningHost) -> None:
    """Black hides below transparent pixels, as editors leave it; the disc's edge is soft over 4 pixels."""
    y, x = np.mgrid[:96, :96] - 47.5
    alpha = np.clip((34 - np.hypot(x, y)) / 4 + 0.5, 0, 1)
    pixels = np.zeros((96, 96, 4), np.uint8)
    pixels[alpha > 0, :3] = (255, 200, 0)
    pixels[..., 3] = np.rint(alpha * 255)
    outcome = run(host, workflow(save(host, "soft.png", Image.fromarray(pixels))))
    drawn = outcome.rendered(96, 96)
    shown = drawn[drawn[..., 3] > 20]
    assert (np.abs(shown[:, :3].astype(int) - (255, 200, 0)) <= 12).all()
    assert drawn[4, 4, 3] == 0 and drawn[48, 48, 3] == 255
    assert np.abs(drawn[..., 3] / 255 - alpha).mean() < 0.02


# Batches


def batch(count: int, width: int = 64, height: int = 48) -> dict[str, Any]:
    return {"class_type": "VectraHubTest_Batch", "inputs": {"count": count, "width": width, "height": height}}


def test_three_different_pictures_and_their_mask(host: RunningHost) -> None:
    graph = workflow()
    graph[ID["Image"]] = batch(3)
    outcome = run(host, graph)
    assert len(outcome.svgs) == 3 and len(set(outcome.svgs)) == 3
    for index, color in enumerate([(230, 0, 26), (26, 76, 153), (51, 140, 51)]):
        drawn = outcome.rendered(64, 48, index)
        assert is_near(drawn[24, 32].tolist(), color, 3)
        assert not drawn[:, :14, 3].any()


def test_an_empty_batch_names_node_and_remedy(host: RunningHost) -> None:
    for count, width in ((0, 64), (1, 0)):
        graph = workflow()
        graph[ID["Image"]] = batch(count, width)
        text = run(host, graph).error
        assert "VectraHub_" in text and "image batch is empty" in text and "Connect a node" in text


# Names

NAMES = ["../../etc/passwd", "..\\..\\x.png", "a\0b.png", "/etc/passwd", "none.png", "x" * 5000 + ".png"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_that_lead_elsewhere_are_refused(host: RunningHost, name: str) -> None:
    answer = post(host, workflow(name))
    assert answer.status_code in (400, 500)
    assert answer.status_code == 400 or "\0" in name  # the host's own LoadImage stumbles over NUL
    if answer.status_code == 400:
        assert "LoadImage" in answer.text or "Invalid image" in answer.text


@pytest.mark.parametrize("name", ["\U0001f600 m\u00e4 \u6f22.png", "a b'c\"d.png", "-x.png", "%width%.png"])
def test_unusual_names_work(host: RunningHost, name: str) -> None:
    check_picture(run(host, workflow(save(host, name, picture()))))


@pytest.mark.parametrize("name", ["../evil.png", "..%2fevil.png", "a\0b.png", "\U0001f600.png", "/evil.png"])
def test_uploads_stay_in_the_input_folder(host: RunningHost, name: str, tmp_path: Path) -> None:
    picture().save(tmp_path / "p.png")
    files = {"image": (name, (tmp_path / "p.png").read_bytes(), "image/png")}
    answer = httpx.post(f"{host.url}/upload/image", files=files, timeout=60, trust_env=False)
    assert not list(host.base.parent.rglob("evil.png")) or (host.input / "evil.png").exists()
    assert not (host.base / "evil.png").exists() and not Path("/evil.png").exists()
    if answer.status_code == 200:
        stored = answer.json()
        value = f"{stored['subfolder']}/{stored['name']}" if stored["subfolder"] else stored["name"]
        check_picture(run(host, workflow(value)))


@pytest.mark.parametrize("prefix", ["../up", "a/../../up", "/tmp/up", "a\0b", "x" * 300])
def test_save_names_that_lead_elsewhere_are_refused(host: RunningHost, prefix: str) -> None:
    before = set(host.base.parent.rglob("*.svg"))
    text = run(host, workflow(save(host, "p.png", picture()), Save__filename_prefix=prefix)).error
    assert text.startswith(f"{ID['Save']} VectraHub_SVGSave: ") and "The file name cannot be used" in text
    assert "allowed" in text and "Use a name like" in text
    assert set(host.base.parent.rglob("*.svg")) == before


def test_an_emoji_in_the_result_name(host: RunningHost) -> None:
    outcome = run(host, workflow(save(host, "p.png", picture()), Save__filename_prefix="\U0001f600/m\u00e4rz"))
    (file,) = outcome.entry["outputs"][ID["Save"]]["images"]
    assert file["subfolder"] == "\U0001f600" and file["filename"].startswith("m\u00e4rz_00001")
    check_picture(outcome)


# Bodies

WRONG = [
    ("Palette__colors", "many", "colors"),
    ("Palette__colors", 33, "colors"),
    ("Palette__colors", -1, "colors"),
    ("Upscale__megapixels", 0, "megapixels"),
    ("Upscale__megapixels", 1e9, "megapixels"),
    ("Upscale__megapixels", None, "megapixels"),
    ("Upscale__upscaler", "magic", "upscaler"),
    ("Trace__route", "photo", "route"),
    ("Trace__hierarchical", 7, "hierarchical"),
    ("Trace__filter_speckle", 17, "filter_speckle"),
    ("Gate__min_ssim", "high", "min_ssim"),
    ("Finish__precision", 99, "precision"),
    ("Finish__svg", ["3", 0], "svg"),
    ("Trace__image", ["1", 9], "image"),
]


@pytest.mark.parametrize(("setting", "value", "named"), WRONG)
def test_wrong_values_are_refused_by_name(host: RunningHost, setting: str, value: object, named: str) -> None:
    name = save(host, "p.png", picture())
    answer = post(host, workflow(name, **{setting: value}))
    assert answer.status_code == 400, answer.text
    assert named in answer.text and ID[setting.split("__")[0]] in answer.json().get("node_errors", {})


@pytest.mark.parametrize("palette", ["red", "#FFF ~ 9", "#FFF -> blue", ",".join(f"#{n:06X}" for n in range(33))])
def test_a_palette_that_is_none_names_node_value_and_remedy(host: RunningHost, palette: str) -> None:
    text = run(host, workflow(save(host, "p.png", picture()), Palette__palette=palette)).error
    assert text.startswith(f"{ID['Palette']} VectraHub_PaletteSnap: ")
    assert "got " in text and "allowed " in text and text.rstrip().endswith(".")


def test_a_missing_node_link_or_output_is_refused(host: RunningHost) -> None:
    name = save(host, "p.png", picture())
    unknown = workflow(name)
    unknown[ID["Trace"]]["class_type"] = "VectraHub_NoSuchNode"
    assert "VectraHub_NoSuchNode" in refusal(host, unknown)
    dangling = workflow(name, Finish__svg=["99", 0])
    assert post(host, dangling).status_code == 400
    without = workflow(name)
    del without[ID["Save"]]
    assert "no_outputs" in refusal(host, without)
    missing = workflow(name)
    del missing[ID["Upscale"]]["inputs"]["image"]
    assert "required_input_missing" in refusal(host, missing).lower()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"prompt": []}', b'{"prompt": {"1": 5}}', b'{"prompt": "x"}'])
def test_bodies_that_are_no_prompt(host: RunningHost, body: bytes) -> None:
    answer = httpx.post(f"{host.url}/prompt", content=body, timeout=60, trust_env=False)
    assert answer.status_code in (400, 500)  # the host's own


# Two at once


def test_two_runs_at_once_do_not_mix(host: RunningHost) -> None:
    second = picture()
    second.paste((46, 139, 58), (53, 0, 61, 64))
    jobs = [
        submit(host, workflow(save(host, name, image), Save__filename_prefix="both/same"))
        for name, image in (("first.png", picture()), ("second.png", second))
    ]
    one, other = (wait(host, job) for job in jobs)
    assert one.rendered(96, 64)[32, 57, 3] == 0
    assert is_near(other.rendered(96, 64)[32, 57].tolist(), (46, 139, 58))
    names = {json.dumps(outcome.entry["outputs"][ID["Save"]]["images"][0]) for outcome in (one, other)}
    assert len(names) == 2


def test_the_same_picture_gives_the_same_bytes(host: RunningHost) -> None:
    save(host, "same one.png", picture())
    save(host, "same two.png", picture())
    assert run(host, workflow("same one.png")).svgs == run(host, workflow("same two.png")).svgs
