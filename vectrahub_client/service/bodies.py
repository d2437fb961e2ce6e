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

from .problems import Problem, bad_request, too_large
from .settings import Limits
from .strict_json import parse

T = TypeVar("T")

READ_SECONDS = 300.0  # for the whole body, also of a client that sends a byte now and then
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


async def read_body(request: web.Request, limits: Limits, folder: Path) -> Body:
    """JSON or multipart/form-data; files go into `folder`.

    Raises Problem 400 (not understood), 408 (too slow), 413 (above limits.body_mb), 415 (neither of the two).
    """
    if request.content_type == "multipart/form-data":
        return await _in_time(_read_form(request, limits, folder))
    return Body(await read_json(request, limits))


async def read_json(request: web.Request, limits: Limits) -> Any:
    """The JSON of a body. Raises as read_body does."""
    if not _JSON_TYPE.fullmatch(request.content_type) or "Content-Type" not in request.headers:
        shown = request.headers.get("Content-Type", "nothing")[:80]
        detail = f"the Content-Type is {shown}; send application/json, or multipart/form-data where files belong to it"
        raise Problem(415, "media-type", "The body is of another kind", detail)
    return await _parsed(await _in_time(_read_bytes(request, byte_limit(limits))), limits)


def byte_limit(limits: Limits) -> int:
    """limits.body_mb in bytes."""
    return int(limits.body_mb * 1024 * 1024)


async def _parsed(data: bytes, limits: Limits) -> Any:
    if len(data) <= _SMALL:
        return parse(data, limits.json_depth)
    return await asyncio.to_thread(parse, data, limits.json_depth)


async def _in_time(reading: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(reading, READ_SECONDS)
    except asyncio.TimeoutError:
        detail = f"the body was not there after {READ_SECONDS:g} s"
        raise Problem(408, "too-slow", "The request took too long", detail, headers={"Connection": "close"}) from None
    except web.RequestPayloadError as error:
        raise bad_request(f"the body broke off or is damaged: {error}") from None


def _check_length(request: web.Request, limit: int) -> None:
    if (request.content_length or 0) > limit:
        raise _above(limit)


def _above(limit: int) -> Problem:
    return too_large(f"a body may have {limit} bytes; send large files by address instead, or ask for limits.body_mb")


async def _read_bytes(request: web.Request, limit: int) -> bytes:
    _check_length(request, limit)
    data = bytearray()
    while chunk := await request.content.readany():
        data += chunk
        if len(data) > limit:
            raise _above(limit)
    return bytes(data)


async def _read_form(request: web.Request, limits: Limits, folder: Path) -> Body:
    limit = byte_limit(limits)
    _check_length(request, limit)
    document: Any = {}
    files: dict[str, Stored] = {}
    names: set[str] = set()
    left = limit
    reader = await _form(request.multipart())
    while (part := await _form(reader.next())) is not None:
        if len(names) == MAX_PARTS:
            raise bad_request(f"the form has more than {MAX_PARTS} parts", limit=MAX_PARTS)
        name = _name_of(part)
        if name in names:
            raise bad_request(f"the form has two parts {name[:80]!r}")
        names.add(name)
        kept = await _store(part, folder / f"part-{len(names)}", left, limit)
        left -= kept.bytes
        if name == REQUEST_PART:
            document = await _parsed(await asyncio.to_thread(kept.path.read_bytes), limits)
        else:
            files[name] = kept
    return Body(document, files)


async def _form(step: Awaitable[T]) -> T:
    try:
        return await step
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


async def _store(part: MultipartReader | BodyPartReader, target: Path, left: int, limit: int) -> Stored:
    if not isinstance(part, BodyPartReader):
        raise bad_request("the form has a form inside")
    with await asyncio.to_thread(target.open, "xb") as stream:
        sink = Sink(stream)
        waiting = bytearray()
        while chunk := await _form(part.read_chunk(_CHUNK)):
            if sink.bytes + len(waiting) + len(chunk) > left:
                raise _above(limit)
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
