"""PNGs with nothing but the picture: ComfyUI writes the whole graph of a run into what it saves, words and paths."""

from __future__ import annotations

from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME = 12  # bytes of a chunk beside its data: length, type, checksum
_BESIDE = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf"})


def plain_png(data: bytes) -> bytes:
    """The file without its chunks of text and EXIF (PNG, third edition, 11.3); all others stay byte for byte.

    What is no PNG comes back as it is, and so does the end of one that is cut off.
    """
    if not data.startswith(_SIGNATURE):
        return data
    kept, at = [_SIGNATURE], len(_SIGNATURE)
    while at + _FRAME <= len(data):
        end = at + _FRAME + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            break
        if data[at + 4 : at + 8] not in _BESIDE:
            kept.append(data[at:end])
        at = end
    return b"".join((*kept, data[at:]))


def read_plain(path: Path) -> bytes:
    """A picture's file, plain if it is a PNG. Blocks."""
    return plain_png(path.read_bytes())
