"""The one way out: a client session that reaches checked addresses only, and small posts through it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from ..settings import Urls
from .addresses import AddressRules, Lookup, PinnedResolver, system_lookup

# What a request can end with that is the network's or the other side's fault. Not OSError as a whole: a full disk of
# our own is one, too.
NETWORK_ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError, ssl.SSLError)


def open_session(rules: AddressRules) -> aiohttp.ClientSession:
    """A session without cookies, proxies of the environment, decompression or connections kept open.

    Call it in a running loop; addresses must have gone through `rules.parse`.
    """
    connector = aiohttp.TCPConnector(
        resolver=PinnedResolver(rules), use_dns_cache=False, force_close=True, limit=32, limit_per_host=8
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "VectraHub"},
    )


def reason(error: BaseException) -> str:
    """An error of the network or the disk in words that hold no address with its query and no path."""
    if isinstance(error, asyncio.TimeoutError):
        return "no complete answer in time"
    if isinstance(error, aiohttp.ClientResponseError):  # its text has the whole address
        return f"no proper HTTP answer ({type(error).__name__})"
    if isinstance(error, OSError):  # its text may have a path of this machine
        return f"{type(error).__name__}: {error.strerror or 'no reason given'}"
    return f"{type(error).__name__}: {str(error)[:200]}"


@dataclass(frozen=True)
class Answer:
    """What came back: `body` only as far as it was asked for."""

    status: int
    body: bytes


class Poster:
    """POST to addresses that the rules allow; no redirect is followed."""

    def __init__(self, urls: Urls, lookup: Lookup = system_lookup) -> None:
        """Raises UsageError for entries of the lists that are none."""
        self.rules = AddressRules(urls, lookup)
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        url: str,
        data: bytes | aiohttp.FormData,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float,
        keep: int = 0,
    ) -> Answer:
        """The answer, with at most `keep` bytes of its body. Raises Problem 422, or one of NETWORK_ERRORS."""
        address = self.rules.parse(url)
        if self._session is None:
            self._session = open_session(self.rules)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with self._session.post(
            address, data=data, headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            body = bytearray()
            while len(body) < keep and (chunk := await answer.content.read(keep - len(body))):
                body += chunk
            return Answer(answer.status, bytes(body))

    async def close(self) -> None:
        """Close the connections; posts in flight fail."""
        if self._session is not None:
            await self._session.close()
            self._session = None
