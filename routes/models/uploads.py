"""Uploads of model files: in as many requests as it takes, across restarts, and never over a file that is there."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...vectrahub_client.service.problems import Problem, bad_value, busy, not_found
from .folders import ModelFolder
from .hashes import digest_of
from .header import read_header
from .names import check_group, check_new_name
from .pending import Pending, Writer, begin, found_in, leftovers
from .store import Model, ModelStore

SPARE = 10**9  # bytes that stay free on the disk
ABANDONED = 86400.0  # seconds without a byte
MOST = 100  # uploads under way
_SMALLEST = 9  # bytes; 8 say how long the header is

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Uploads:
    """The uploads under way, one request at a time for each. For one event loop."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._known: dict[str, Pending] | None = None
        self._writing: set[str] = set()
        self._changing = asyncio.Lock()

    async def start(
        self,
        model_type: str,
        filename: str,
        base_model: str | None = None,
        *,
        size: int | None = None,
        sha256: str | None = None,
        chunks: int | None = None,
    ) -> Pending:
        """A new upload of `size` bytes, or of so many `chunks`. It will be TYPE/BASE_MODEL/FILENAME.

        Raises Problem 404 (no such type), 409 (a file or an upload of this name), 422, 429, 507 (no room).
        """
        check_new_name(filename)
        folder = self._store.folder(model_type)
        if ".safetensors" not in folder.suffixes:
            raise bad_value(f"the type {folder.name} takes no .safetensors files")
        group = check_group(base_model) if base_model else None
        if size is not None and size < _SMALLEST:
            raise bad_value(f"size is {size}; no .safetensors file is smaller than {_SMALLEST} bytes")
        if sha256 is not None and not _SHA256.fullmatch(sha256 := sha256.lower()):
            raise bad_value("sha256 must be 64 hexadecimal digits")
        await self.sweep()
        async with self._changing:
            known = await self._loaded()
            if len(known) >= MOST:
                raise busy(f"{MOST} uploads are under way, which is the limit; finish or delete some", 60)
            place = folder.home / group if group else folder.home
            for other in known.values():
                if other.target == place / filename:
                    raise Problem(
                        409,
                        "uploading",
                        "This file is being uploaded",
                        f"go on with the upload {other.id}, or delete it",
                        upload_id=other.id,
                    )
            await asyncio.to_thread(self._check_place, folder, place, filename, size or 0)
            pending = await asyncio.to_thread(
                begin, folder.name, place, filename, group, size=size, sha256=sha256, chunks=chunks
            )
            known[pending.id] = pending
        return pending

    async def get(self, upload_id: str) -> Pending:
        """An upload under way. Raises Problem 404: it never was, it is done, or it was abandoned."""
        if (pending := (await self._loaded()).get(upload_id)) is None:
            raise not_found(f"no upload {upload_id[:100]!r} is under way")
        return pending

    async def find(self, model_type: str, filename: str, base_model: str | None) -> Pending | None:
        """The upload of this file, if there is one."""
        name = self._store.folder(model_type).name
        wanted = (name, filename, base_model or None)
        known = (await self._loaded()).values()
        return next((one for one in known if (one.type, one.filename, one.base_model) == wanted), None)

    async def receive(
        self, upload_id: str, offset: int, blocks: AsyncIterator[bytes], chunk_digest: str | None = None
    ) -> Model | None:
        """Add bytes that begin at `offset`; the model when it is whole, else None. What came is kept if `blocks` fails.

        Raises Problem 404, 409 (another offset, another request is at it, a file has its name by now), 413 (more than
        its size), 422 (whole, but not usable or not the one that was announced; the upload is gone then), 507.
        """
        pending = await self.get(upload_id)
        with self._claimed(pending):
            if offset != pending.offset:
                raise wrong_offset(pending, offset)
            try:
                await asyncio.to_thread(self._check_room, pending.folder, 0)
                await self._write(pending, blocks, chunk_digest)
            except FileNotFoundError:  # somebody removed it from the disk
                await self._forget(pending)
                raise not_found(f"the upload {pending.id} is gone") from None
            whole = pending.offset == pending.size if pending.chunks is None else pending.chunk == pending.chunks
            return await self._complete(pending) if whole else None

    async def discard(self, upload_id: str) -> None:
        """Give it up and remove what came. Raises Problem 404, 409 while a request is at it."""
        pending = await self.get(upload_id)
        with self._claimed(pending):
            await self._forget(pending)

    async def sweep(self) -> None:
        """Remove what nobody went on with for a day."""
        known, before = await self._loaded(), time.time() - ABANDONED
        for pending in [*known.values()]:
            if pending.id not in self._writing and await asyncio.to_thread(pending.touched_at) < before:
                await self.discard(pending.id)

    async def _write(self, pending: Pending, blocks: AsyncIterator[bytes], chunk_digest: str | None) -> None:
        writer = await asyncio.to_thread(Writer, pending)
        keep = chunk_digest is None  # bytes may end anywhere, a numbered chunk comes whole or not at all
        try:
            async for block in blocks:
                if pending.size is not None and pending.offset + writer.written + len(block) > pending.size:
                    keep = False
                    raise Problem(
                        413, "too-large", "More than was announced", f"the upload has {pending.size} bytes, no more"
                    )
                await asyncio.to_thread(writer.write, block)
            keep = True
            if chunk_digest is not None:
                pending.chunk, pending.last_chunk = pending.chunk + 1, chunk_digest
        finally:
            await asyncio.to_thread(writer.close, keep)

    async def _complete(self, pending: Pending) -> Model:
        try:
            return await asyncio.to_thread(self._check_and_publish, pending)
        finally:
            await self._forget(pending)

    def _check_and_publish(self, pending: Pending) -> Model:
        if not read_header(pending.part).tensors:
            raise bad_value("the file is no usable .safetensors: there are no tensors in it")
        digest = pending.digest.hexdigest() if pending.digest is not None else None
        if pending.sha256 is not None:
            digest = digest or digest_of(pending.part)
            if digest != pending.sha256:
                raise bad_value(f"the file's sha256 is {digest}, announced was {pending.sha256}; upload it again")
        try:
            pending.publish()
        except FileExistsError:
            raise _exists(pending.type, pending.path) from None
        self._store.folders.changed(pending.type)
        if digest is not None:
            self._store.hashes.remember(pending.target, digest)
        logging.getLogger("vectrahub").info("model %s/%s uploaded", pending.type, pending.path)
        return self._store.get(pending.type, pending.path)

    async def _forget(self, pending: Pending) -> None:
        (await self._loaded()).pop(pending.id, None)
        await asyncio.to_thread(pending.discard)

    @contextmanager
    def _claimed(self, pending: Pending) -> Iterator[None]:
        if pending.id in self._writing:
            raise Problem(409, "uploading", "Another request is at it", "one request at a time adds to an upload")
        self._writing.add(pending.id)
        try:
            yield
        finally:
            self._writing.discard(pending.id)

    async def _loaded(self) -> dict[str, Pending]:
        if self._known is None:
            found = await asyncio.to_thread(self._scan)
            if self._known is None:  # another request was quicker
                self._known = found
        return self._known

    def _scan(self) -> dict[str, Pending]:
        found = {
            pending.id: pending
            for folder in self._store.folders.all().values()
            for pending in found_in(folder.name, folder.home)
        }
        ours = {file for one in found.values() for file in (one.part, one.record)}
        for folder in self._store.folders.all().values():
            for file in leftovers(folder.home, time.time() - ABANDONED):
                if file not in ours:
                    file.unlink(missing_ok=True)
        return found

    def _check_place(self, folder: ModelFolder, place: Path, filename: str, size: int) -> None:
        relative = (place / filename).relative_to(folder.home)
        if any((root / relative).exists() or (root / relative).is_symlink() for root in folder.roots):
            raise _exists(folder.name, relative.as_posix())
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(
                409, "no-folder", "The folder cannot be made", f"{folder.name}/{place.name}: {error.strerror}"
            ) from error
        if not self._store.is_inside(place):
            raise Problem(
                409, "leads-out", "The folder is a link", f"{folder.name}/{place.name} leads out of the model folders"
            )
        self._check_room(place, size)

    def _check_room(self, place: Path, size: int) -> None:
        device = place.stat().st_dev
        others = [one for one in (self._known or {}).values() if one.folder.exists()]
        promised = sum(one.left for one in others if one.folder.stat().st_dev == device) if size else 0
        free = shutil.disk_usage(place).free
        if size + promised > free - SPARE:
            raise Problem(
                507,
                "no-space",
                "There is no room for it",
                f"{size} bytes are asked for; {free} are free, of which {SPARE} stay so and {promised} belong to "
                "other uploads. Delete models or uploads that nobody needs",
            )


def wrong_offset(pending: Pending, offset: int) -> Problem:
    """409 with the offset at which it goes on."""
    return Problem(
        409,
        "wrong-offset",
        "The upload stands elsewhere",
        f"the request begins at {offset}, the upload goes on at {pending.offset}",
        headers={"Upload-Offset": str(pending.offset)},
        offset=pending.offset,
    )


def _exists(type_name: str, path: str) -> Problem:
    return Problem(
        409, "exists", "There is a model of this name", f"{type_name}/{path}: delete it first, or take another name"
    )
