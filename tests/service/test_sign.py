from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectrahub.vectrahub_client.errors import UsageError
from vectrahub.vectrahub_client.service.net.sign import check_link, sign_link, verify, webhook_headers, webhook_key

# The example of the Standard Webhooks libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
ID, AT = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330


def test_the_signature_is_that_of_standard_webhooks() -> None:
    headers = webhook_headers(ID, AT, BODY, SECRET)
    assert headers == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", [SECRET, "plain words", "gr\xfcn"])
def test_only_what_was_signed_is_verified(secret: str) -> None:
    headers = webhook_headers(ID, AT, BODY, secret)
    assert verify(headers, BODY, secret, now=AT + 300)
    assert verify({name.title(): value for name, value in headers.items()}, BODY, secret, now=AT - 300)
    both = headers | {"webhook-signature": f"v1,b3RoZXI= {headers['webhook-signature']}"}
    assert verify(both, BODY, secret, now=AT)
    assert not verify(headers, BODY + b" ", secret, now=AT)
    assert not verify(headers, BODY, secret + "x" * 4, now=AT)
    assert not verify(headers, BODY, secret, now=AT + 301)
    assert not verify(headers, BODY, secret, now=AT - 301)
    assert not verify(headers | {"webhook-id": "other"}, BODY, secret, now=AT)
    assert not verify(headers | {"webhook-timestamp": str(AT + 1)}, BODY, secret, now=AT)
    for name in headers:
        for value in ("", "\xe4", "v1,", "v1,\xe4", " "):
            assert not verify(headers | {name: value}, BODY, secret, now=AT)
    assert not verify({}, BODY, secret, now=AT)


def test_without_a_secret_nothing_is_signed() -> None:
    assert "webhook-signature" not in webhook_headers(ID, AT, BODY, None)


@pytest.mark.parametrize("secret", ["whsec_*", "whsec_", "", "whsec_abc"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(UsageError):
        webhook_key(secret)


def test_a_link_is_signed_as_the_text_says() -> None:
    lines = "vectrahub-link-1\n6:\xe4.svg\n7:outputs\n1700000000".encode()
    assert sign_link("\xe4.svg", "outputs", 1700000000, "key") == hmac.new(b"key", lines, hashlib.sha256).hexdigest()


LINK = st.tuples(st.text(max_size=8), st.text(max_size=8), st.integers(0, 2**40))


@given(LINK, LINK)
def test_two_links_share_no_signature(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    assert (sign_link(*one, "key") == sign_link(*other, "key")) == (one == other)


@given(st.text(alphabet="a1:\n", max_size=6), st.text(alphabet="a1:\n", max_size=6))
def test_a_link_cannot_be_cut_elsewhere(name: str, folder: str) -> None:
    right = sign_link(name, folder, 100, "key")
    for cut in range(len(name + folder) + 1):
        parts = (name + folder)[:cut], (name + folder)[cut:]
        assert check_link(*parts, 100, right, "key", now=99) == (parts == (name, folder))


def test_a_link_ends() -> None:
    right = sign_link("a.svg", "outputs", 100, "key")
    assert check_link("a.svg", "outputs", 100, right, "key", now=99.9)
    assert not check_link("a.svg", "outputs", 100, right, "key", now=100)
    assert not check_link("a.svg", "outputs", 100, right, "key")
    assert not check_link("a.svg", "outputs", 101, right, "key", now=99)
    assert not check_link("a.svg", "outputs", 100, right, "other", now=99)
    for wrong in ("", right[:-1], right.upper(), "\xe4" * 64, right + "0"):
        assert not check_link("a.svg", "outputs", 100, wrong, "key", now=99)


def test_base64_of_the_key_is_the_key() -> None:
    assert webhook_key("whsec_" + base64.b64encode(b"\x00\xff").decode()) == b"\x00\xff"
