"""Tokens: how they are made, what is kept of them, whose one is.

`vh_<id>_<secret>`: 8 hex digits that name the record, and 256 random bits. What is kept is a plain SHA-256: a slow
hash protects secrets that can be guessed, and nobody guesses 256 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Iterable, Mapping
from typing import Protocol

from .records import SCOPES, Caller, Scope, TokenRecord
from .settings import Token

SECRET_BYTES = 32
CHOSEN = "settings:"  # begins the id of a token that the operator chose

_SHAPE = re.compile(r"vh_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


class TokenLookup(Protocol):
    """Of the ledger."""

    def token(self, token_id: str) -> Awaitable[TokenRecord | None]:
        """The record of an id, or None."""
        ...


def make(name: str, scopes: Iterable[Scope], max_jobs: int | None, now: float) -> tuple[TokenRecord, str]:
    """A new token: its record, and the token itself, which is shown once and kept nowhere."""
    token_id = secrets.token_hex(4)
    token = f"vh_{token_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    wanted = set(scopes)
    ordered = tuple(scope for scope in SCOPES if scope in wanted)
    return TokenRecord(token_id, name, digest(token), ordered, max_jobs, now), token


def digest(token: str) -> str:
    """SHA-256 of the whole token, in hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def find(token: str, ledger: TokenLookup, chosen: Mapping[str, Token]) -> Caller | None:
    """Whose token it is: one of the settings' or one of the ledger's; None for anything else.

    Digests are compared, in constant time, and those of the settings all, so that the time tells nothing of them.
    Raises Problem 503 where the ledger cannot be asked.
    """
    presented = digest(token)
    found: Caller | None = None
    for name, one in chosen.items():
        if hmac.compare_digest(presented, digest(one.secret.get_secret_value())):
            found = Caller(CHOSEN + name, name, frozenset(one.scopes), one.max_jobs)
    if found is not None:
        return found
    shape = _SHAPE.fullmatch(token)
    if shape is None:
        return None
    record = await ledger.token(shape[1])
    kept = "" if record is None else record.digest
    if not hmac.compare_digest(presented, kept) or record is None:
        return None
    return Caller(record.id, record.name, frozenset(record.scopes), record.max_jobs)
