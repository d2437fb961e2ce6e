"""Whether a request without a token comes from a program or a person of this very machine.

The address alone does not say it: a proxy on this machine forwards strangers, and a page of a stranger's site makes
the browser of this machine ask (also by a name of theirs that leads to 127.0.0.1).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

# Whoever passes requests on says so, in one of these.
_FORWARDING = frozenset({"forwarded", "x-real-ip", "via", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
_FORWARDING_PREFIX = "x-forwarded"
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")


def is_local(request: web.Request) -> bool:
    """True where peer, Host header, forwarding headers and browser headers all say so; any doubt is False."""
    return (
        _from_loopback(request)
        and not _was_forwarded(request)
        and _by_local_name(request)
        and _same_site(request)
        # Proxies that are told nothing else speak HTTP/1.0, name this machine as Host and keep quiet about the client.
        and request.version >= HttpVersion11
    )


def is_loopback_name(host: str) -> bool:
    """Whether a Host header's value, with or without a port, is localhost or a loopback address."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]")
    return name.lower() == "localhost" or _is_loopback(name)


def _from_loopback(request: web.Request) -> bool:
    # Not request.remote, which middlewares may change.
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return isinstance(peer, tuple) and bool(peer) and _is_loopback(str(peer[0]))


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _was_forwarded(request: web.Request) -> bool:
    names = {name.lower() for name in request.headers}
    return bool(names & _FORWARDING) or any(name.startswith(_FORWARDING_PREFIX) for name in names)


def _by_local_name(request: web.Request) -> bool:
    hosts = request.headers.getall("Host", [])
    return len(hosts) == 1 and is_loopback_name(hosts[0])


def _same_site(request: web.Request) -> bool:
    # "same-site" is another port of this machine: another program's page.
    if any(value not in ("same-origin", "none") for value in request.headers.getall("Sec-Fetch-Site", [])):
        return False
    host = request.headers.get("Host", "").lower()
    return all(_authority(origin) == host for origin in request.headers.getall("Origin", []))


def _authority(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") else ""
