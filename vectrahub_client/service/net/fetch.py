"""Inputs from addresses: streamed into a file, within limits of size and time."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import NoReturn

import aiohttp

from ..problems import Problem
from ..settings import Urls
from .addresses import AddressRules, Lookup, shown, system_lookup
from .outgoing import NETWORK_ERRORS, open_session, reason

_CHUNK = 256 * 1024
_MB = 1024 * 1024


class Fetcher:
    """GET by the rules of `[urls]`. One session, opened at the first use; `close` ends it."""

    def __init__(self, urls: Urls, lookup: Lookup = system_lookup) -> None:
        """Raises UsageError for entries of the lists that are none."""
        self.rules = AddressRules(urls, lookup)
        self._urls = urls
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, target: Path, limit_bytes: int) -> str:
        """Write what is at `url` to `target`, which appears whole or not at all; returns its media type.

        At most `limit_bytes` and `[urls] max_mb`, in `[urls] timeout_s`. Raises Problem 422: "address-refused" before
        anything is sent, "fetch-failed" for what came back; OSError where our own disk fails.
        """
        address = self.rules.parse(url)
        if self._session is None:
            self._session = open_session(self.rules)
        limit = min(limit_bytes, int(self._urls.max_mb * _MB))
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        timeout = aiohttp.ClientTimeout(total=self._urls.timeout_s)
        try:
            async with self._session.get(address, timeout=timeout, allow_redirects=False) as answer:
                _check_head(url, answer, limit)
                await _save(url, answer.content, part, limit)
                media_type = answer.content_type
            os.replace(part, target)
            return media_type
        except NETWORK_ERRORS as error:
            _fail(url, reason(error), f"it must answer within {self._urls.timeout_s:g} s; try again")
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)

    async def close(self) -> None:
        """Close the connections; fetches in flight fail."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _check_head(url: str, answer: aiohttp.ClientResponse, limit: int) -> None:
    if 300 <= answer.status < 400:
        _fail(url, f"it redirects ({answer.status}), which is not followed", "give the address that it leads to")
    if answer.status != 200:
        _fail(url, f"it answers {answer.status}", "the address must give the file itself with 200")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        _fail(url, "it answers in a compressed form that was not asked for", "serve the file as it is")
    if (answer.content_length or 0) > limit:
        _too_large(url, f"{answer.content_length} bytes", limit)


async def _save(url: str, content: aiohttp.StreamReader, part: Path, limit: int) -> None:
    size = 0
    with part.open("xb") as file:  # here, as the rename: a thread could do it after a cancellation has cleaned up
        async for chunk in content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > limit:
                _too_large(url, "longer", limit)
            await asyncio.to_thread(file.write, chunk)


def _too_large(url: str, size: str, limit: int) -> NoReturn:
    _fail(
        url,
        f"it is {size}, at most {limit} bytes are allowed",
        "send a smaller file, or ask the operator ([urls] max_mb)",
    )


def _fail(url: str, what: str, remedy: str) -> NoReturn:
    raise Problem(422, "fetch-failed", "The address does not give the file", f"{shown(url)}: {what}; {remedy}")
