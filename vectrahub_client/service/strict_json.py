"""JSON from strangers: bounded in depth and in number of values before it is parsed, and without its loose ends."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from .problems import bad_request

MAX_VALUES = 250_000  # members and elements of one document; a large workflow has some thousands

_OPENING, _CLOSING, _COMMA, _QUOTE, _BACKSLASH = b"[{", b"]}", ord(","), ord('"'), ord("\\")
_MARK = re.compile(rb'["\[\]{},]')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(data: bytes, depth: int, what: str = "the body") -> Any:
    """The value. Blocks, for long texts: belongs into a thread. `what`: what a refusal calls it.

    Raises Problem 400: not UTF-8, not JSON, a name twice, NaN or Infinity or a number that is too large, half a
    surrogate pair, nested deeper than `depth`, more than MAX_VALUES values.
    """
    _check_shape(data, depth)
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_finite
        )
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise bad_request(f"the JSON is not proper Unicode: {error.reason}") from None
    except ValueError as error:
        raise bad_request(f"{what} is not JSON: {str(error)[:200]}") from None
    return value


def _check_shape(data: bytes, depth: int) -> None:
    """Count brackets and commas outside of strings. In steps: other threads get their turns in between."""
    at, level, values = 0, 0, 0
    while match := _MARK.search(data, at):
        mark, at = data[match.start()], match.end()
        if mark == _QUOTE:
            at = _after_string(data, at)
        elif mark in _OPENING:
            level += 1
            if level > depth:
                raise bad_request(f"the JSON is nested deeper than {depth} levels", limit=depth)
        elif mark in _CLOSING:
            level -= 1
        if mark in _OPENING or mark == _COMMA:
            values += 1
            if values > MAX_VALUES:
                raise bad_request(f"the JSON has more than {MAX_VALUES} values", limit=MAX_VALUES)


def _after_string(data: bytes, at: int) -> int:
    while (end := data.find(b'"', at)) >= 0:
        slashes = end
        while slashes > at and data[slashes - 1] == _BACKSLASH:
            slashes -= 1
        if (end - slashes) % 2 == 0:
            return end + 1
        at = end + 1
    return len(data)


def _members(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the name {twice[:80]!r} stands twice in one object")
    return members


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value
