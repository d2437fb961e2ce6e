"""Which IP addresses belong to the public internet, whatever they are wrapped in.

The registries are IANA's special-purpose address lists (RFC 6890 and its updates). Python's `is_global` follows them,
but later than they change and not through the addresses that carry another one; so IPv6 is public only inside the
block that is given out (2000::/3), and what is embedded in an address is judged, too.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address

_SPECIAL_4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, some of them "global" anycast of the nearest router
    IPv4Network("192.88.99.0/24"),  # the withdrawn 6to4 relay
)
_UNICAST_6 = IPv6Network("2000::/3")
_SPECIAL_6 = (
    IPv6Network("2001::/23"),  # protocol assignments: Teredo, ORCHID, benchmarks
    IPv6Network("3fff::/20"),  # documentation
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPAddress) -> bool:
    """Whether it is an address of one host of the public internet."""
    if isinstance(address, IPv4Address):
        special = any(address in net for net in _SPECIAL_4)
        return address.is_global and not (address.is_multicast or address.is_reserved or special)
    if address.scope_id is not None:
        return False
    inner = embedded(address)
    if inner is not None and not is_public(inner):
        return False
    if address.ipv4_mapped is not None or address in _NAT64:
        return True
    return address in _UNICAST_6 and address.is_global and not any(address in net for net in _SPECIAL_6)


def embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to a mapped (RFC 4291), NAT64 (RFC 6052) or 6to4 (RFC 3056) address end at."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def literal(host: str) -> IPAddress | None:
    """The address that a host (without brackets) spells, None for a name. Raises ValueError for a crooked spelling.

    Like WHATWG's URL standard, a host whose last label is a number is an address; unlike it, 127.1, 0x7f.0.0.1,
    0177.0.0.1 and 2130706433 are refused: programs disagree on what they mean.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError("a zone means something on one machine only")
        return ip_address(host)
    last = host.rstrip(".").rpartition(".")[2]
    if last.isdigit() or last[:2].lower() == "0x":
        return IPv4Address(host)
    return None
