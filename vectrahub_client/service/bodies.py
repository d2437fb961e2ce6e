"""Requests' bodies: read within limits, JSON into memory, parts of a form into temporary files."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from .body_gate import ON_THE_WAY, Place
from .problems import Problem, bad_request, too_large
from .strict_json import parse

T = TypeVar("T")

READ_SECONDS = 300.0  # for the whole body, also of a client that sends a byte now and then
STALL_SECONDS = 15.0  # without a byte
MAX_PARTS = 64
REQUEST_PART = "request"
MAX_NAME = 200  # characters of the name of a part

_CHUNK = 1 << 20
_SMALL = 64 * 1024  # bytes of JSON that are parsed in less time than a thread takes to wake up
_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json", re.ASCII)
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")

# What aiohttp raises on a form that is none: its parser's own errors, and those of the calls that it does not guard.
_BROKEN_FORM = (HttpProcessingError, ValueError, RuntimeError, AssertionError, LookupError, EOFError)


@dataclass(frozen=True)
class Stored:
    """A file that came in: where it lies for now, its SHA-256 in hex, its size."""

    path: Path
    digest: str
    bytes: int


@dataclass(frozen=True)
class Body:
    """`document`: the JSON, {} without one. `files`: the parts of a form, by name; empty for a JSON body."""

    document: Any
    files: dict[str, Stored] = field(default_factory=dict)


async def read_body(place: Place, folder: Path) -> Body:
    """JSON or multipart/form-data; files go into `folder`.

    Raises Problem 400 (not understood), 408 (too slow), 413 (above the place's limit), 415 (neither of the two).
    """
    if place.request.content_type == "multipart/form-data":
        return await _in_time(_read_form(place, folder))
    return Body(await read_json(place))


async def read_json(place: Place) -> Any:
    """The JSON of a body. Raises as read_body does."""
    shown = place.request.headers.get("Content-Type", "")
    if not shown or not _JSON_TYPE.fullmatch(place.request.content_type):
        given = f"the Content-Type is {shown[:80]}" if shown else "the request has no Content-Type"
        detail = f"{given}; send application/json, or multipart/form-data where files belong to it"
        raise Problem(415, "media-type", "The body is of another kind", detail)
    return await _parsed(await _in_time(_read_bytes(place)), place)


async def _parsed(data: bytes, place: Place) -> Any:
    depth = place.limits.json_depth
    if len(data) <= _SMALL:
        return parse(data, depth)
    return await asyncio.to_thread(parse, data, depth)


async def _in_time(reading: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(reading, READ_SECONDS)
    except asyncio.TimeoutError:
        raise too_slow(f"the body was not there after {READ_SECONDS:g} s") from None
    except web.RequestPayloadError as error:
        raise bad_request(f"the body broke off or is damaged: {error}") from None


async def step(reading: Awaitable[T]) -> T:
    """Wait for the next bytes. Raises Problem 408 when none come for STALL_SECONDS."""
    try:
        return await asyncio.wait_for(reading, STALL_SECONDS)
    except asyncio.TimeoutError:
        raise too_slow(f"no byte came for {STALL_SECONDS:g} s") from None


def too_slow(detail: str) -> Problem:
    """408."""
    return Problem(408, "too-slow", "The request took too long", detail, headers={"Connection": "close"})


async def _read_bytes(place: Place) -> bytes:
    data = bytearray()
    while chunk := await step(place.request.content.readany()):
        data += chunk
        if len(data) > place.limit:
            raise place.above()
    return bytes(data)


async def _read_form(place: Place, folder: Path) -> Body:
    document: Any = {}
    files: dict[str, Stored] = {}
    names: set[str] = set()
    left = place.limit
    reader = await _form(place.request.multipart())
    while (part := await _form(reader.next())) is not None:
        if len(names) == MAX_PARTS:
            raise bad_request(f"the form has more than {MAX_PARTS} parts", limit=MAX_PARTS)
        name = _name_of(part)
        if name in names:
            raise bad_request(f"the form has two parts {name[:80]!r}")
        names.add(name)
        kept = await _store(part, folder / f"part-{len(names)}", left, place)
        left -= kept.bytes
        if name == REQUEST_PART:
            if kept.bytes > ON_THE_WAY:
                raise too_large(f"the part {name} may have {ON_THE_WAY} bytes; send files as parts of their own")
            document = await _parsed(await asyncio.to_thread(kept.path.read_bytes), place)
        else:
            files[name] = kept
    return Body(document, files)


async def _form(reading: Awaitable[T]) -> T:
    try:
        return await step(reading)
    except _BROKEN_FORM as error:
        raise bad_request(f"the form cannot be read: {str(error)[:200]}") from None


def _name_of(part: MultipartReader | BodyPartReader) -> str:
    if not isinstance(part, BodyPartReader):
        raise bad_request("the form has a form inside; send each file as a part of its own")
    name = part.name
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise bad_request(f"every part of the form needs a name of 1 to {MAX_NAME} printable characters")
    encoding = part.headers.get("Content-Transfer-Encoding", "").lower()
    if encoding not in _PLAIN_ENCODINGS:
        raise bad_request(f"the part {name!r} is sent as {encoding[:40]!r}; send the bytes as they are")
    return name


async def _store(part: MultipartReader | BodyPartReader, target: Path, left: int, place: Place) -> Stored:
    if not isinstance(part, BodyPartReader):
        raise bad_request("the form has a form inside")
    with await asyncio.to_thread(target.open, "xb") as stream:
        sink = Sink(stream)
        waiting = bytearray()
        while chunk := await _form(part.read_chunk(_CHUNK)):
            if sink.bytes + len(waiting) + len(chunk) > left:
                raise place.above()
            waiting += chunk
            if len(waiting) >= _CHUNK:
                await asyncio.to_thread(sink.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(sink.write, bytes(waiting))
        await asyncio.to_thread(stream.flush)
    return Stored(target, sink.digest, sink.bytes)


class Sink:
    """Writes, counts and digests. Blocks."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._stream.write(data)
        self._hash.update(data)
        self.bytes += len(data)

    @property
    def digest(self) -> str:
        """SHA-256 so far, in hex."""
        return self._hash.hexdigest()
