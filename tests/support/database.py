"""A throw-away HQ database, and the callers that a test can be in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from devstack.postgres import PostgresCluster
from workers import schema

OWNER = UUID("00000000-0000-4000-8000-000000000001")
VIEWER = UUID("00000000-0000-4000-8000-000000000002")

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


class Database:
    """One clone of a template, with a session as role ``postgres``: operators, pg_cron, ``emocare migrate``."""

    def __init__(self, cluster: PostgresCluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.url = cluster.dsn(name, "postgres")
        self.sql = self.connect()

    def connect(self, user: str = "postgres") -> Connection:
        """Open another session; names must be qualified in it, as in our functions."""
        return psycopg.connect(
            self.cluster.dsn(self.name, user), autocommit=True, row_factory=dict_row, options="-c search_path="
        )

    def rows(self, query: str, *params: object) -> list[Row]:
        """Run a query as role postgres and return its rows."""
        return rows(self.sql, query, *params)

    def one(self, query: str, *params: object) -> Row:
        """Run a query as role postgres and return its only row."""
        (row,) = self.rows(query, *params)
        return row

    def run(self, statement: str, *params: object) -> int:
        """Run a statement as role postgres and return how many rows it touched."""
        return self.sql.execute(statement, params or None).rowcount

    @contextmanager
    def as_caller(self, role: str, sub: UUID | None = None, **claims: object) -> Iterator[Connection]:
        """Be a caller that PostgREST lets in: a session of authenticator, the token's role, the token's claims."""
        claims |= {"role": role} | ({} if sub is None else {"sub": str(sub)})
        with self.connect("authenticator") as session:
            session.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)])
            session.execute(f"set role {role}")
            yield session

    def close(self) -> None:
        """Close the session, so that the database can be dropped."""
        self.sql.close()


def rows(session: Connection, query: str, *params: object) -> list[Row]:
    """Run a query in a session and return its rows."""
    return session.execute(query, params or None).fetchall()


def one(session: Connection, query: str, *params: object) -> Row:
    """Run a query in a session and return its only row."""
    (row,) = rows(session, query, *params)
    return row


def migrate(cluster: PostgresCluster, name: str) -> None:
    """Install our part in a database, as an operator would."""
    schema.apply(cluster.dsn(name, "postgres"))
