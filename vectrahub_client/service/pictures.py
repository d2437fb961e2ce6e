"""What a file from a stranger is, by its content: a whole picture of a kind that we take, within the limit of pixels.

Sizes come from the files' own headers; nothing is decoded before they are within the limit.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from .problems import Problem, bad_value, too_large

MAX_FRAMES = 1000
MAX_SVG_BYTES = 20 * 1024 * 1024

_HEAD = 4096
_SVG_START = 64 * 1024  # bytes in which the root has to begin


@dataclass(frozen=True)
class Kind:
    """A kind of picture. `suffix` fits the content, whatever the file was called."""

    name: str
    suffix: str
    media_type: str


@dataclass(frozen=True)
class Picture:
    """What a file turned out to be; `pixels` of all its frames, 0 of an SVG."""

    kind: Kind
    pixels: int
    frames: int


SVG = Kind("SVG", ".svg", "image/svg+xml")

# The plugins themselves rather than Image.open: its own check of sizes has one limit for the whole process.
_PLUGINS: Mapping[Kind, tuple[Callable[[bytes], bool], Callable[[Path], ImageFile.ImageFile]]] = {
    Kind("PNG", ".png", "image/png"): (
        lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
        PngImagePlugin.PngImageFile,
    ),
    Kind("JPEG", ".jpg", "image/jpeg"): (
        lambda head: head.startswith(b"\xff\xd8\xff"),
        JpegImagePlugin.JpegImageFile,
    ),
    Kind("WebP", ".webp", "image/webp"): (
        lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
        WebPImagePlugin.WebPImageFile,
    ),
    Kind("GIF", ".gif", "image/gif"): (
        lambda head: head[:6] in (b"GIF87a", b"GIF89a"),
        GifImagePlugin.GifImageFile,
    ),
    Kind("BMP", ".bmp", "image/bmp"): (
        lambda head: head.startswith(b"BM"),
        BmpImagePlugin.BmpImageFile,
    ),
    Kind("TIFF", ".tif", "image/tiff"): (
        lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        TiffImagePlugin.TiffImageFile,
    ),
}

KINDS = ", ".join(kind.name for kind in _PLUGINS)

# A comment and a declaration may come before the root, a DOCTYPE with definitions of its own may not.
_SVG_ROOT = re.compile(rb"(?:<\?xml[^>]*\?>|<!--(?:[^-]|-(?!->))*-->|<!DOCTYPE[^>\[]*>|\s)*<(?:\w+:)?svg[\s>/]", re.I)

# Damaged files make the plugins and their libraries raise all of these.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def examine(path: Path, name: str, pixels_mp: float, *, svg: bool = False) -> Picture:
    """Look at a file and decode it once, to its end. Blocks: seconds for the largest.

    `name` is what messages call it; `svg`: whether an SVG is right here. Raises Problem 422 for what is no whole
    picture, 413 above `pixels_mp` million pixels in all frames together or MAX_FRAMES.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise _refused(name, f"it cannot be read: {error.strerror}") from None
    if _looks_like_svg(head):
        return _examine_svg(path, name, allowed=svg)
    for kind, (is_kind, plugin) in _PLUGINS.items():
        if is_kind(head):
            return _examine_pixels(path, name, kind, plugin, round(pixels_mp * 1e6), head)
    raise _refused(name, f"it is not one of {KINDS}{', SVG' if svg else ''}")


def _examine_pixels(
    path: Path, name: str, kind: Kind, plugin: Callable[[Path], ImageFile.ImageFile], limit: int, head: bytes
) -> Picture:
    if kind.name == "WebP":  # whose plugin asks for memory for the canvas at once
        _check(name, _webp_pixels(head, name), limit)
    try:
        with plugin(path) as picture:
            _check(name, picture.width * picture.height, limit)
            picture.verify()  # of a PNG the checksums to its end; the decoder stops at the last pixel
        with plugin(path) as picture:
            return _all_frames(picture, name, kind, limit)
    except _DAMAGE as error:
        raise _refused(name, f"the {kind.name} is damaged: {str(error)[:200] or type(error).__name__}") from None
    except MemoryError:
        raise too_large(f"files.{name}: there is not enough memory to decode it") from None


def _all_frames(picture: ImageFile.ImageFile, name: str, kind: Kind, limit: int) -> Picture:
    pixels = frames = 0
    while True:
        pixels += picture.width * picture.height
        frames += 1
        _check(name, pixels, limit)
        if frames > MAX_FRAMES:
            raise too_large(f"files.{name} has more than {MAX_FRAMES} frames")
        if kind.name == "JPEG":  # an eighth of the size reads all of the data and costs a fraction
            picture.draft("L", (picture.width // 8, picture.height // 8))
        picture.load()
        if kind.name in ("JPEG", "BMP"):
            return Picture(kind, pixels, 1)
        try:
            picture.seek(frames)
        except EOFError:
            return Picture(kind, pixels, frames)


def _check(name: str, pixels: int, limit: int) -> None:
    if pixels > limit:
        has = f"{pixels / 1e6:.1f} million pixels"
        raise too_large(f"files.{name} has {has}, above the limit of {limit / 1e6:g}; make it smaller")


def _webp_pixels(head: bytes, name: str) -> int:
    """Canvas width x height, from the first chunk (WebP Container Specification; RFC 6386 9.1 for "VP8 ")."""
    chunk, data = head[12:16], head[20:]
    if chunk == b"VP8X" and len(data) >= 10:
        return (int.from_bytes(data[4:7], "little") + 1) * (int.from_bytes(data[7:10], "little") + 1)
    if chunk == b"VP8L" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8 " and len(data) >= 10:
        return (int.from_bytes(data[6:8], "little") & 0x3FFF) * (int.from_bytes(data[8:10], "little") & 0x3FFF)
    raise _refused(name, "the WebP is damaged: its first chunk has no size")


def _looks_like_svg(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    return start.startswith((b"<svg", b"<?xml", b"<!doctype", b"<!--"))


def _examine_svg(path: Path, name: str, allowed: bool) -> Picture:
    if not allowed:
        raise _refused(name, f"an SVG is not taken here; send one of {KINDS}")
    try:
        if path.stat().st_size > MAX_SVG_BYTES:
            raise too_large(f"files.{name}: an SVG may have {MAX_SVG_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise _refused(name, f"it cannot be read: {error.strerror}") from None
    is_whole = data.rstrip().endswith(b">")
    if not _SVG_ROOT.match(data.removeprefix(b"\xef\xbb\xbf")[:_SVG_START]) or not is_whole:
        raise _refused(name, "it begins like an SVG but is no whole one")
    return Picture(SVG, 0, 1)


def _refused(name: str, why: str) -> Problem:
    return bad_value(f"files.{name} cannot be used: {why}", place=f"files.{name}")
