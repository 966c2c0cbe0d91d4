"""The callers that the functions meet, each with a session of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.database import OWNER, VIEWER, Connection, Database


@pytest.fixture
def owner(database: Database) -> Iterator[Connection]:
    with database.as_caller("authenticated", OWNER) as session:
        yield session


@pytest.fixture
def viewer(database: Database) -> Iterator[Connection]:
    with database.as_caller("authenticated", VIEWER) as session:
        yield session


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    with database.as_caller("service_role") as session:
        yield session


@pytest.fixture
def other(database: Database) -> Iterator[Connection]:
    """Open a second session of role postgres, which refuses to wait long for a lock."""
    with database.connect() as session:
        session.execute("set lock_timeout = '5s'")
        yield session


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    """Let a call wait for a lock while the test goes on."""
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def our_tables(database: Database, clone: Callable[[str], Database]) -> list[str]:
    """Name the tables that are there because of us: those that the host's own schema lacks."""
    query = "select tablename from pg_tables where schemaname = 'hq'"
    hosts = {row["tablename"] for row in clone("head").rows(query)}
    return sorted({row["tablename"] for row in database.rows(query)} - hosts)
