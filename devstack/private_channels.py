"""Who may do what on a private channel: what the policies of ``realtime.messages`` say.

As the hosted service does: in a transaction that is undone, as the caller's role with the caller's claims and the
topic, it tries to read and to write a message of each kind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from devstack.subscriptions import Claims

_KINDS: Final = ("broadcast", "presence")
_INSERT: Final = "insert into realtime.messages (topic, extension) values (%s, %s)"


class Permissions(NamedTuple):
    """What a caller may do on a topic."""

    hears: bool  # broadcasts
    speaks: bool
    sees: bool  # who is there
    appears: bool


EVERYTHING: Final = Permissions(hears=True, speaks=True, sees=True, appears=True)


async def read_permissions(database_url: str, claims: Claims, topic: str) -> Permissions:
    """Return what the policies let a caller do."""
    async with await psycopg.AsyncConnection.connect(database_url) as session:
        ids = [str(await _one(session, f"{_INSERT} returning id", topic, kind)) for kind in _KINDS]
        for setting, value in (("request.jwt.claims", json.dumps(claims)), ("realtime.topic", topic)):
            await session.execute("select set_config(%s, %s, true)", [setting, value])
        await session.execute(sql.SQL("set local role {}").format(sql.Identifier(str(claims["role"]))))
        reads = [await _may(session, "select 1 from realtime.messages where id = %s", each) for each in ids]
        writes = [await _may(session, f"{_INSERT} returning 1", topic, kind) for kind in _KINDS]
        await session.rollback()
    return Permissions(hears=reads[0], speaks=writes[0], sees=reads[1], appears=writes[1])


async def _one(session: psycopg.AsyncConnection, query: str, *params: object) -> object:
    row = await (await session.execute(query.encode(), params)).fetchone()
    return row[0] if row else None


async def _may(session: psycopg.AsyncConnection, query: str, *params: object) -> bool:
    try:
        async with session.transaction():
            return await _one(session, query, *params) is not None
    except psycopg.errors.InsufficientPrivilege:
        return False
