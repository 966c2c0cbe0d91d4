"""plpgsql_check reads every function and procedure of ours: what a body names exists, and has the right type."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.database import Connection, Database, Row, rows
from support.extensions import need_extension


@pytest.fixture
def checked(database: Database) -> Iterator[Connection]:
    """Give a superuser's session in which the extension is, and our functions are listed."""
    need_extension(database.cluster, "plpgsql_check")
    with database.connect("supabase_admin") as session:
        session.execute("create extension plpgsql_check schema public")
        session.execute((Path(__file__).parent / "lints" / "_ours.sql").read_bytes())
        yield session


def _complaints(session: Connection) -> list[Row]:
    return rows(
        session,
        """
        select f.proname, c.lineno, c.statement, c.message
        from pg_temp.our_functions as f
        join pg_language as l on l.oid = f.prolang and l.lanname = 'plpgsql'
        left join pg_trigger as t on t.tgfoid = f.oid and not t.tgisinternal
        cross join lateral public.plpgsql_check_function_tb(
          f.oid, coalesce(t.tgrelid, 0), other_warnings => true, extra_warnings => true, performance_warnings => false
        ) as c
        -- An assignment casts by itself, as ours do on purpose: text to an enum, a slice to its array.
        where c.message <> 'target type is different type than source type'
        """,
    )


def test_plpgsql_check_has_nothing_to_say(checked: Connection) -> None:
    assert _complaints(checked) == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("update hq.runs set state = 'failed'", 'column "state" of relation "runs" does not exist'),
        ("perform hq.no_such_function()", "function hq.no_such_function() does not exist"),
    ],
)
def test_a_body_that_would_fail_is_caught(body: str, complaint: str, checked: Connection) -> None:
    """PostgreSQL itself reads a body only when it runs."""
    checked.execute(
        "create or replace function hq.close_doors() returns integer language plpgsql set search_path = '' "
        f"as $$begin {body}; return 0; end$$".encode()
    )

    assert [complained["message"] for complained in _complaints(checked)] == [complaint]
