"""Uploads as the toolbox server takes them: numbered chunks of a file whose size nobody says."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ...vectrahub_client.service.problems import Problem, bad_value
from .pending import Pending
from .store import Model
from .uploads import Uploads

MOST_CHUNKS = 100_000


@dataclass(frozen=True)
class Chunk:
    """One of `total` chunks of a file, numbered from 0; `data` is decoded."""

    filename: str
    model_type: str
    base_model: str | None
    index: int
    total: int
    data: bytes


async def take_chunk(uploads: Uploads, chunk: Chunk) -> Model | None:
    """Add it to its file: the model after the last chunk, else None.

    Chunks come in order; the one that came last may come again. Chunk 0 begins anew. Raises Problem as
    Uploads.start and Uploads.receive do, and 409 for a chunk that is not the next one.
    """
    if not 1 <= chunk.total <= MOST_CHUNKS or not 0 <= chunk.index < chunk.total:
        raise bad_value(
            f"chunk_index is {chunk.index} of total_chunks {chunk.total}; it must be 0 to total_chunks - 1, and "
            f"total_chunks 1 to {MOST_CHUNKS}"
        )
    digest = await asyncio.to_thread(lambda: hashlib.sha256(chunk.data).hexdigest())
    pending = await uploads.find(chunk.model_type, chunk.filename, chunk.base_model)
    if pending is not None and _is_repeated(pending, chunk, digest):
        return None
    if chunk.index == 0:
        if pending is not None and pending.chunks is not None:
            await uploads.discard(pending.id)
        pending = await uploads.start(chunk.model_type, chunk.filename, chunk.base_model, chunks=chunk.total)
    if pending is None or (pending.chunks, pending.chunk) != (chunk.total, chunk.index):
        raise _wrong_chunk(pending, chunk)
    return await uploads.receive(pending.id, pending.offset, _once(chunk.data), digest)


def _is_repeated(pending: Pending, chunk: Chunk, digest: str) -> bool:
    place = (pending.chunks, pending.chunk - 1, pending.last_chunk)
    return place == (chunk.total, chunk.index, digest)


def _wrong_chunk(pending: Pending | None, chunk: Chunk) -> Problem:
    given = f"this is chunk {chunk.index} of {chunk.total}"
    if pending is None or pending.chunks is None:
        return Problem(409, "wrong-chunk", "The upload was not begun", f"{given}; begin with chunk 0")
    text = f"{given}, the next one is {pending.chunk} of {pending.chunks}"
    return Problem(409, "wrong-chunk", "Another chunk is next", text, chunk_index=pending.chunk)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
