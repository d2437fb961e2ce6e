"""Files that come inside the JSON: base64, a data URI, or an address to fetch them from."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from .bodies import Sink, Stored
from .problems import Problem, bad_value, too_large

_STEP = 4 << 20  # characters that are decoded at once, a multiple of 4: other threads get their turns in between
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DATA_URI = re.compile(r"data:[^,]{0,200}?;base64,", re.IGNORECASE)
_WHITESPACE = {ord(character): None for character in " \t\r\n\v\f"}


def is_address(text: str) -> bool:
    """Whether it is an address rather than the file itself."""
    return _URL.match(text.lstrip()) is not None


def decode(text: str, target: Path, name: str, limit: int) -> Stored:
    """Write the bytes of base64 text or a data URI to `target`. Blocks.

    Raises Problem 422 naming the file, 413 above `limit` bytes.
    """
    start = _start(text, name)
    with target.open("xb") as stream:
        sink = Sink(stream)
        rest = ""
        for at in range(start, len(text), _STEP):
            # What follows padding must be padding, so at most the last four characters may have some.
            part = rest + text[at : at + _STEP].translate(_WHITESPACE)
            whole = len(part) - len(part) % 4
            whole = max(0, whole - 4)
            _decode_some(part[:whole], sink, name, limit, last=False)
            rest = part[whole:]
        _decode_some(rest, sink, name, limit, last=True)
    if not sink.bytes:
        raise _refused(name, "it is empty")
    return Stored(target, sink.digest, sink.bytes)


def _start(text: str, name: str) -> int:
    if text[:5].lower() != "data:":
        return 0
    match = _DATA_URI.match(text)
    if match is None:
        raise _refused(name, "a data URI has to be data:TYPE;base64,DATA")
    return match.end()


def _decode_some(text: str, sink: Sink, name: str, limit: int, last: bool) -> None:
    if not last and "=" in text:
        raise _refused(name, "there is padding (=) in the middle")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused(name, f"{error}") from None
    if sink.bytes + len(data) > limit:
        raise too_large(f"files.{name} has more than {limit} bytes")
    sink.write(data)


def _refused(name: str, why: str) -> Problem:
    return bad_value(f"files.{name} is neither base64 nor an address: {why}", place=f"files.{name}")
