"""Tokens in the ledger, by the digests of their secrets."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Connection, Row, select

from ..records import TokenRecord
from .database import Database
from .tables import TOKENS


class TokenRecords:
    """Mixed into Ledger."""

    _database: Database

    def add_token(self, token: TokenRecord) -> asyncio.Future[None]:
        """Keep a new token."""
        row = {"id": token.id, "name": token.name, "digest": token.digest, "scopes": list(token.scopes)}
        row |= {"max_jobs": token.max_jobs, "created_at": token.created_at}

        def work(connection: Connection) -> None:
            connection.execute(TOKENS.insert().values(row))

        return self._database.do(work)

    def token(self, token_id: str) -> asyncio.Future[TokenRecord | None]:
        """One token, or None."""

        def work(connection: Connection) -> TokenRecord | None:
            row = connection.execute(select(TOKENS).where(TOKENS.c.id == token_id)).one_or_none()
            return None if row is None else _token(row)

        return self._database.do(work)

    def tokens(self) -> asyncio.Future[list[TokenRecord]]:
        """All of them, the oldest first."""
        wish = select(TOKENS).order_by(TOKENS.c.created_at)
        return self._database.do(lambda connection: [_token(row) for row in connection.execute(wish)])

    def remove_token(self, token_id: str) -> asyncio.Future[bool]:
        """Revoke it. False where there is none."""
        change = TOKENS.delete().where(TOKENS.c.id == token_id)
        return self._database.do(lambda connection: connection.execute(change).rowcount == 1)


def _token(row: Row[Any]) -> TokenRecord:
    kept = dict(row._mapping)
    return TokenRecord(**{**kept, "scopes": tuple(kept["scopes"])})
