import asyncio
import hashlib
import re

import pytest

from vectrahub.vectrahub_client.service.records import TokenRecord
from vectrahub.vectrahub_client.service.settings import Token
from vectrahub.vectrahub_client.service.tokens import digest, find, make


class Shelf:
    """A ledger of some tokens."""

    def __init__(self, *records: TokenRecord) -> None:
        self.records = {record.id: record for record in records}

    async def token(self, token_id):
        return self.records.get(token_id)


def lookup(token, *records, **chosen):
    return asyncio.run(find(token, Shelf(*records), {name: Token(secret=secret) for name, secret in chosen.items()}))


def test_a_new_token_is_found_again_and_its_record_does_not_tell_it():
    record, token = make("shop", ["admin", "jobs"], 3, 12.0)
    assert re.fullmatch(r"vh_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", token)
    assert record.digest == hashlib.sha256(token.encode()).hexdigest()
    assert token.split("_", 2)[2] not in repr(record)
    caller = lookup(token, record)
    assert (caller.token, caller.name, caller.max_jobs) == (record.id, "shop", 3)
    assert caller.scopes == {"jobs", "admin"} and record.scopes == ("jobs", "admin")


def test_tokens_differ():
    assert len({make("same", ["jobs"], None, 0.0)[1] for _ in range(50)}) == 50


def test_a_known_id_with_another_secret_is_nobody():
    record, token = make("shop", ["jobs"], None, 0.0)
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert lookup(other, record) is None
    assert lookup(record.digest, record) is None


@pytest.mark.parametrize("token", ["", "vh_", "vh_00000000_", "vh_0000000g_" + "a" * 43, "\udcff", "x" * 10_000])
def test_what_is_no_token_is_nobody(token):
    assert lookup(token, ours="a-secret-long-enough") is None


def test_an_empty_digest_in_the_ledger_lets_nobody_in():
    _, token = make("shop", ["jobs"], None, 0.0)
    assert lookup(token, TokenRecord(token[3:11], "broken", "", ("admin",), None, 0.0)) is None


def test_a_token_of_the_settings_is_found_by_its_secret_only():
    caller = lookup("a-secret-long-enough", ours="a-secret-long-enough", theirs="another-secret-there")
    assert (caller.token, caller.name, caller.scopes) == ("settings:ours", "ours", {"jobs"})
    assert lookup("settings:ours", ours="a-secret-long-enough") is None
    assert lookup(digest("a-secret-long-enough"), ours="a-secret-long-enough") is None


def test_a_scope_is_not_another_and_admin_is_all():
    record, token = make("m", ["models"], None, 0.0)
    assert lookup(token, record).may("models") and not lookup(token, record).may("jobs")
    record, token = make("a", ["admin"], None, 0.0)
    assert all(lookup(token, record).may(scope) for scope in ("jobs", "models", "admin"))
