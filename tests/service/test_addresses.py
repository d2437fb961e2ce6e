from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.service.net.addresses import AddressRules, PinnedResolver, origin, shown
from vectrahub.vectrahub_client.service.net.outgoing import open_session
from vectrahub.vectrahub_client.service.net.public import is_public
from vectrahub.vectrahub_client.service.problems import Problem
from vectrahub.vectrahub_client.service.settings import Urls

ANY = AddressRules(Urls(allow=("*",)))
LISTED = AddressRules(
    Urls(
        allow=("files.example.com", "odd.example.com:8443", "*.cdn.example", "Bücher.example"), internal=("store:9000",)
    )
)
PRIVATE_4 = st.one_of(
    *(
        st.ip_addresses(v=4, network=network)
        for network in (
            "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.88.99.0/24 "
            "192.168.0.0/16 198.18.0.0/15 224.0.0.0/4 240.0.0.0/4"
        ).split()
    )
)
PRIVATE_6 = st.one_of(
    *(
        st.ip_addresses(v=6, network=network)
        for network in "::/96 ::1/128 fc00::/7 fe80::/10 fec0::/10 ff00::/8 2001::/32 2001:db8::/32 64:ff9b:1::/48 "
        "100::/64 5f00::/16 3fff::/20".split()
    )
)


def carried(address: IPv4Address) -> list[IPv6Address]:
    """The IPv6 addresses that lead to an IPv4 one."""
    bits = int(address)
    return [
        IPv6Address((0xFFFF << 32) | bits),
        IPv6Address((0x64FF9B << 96) | bits),
        IPv6Address((0x2002 << 112) | (bits << 80) | 1),
    ]


def spellings(address: IPv4Address) -> list[str]:
    a, b, c, d = address.packed
    bits = int(address)
    return [
        str(address),
        f"{address}.",
        str(bits),
        hex(bits),
        f"0{bits:o}",
        f"{a:#x}.{b}.{c}.{d}",
        f"0{a:o}.0{b:o}.{c}.{d}",
        f"{a}.{b}.{(c << 8) | d}",
        f"{a}.{bits & 0xFFFFFF}",
        "".join(chr(0xFF10 + int(one)) if one.isdigit() else "。" for one in str(address)),
        *(f"[{one}]" for one in carried(address)),
        f"[::ffff:{address}]",
    ]


def refused(rules: AddressRules, text: str) -> str:
    with pytest.raises(Problem) as caught:
        rules.parse(text)
    assert (caught.value.status, caught.value.kind) == (422, "address-refused")
    return caught.value.detail


@given(PRIVATE_4)
def test_no_spelling_of_a_private_address_passes(address: IPv4Address) -> None:
    assert not is_public(address)
    for one in carried(address):
        assert not is_public(one)
    for host in spellings(address):
        refused(ANY, f"https://{host}/a.png")


@given(PRIVATE_6)
def test_no_special_ipv6_address_passes(address: IPv6Address) -> None:
    assert not is_public(address)
    refused(ANY, f"https://[{address}]/")
    refused(ANY, f"https://[{address.exploded}%25eth0]/")


@pytest.mark.parametrize("text", ["8.8.8.8", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]"])
def test_a_public_literal_passes(text: str) -> None:
    assert ANY.parse(f"https://{text}/").port == 443


@given(st.ip_addresses(v=6))
def test_public_ipv6_lies_where_addresses_are_given_out(address: IPv6Address) -> None:
    if is_public(address) and address.ipv4_mapped is None:
        assert address.packed[0] >> 5 == 1 or address.packed[:4] == b"\x00\x64\xff\x9b"


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_no_text_is_taken_for_a_listed_address_that_is_none(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://files.example.com{text}", f"https://{text}files.example.com/"):
        try:
            url = LISTED.parse(candidate)
        except Problem as problem:
            assert problem.kind == "address-refused"
            continue
        assert url.raw_host == "files.example.com" or (url.raw_host or "").endswith(".cdn.example")
        assert (url.scheme, url.port, url.user, url.password) == ("https", 443, None, None)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://files.example.com/a?b=c", "files.example.com"),
        ("HTTPS://FILES.Example.COM./a", "files.example.com"),
        ("https://files.example.com:443/", "files.example.com"),
        ("https://odd.example.com:8443/", "odd.example.com"),
        ("https://x.y.CDN.example/", "x.y.cdn.example"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://xn--BCHER-kva.example/", "xn--bcher-kva.example"),
        ("http://store:9000/a", "store"),
        ("https://store:9000/a", "store"),
    ],
)
def test_a_listed_host_passes_in_one_spelling(text: str, host: str) -> None:
    assert LISTED.parse(text).raw_host == host


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("http://files.example.com/", "only https"),
        ("ftp://files.example.com/", "only https"),
        ("file:///etc/passwd", "host"),
        ("https://other.example.com/", "[urls] allow"),
        ("https://cdn.example/", "[urls] allow"),
        ("https://evilcdn.example/", "[urls] allow"),
        ("https://files.example.com.evil.example/", "[urls] allow"),
        ("https://files.example.com:8443/", "port 8443"),
        ("https://odd.example.com/", "port 443"),
        ("https://files.example.com:0/", "only https"),
        ("https://files.example.com:99999/", "host or port"),
        ("https://user:word@files.example.com/", "user or a password"),
        ("https://files.example.com\\@evil.example/", "backslash"),
        ("https://files.example.com/a b", "space"),
        ("https://files.example.com\n/", "control"),
        ("https://files%2eexample.com/", "host"),
        ("https://files.example.com../", "host"),
        ("https:files.example.com", "no address"),
        ("//files.example.com/", "no address"),
        ("", "no address"),
        ("http://store/", "only https"),
        ("http://store:9001/", "only https"),
        ("https://store:9001/", "[urls] allow"),
        ("https://files.example.com/" + "a" * 8000, "characters"),
    ],
)
def test_a_refusal_names_the_rule(text: str, rule: str) -> None:
    assert rule in refused(LISTED, text)


def test_a_refusal_shows_no_query_and_no_password() -> None:
    detail = refused(LISTED, "https://me:hunter2@evil.example/a?token=s3cret#s3cret")
    assert detail.startswith("https://evil.example/a: ")
    assert "hunter2" not in detail and "s3cret" not in detail
    assert shown("not?an\naddress") == "not"


def test_nothing_is_allowed_by_default() -> None:
    refused(AddressRules(Urls()), "https://example.com/")


@pytest.mark.parametrize(
    "entry", ["https://a.example", "a.example/x", "", "a b", "*.", "a.example:0", "a.example:70000", "127.1"]
)
def test_an_entry_that_is_none_is_named(entry: str) -> None:
    with pytest.raises(UsageError, match="VECTRAHUB_URLS__ALLOW"):
        AddressRules(Urls(allow=(entry,)))


def test_everything_cannot_be_internal() -> None:
    with pytest.raises(UsageError, match="internal"):
        AddressRules(Urls(internal=("*",)))


def test_internal_hosts_may_be_addresses() -> None:
    rules = AddressRules(Urls(internal=("127.0.0.1:81", "[::1]:82", "::1", "*.corp")))
    for text in ("http://127.0.0.1:81/", "http://[::1]:82/", "http://[0:0::1]/", "https://a.corp/"):
        rules.parse(text)
    for text in ("http://127.0.0.1:82/", "http://[::1]:81/", "http://127.1:81/", "http://[::ffff:127.0.0.1]:81/"):
        refused(rules, text)
    assert origin("http://[::1]:82/x", "s") == "[::1]:82"
    with pytest.raises(UsageError, match="contracts"):
        origin("nonsense", "contracts.vton.callback_url")


def test_every_address_of_a_name_is_checked() -> None:
    answers = {
        "good.example": ["8.8.8.8", "2606:4700::1111"],
        "mixed.example": ["8.8.8.8", "10.0.0.1"],
        "mapped.example": ["::ffff:192.168.1.1"],
        "scoped.example": ["fe80::1%eth0"],
        "meta.example": ["169.254.169.254"],
        "empty.example": [],
    }

    async def lookup(host: str, port: int) -> list[str]:
        return answers[host]

    async def verdicts() -> dict[str, bool]:
        rules = AddressRules(Urls(allow=("*",), internal=("meta.example:8080",)), lookup)
        found = {}
        for host in answers:
            try:
                await rules.check(f"https://{host}/?q")
                found[host] = True
            except Problem as problem:
                assert problem.kind == "address-refused" and "?q" not in problem.detail
                found[host] = False
        await rules.check("http://meta.example:8080/")
        return found

    assert asyncio.run(verdicts()) == {host: host == "good.example" for host in answers}


def test_a_name_that_changes_its_mind_is_refused_at_the_connection() -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def lookup(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async def connect() -> None:
        rules = AddressRules(Urls(allow=("rebound.example",)), lookup)
        url = await rules.check("https://rebound.example/")
        async with open_session(rules) as session:
            await session.get(url)

    with pytest.raises(Problem, match="not public"):
        asyncio.run(connect())
    assert not answers


def test_the_resolver_gives_what_was_checked() -> None:
    async def lookup(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "2606:4700::1111"]

    async def resolve() -> list[tuple[str, int]]:
        resolver = PinnedResolver(AddressRules(Urls(allow=("*",)), lookup))
        return [(one["host"], one["port"]) for one in await resolver.resolve("a.example", 443)]

    assert asyncio.run(resolve()) == [("8.8.8.8", 443), ("2606:4700::1111", 443)]


def test_a_name_without_addresses_is_a_connection_error() -> None:
    async def lookup(host: str, port: int) -> list[str]:
        return []

    async def connect() -> None:
        rules = AddressRules(Urls(allow=("*",)), lookup)
        async with open_session(rules) as session:
            await session.get(rules.parse("https://nowhere.example/"))

    with pytest.raises(aiohttp.ClientConnectorError):
        asyncio.run(connect())


@given(st.ip_addresses())
def test_judging_an_address_never_fails(address: IPv4Address | IPv6Address) -> None:
    assert is_public(ip_address(str(address))) in (True, False)
