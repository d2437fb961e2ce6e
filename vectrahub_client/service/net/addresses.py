"""Which addresses this server may connect to on somebody's word: fetched inputs and callbacks.

The checks are made twice: on the text (`AddressRules.parse`), and on what the name resolves to, inside the resolver
that the connection itself uses (`PinnedResolver`). So there is no moment between check and use in which a name
could change its mind.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NoReturn

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ...errors import UsageError
from ..problems import Problem
from ..settings import Urls, env_name
from .public import is_public, literal

LONGEST = 8000  # characters; about what servers take
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_UNFIT = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$")

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def shown(text: str) -> str:
    """An address as messages may show it: without user, query and fragment, at most 200 characters."""
    bare = re.split(r"[?#]", text, maxsplit=1)[0]
    bare = re.sub(r"//[^/]*@", "//", bare)
    return "".join(c if c.isprintable() else "?" for c in bare[:200])


@dataclass(frozen=True)
class HostPattern:
    """An entry of the lists: HOST, HOST:PORT, *.DOMAIN, *.DOMAIN:PORT or "*". `port` None: the usual ones."""

    host: str
    port: int | None

    @classmethod
    def read(cls, entry: str, setting: str) -> HostPattern:
        """The entry of a list. Raises UsageError."""
        match = re.fullmatch(r"(\*|(?:\*\.)?[^\s/@*]+?)(?::([0-9]{1,5}))?", entry.strip())
        host, port = (match[1], match[2]) if match else ("", None)
        if re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", entry.strip()):  # IPv6 without brackets
            host, port = f"[{entry.strip()}]", None
        try:
            if host == "*":
                return cls(host, _port(port))
            wild = "*." if host.startswith("*.") else ""
            return cls(wild + normal_host(URL(f"https://{host.removeprefix('*.')}").raw_host), _port(port))
        except ValueError:
            raise UsageError(
                f"[urls] {setting} has {entry!r}, which is no HOST, HOST:PORT or *.DOMAIN; "
                f"in the environment {env_name(['urls', setting])}"
            ) from None

    def covers(self, host: str) -> bool:
        """Whether a normal host is meant, whatever the port."""
        if self.host == "*":
            return True
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not 0 < int(text) < 65536:
        raise ValueError(text)
    return int(text)


def normal_host(host: str | None) -> str:
    """A host as yarl gives it (IDNA encoded) in the one spelling that is compared. Raises ValueError."""
    host = (host or "").lower()
    address = literal(host)
    if address is not None:
        return str(address)
    host = host[:-1] if host.endswith(".") else host
    if not _NAME.match(host):
        raise ValueError(f"{host!r} is no host")
    return host


class AddressRules:
    """The checklist for outgoing addresses, from the operator's two lists."""

    def __init__(self, urls: Urls, lookup: Lookup = system_lookup) -> None:
        """Raises UsageError for an entry that is none."""
        self._allow = [HostPattern.read(entry, "allow") for entry in urls.allow]
        self._internal = [HostPattern.read(entry, "internal") for entry in urls.internal]
        if any(pattern.host == "*" for pattern in self._internal):
            raise UsageError(
                '[urls] internal cannot be "*": every machine behind the firewall could be reached; name them'
            )
        self._lookup = lookup

    def parse(self, text: str) -> URL:
        """The address that may be asked, its host normalised. Raises Problem 422 "address-refused".

        The name is not resolved here: connect with `PinnedResolver`, or call `check`.
        """
        url, host, port = _read(text)
        if self.is_internal(host, port):
            return url
        if url.scheme != "https":
            _refuse(text, "only https is allowed", "use https://, or list the host in [urls] internal")
        if not any(pattern.covers(host) for pattern in self._allow):
            _refuse(
                text, f"the host {host} is not on the list of allowed hosts", "the operator can add it to [urls] allow"
            )
        if not _matches(self._allow, host, port, (443,)):
            _refuse(text, f"port {port} is not allowed there", f"the operator can add {host}:{port} to [urls] allow")
        address = literal(host)
        if address is not None and not is_public(address):
            _refuse(text, "it is no public address", "the operator can list HOST:PORT in [urls] internal")
        return url

    async def check(self, text: str) -> URL:
        """`parse`, and what the name resolves to now. Raises Problem 422 "address-refused"."""
        url = self.parse(text)
        host, port = url.raw_host or "", url.port or 0
        if literal(host) is None:
            try:
                await self.addresses(host, port)
            except OSError:
                _refuse(text, f"the name {host} does not resolve", "check the name, or try again later")
        return url

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a name, every one checked. Raises OSError where there are none, Problem 422."""
        found = await self._lookup(host, port)
        if not found:
            raise OSError(f"{host} has no address")
        if not self.is_internal(host, port) and not all(is_public(ip_address(address)) for address in found):
            where = f"{host}:{port}"
            _refuse(
                where,
                "the name leads to an address that is not public",
                f"the operator can list {where} in [urls] internal",
            )
        return found

    def is_internal(self, host: str, port: int) -> bool:
        """Whether the operator said that it may be private and plain http."""
        return _matches(self._internal, host, port, (80, 443))


class PinnedResolver(AbstractResolver):
    """Gives aiohttp's connector checked addresses only. It asks for names alone: literals are judged in `parse`."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results: list[ResolveResult] = []
        for address in await self._rules.addresses(host, port):
            version = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
            if family in (socket.AF_UNSPEC, version):
                numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
                results.append(
                    ResolveResult(hostname=host, host=address, port=port, family=version, proto=0, flags=numeric)
                )
        return results

    async def close(self) -> None:
        """Nothing is kept open."""


def origin(url: str, setting: str) -> str:
    """HOST:PORT of an address from the settings, for a list `internal`. Raises UsageError that names the setting."""
    try:
        _, host, port = _read(url)
    except Problem as problem:
        raise UsageError(f"{setting}: {problem.detail}") from None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _read(text: str) -> tuple[URL, str, int]:
    """(address with a normal host, host, port). Raises Problem."""
    remedy = "write it as https://HOST/PATH"
    if len(text) > LONGEST:
        _refuse(text, f"it has {len(text)} characters, at most {LONGEST} are allowed", "use a shorter one")
    if _UNFIT.search(text):
        _refuse(text, "it has a space, a backslash or a control character", "percent-encode them")
    authority = _AUTHORITY.match(text)
    if authority is None:
        _refuse(text, "it is no address", remedy)
    if "@" in authority[1]:
        _refuse(text, "it has a user or a password in it", "leave them out")
    try:
        url = URL(text)
        host = normal_host(url.raw_host)
        if host != url.raw_host:
            url = url.with_host(host)
    except ValueError:
        _refuse(text, "its host or port cannot be read, or is not spelled in the usual way", remedy)
    if url.scheme not in ("http", "https") or not url.port:
        _refuse(text, "only https is allowed", remedy)
    return url, host, url.port


def _matches(patterns: Iterable[HostPattern], host: str, port: int, usual: tuple[int, ...]) -> bool:
    return any(
        pattern.covers(host) and (port in usual if pattern.port is None else port == pattern.port)
        for pattern in patterns
    )


def _refuse(text: str, rule: str, remedy: str) -> NoReturn:
    raise Problem(422, "address-refused", "The address is not allowed", f"{shown(text)}: {rule}; {remedy}")
