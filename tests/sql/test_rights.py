"""Nobody does more than our functions let them: the catalogue is walked, and every refusal is a real one."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.calls import refused, request, rescue
from support.database import OWNER, VIEWER, Connection, Database, one, rows

from workers import schema

FOR_OWNERS = {
    "public.request_hq_run",
    "public.request_hq_run_v2",
    "public.cancel_hq_run",
    "public.get_hq_run",
    "public.get_hq_ai_costs",
    "public.get_hq_autopilot_journal",
}
API_ROLES = ("anon", "authenticated", "service_role")
READABLE = {"id", "run_type", "status", "created_at"}


@pytest.fixture
def functions(database: Database) -> dict[str, str]:
    """Write a call of each function of ours that gives null for every argument."""
    database.sql.execute((Path(__file__).parent / "lints" / "_ours.sql").read_bytes())
    found = database.rows(
        "select f.schema_name || '.' || f.proname as name, f.prokind, "
        "array(select 'null::' || format_type(t, null) from unnest(f.proargtypes) as t) as arguments "
        "from pg_temp.our_functions as f where f.prorettype <> 'trigger'::regtype"
    )
    verbs = {"f": "select * from", "p": "call"}
    return {row["name"]: f"{verbs[row['prokind']]} {row['name']}({', '.join(row['arguments'])})" for row in found}


@contextmanager
def _untrusted_sessions(database: Database) -> Iterator[dict[str, Connection]]:
    with ExitStack() as stack:
        yield {
            "anon": stack.enter_context(database.as_caller("anon")),
            "a viewer": stack.enter_context(database.as_caller("authenticated", VIEWER)),
            "no subject": stack.enter_context(database.as_caller("authenticated")),
        }


def _refusal(session: Connection, statement: str) -> str | None:
    try:
        session.execute(statement.encode())
    except psycopg.Error as error:
        return error.sqlstate
    return None


def test_every_function_of_ours_is_refused_to_untrusted_callers(database: Database, functions: dict[str, str]) -> None:
    expected: dict[tuple[str, str], str] = {}
    met: dict[tuple[str, str], str | None] = {}

    with _untrusted_sessions(database) as untrusted:
        for who, session in untrusted.items():
            for name, call in functions.items():
                lets_in_owners = name in FOR_OWNERS and who != "anon"
                expected[who, name] = "HQ001" if lets_in_owners else "42501"
                met[who, name] = _refusal(session, call)

    assert len(functions) > 20
    assert met == expected


def test_the_owner_reaches_what_is_meant_for_the_screens_and_nothing_else(
    functions: dict[str, str], owner: Connection
) -> None:
    refusals = {name: _refusal(owner, call) for name, call in functions.items()}

    assert {name for name, refusal in refusals.items() if refusal != "42501"} == FOR_OWNERS


@pytest.mark.parametrize("text", ["the printed SQL", "docs/architecture.md", "docs/securite.fr.md"])
def test_what_owners_may_call_is_written_where_the_choices_are(text: str) -> None:
    if text == "the printed SQL":
        reported = next(part for part in schema.render([]).split("\n\n") if "authenticated " in part)
        lines = reported.partition("authenticated ")[2].partition("service_role ")[0]
    else:
        page = (Path(__file__).parents[2] / text).read_text()
        lines = next(line for line in page.splitlines() if line.startswith("|") and "is_owner()" in line)

    assert set(re.findall(r"\b(?:request|get|cancel)_hq_\w+", lines)) == {name.split(".")[1] for name in FOR_OWNERS}


def test_the_service_reaches_every_public_function_and_no_private_one(
    database: Database, functions: dict[str, str]
) -> None:
    granted = {name for name in functions if _may_execute(database, "service_role", name)}

    assert granted == {name for name in functions if name.startswith("public.")}


def _may_execute(database: Database, role: str, name: str) -> bool:
    may: bool = database.one("select has_function_privilege(%s, %s::regproc, 'execute') as may", role, name)["may"]
    return may


@pytest.mark.parametrize("role", API_ROLES)
def test_no_api_role_touches_a_table_of_ours(role: str, database: Database, our_tables: list[str]) -> None:
    """Not even the service key: it comes in by the functions."""
    with database.as_caller(role, OWNER) as session:
        for table in our_tables:
            for statement in (
                f"select from hq.{table}",
                f"delete from hq.{table}",
                f"insert into hq.{table} default values",
            ):
                assert _refusal(session, statement) == "42501", statement
        assert _refusal(session, "select nextval('hq.lease_tokens')") == "42501"


def test_row_security_is_on_for_each_table_of_ours(database: Database, our_tables: list[str]) -> None:
    secured = database.rows(
        "select relname from pg_class where relnamespace = 'hq'::regnamespace and relrowsecurity and relkind = 'r'"
    )

    assert set(our_tables) <= {row["relname"] for row in secured}


@pytest.mark.parametrize("role", API_ROLES)
def test_the_hosts_purge_cannot_be_called_through_the_schema_we_opened(role: str, database: Database) -> None:
    with database.as_caller(role, OWNER) as session, refused("42501"):
        session.execute("select hq.purge_old_logs()")


@pytest.mark.parametrize("role", API_ROLES)
def test_no_function_of_schema_hq_can_be_called_by_an_api_role(role: str, database: Database) -> None:
    callable_ = database.rows(
        "select p.oid::regprocedure::text as name from pg_proc as p "
        "where p.pronamespace = 'hq'::regnamespace and has_function_privilege(%s, p.oid, 'execute')",
        role,
    )

    assert callable_ == []


def test_what_the_screens_and_policies_call_stays_open_to_them(database: Database) -> None:
    for role, name in [
        ("anon", "public.is_owner"),
        *(("authenticated", f"public.{f}") for f in ("is_owner", "has_role", "has_permission", "get_user_permissions")),
    ]:
        assert _may_execute(database, role, name), (role, name)


# The four columns of hq.runs that Realtime needs.


def _columns(database: Database, table: str) -> set[str]:
    found = database.rows(
        "select column_name from information_schema.columns where table_schema = 'hq' and table_name = %s", table
    )
    return {row["column_name"] for row in found}


def test_the_owner_reads_four_columns_of_every_run(database: Database, owner: Connection) -> None:
    run_id = request(database.sql)["run_id"]

    seen = one(owner, f"select {', '.join(READABLE)} from hq.runs")

    assert (seen["id"], seen["run_type"], seen["status"]) == (run_id, "SEO_AUDIT", "pending")


def test_the_service_reads_four_columns_of_every_run(database: Database, service: Connection) -> None:
    request(database.sql)

    assert len(rows(service, f"select {', '.join(READABLE)} from hq.runs")) == 1


def test_a_viewer_sees_no_run(database: Database, viewer: Connection) -> None:
    request(database.sql)

    assert rows(viewer, "select id, run_type, status, created_at from hq.runs") == []


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_no_other_column_and_no_writing(role: str, database: Database) -> None:
    request(database.sql)

    with database.as_caller(role, OWNER) as session:
        for column in _columns(database, "runs") - READABLE:
            assert _refusal(session, f"select {column} from hq.runs") == "42501", column
        for statement in (
            "select * from hq.runs",
            "update hq.runs set status = 'completed'",
            "delete from hq.runs",
            "insert into hq.runs (run_type) values ('SEO_AUDIT')",
        ):
            assert _refusal(session, statement) == "42501", statement


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_opening_the_schema_opened_no_other_table(role: str, database: Database) -> None:
    readable = database.rows(
        "select c.relname from pg_class as c "
        "where c.relnamespace = 'hq'::regnamespace and c.relkind in ('r', 'v', 'm', 'p') "
        "and (has_table_privilege(%s, c.oid, 'select, insert, update, delete, truncate') "
        "or has_any_column_privilege(%s, c.oid, 'select, insert, update'))",
        role,
        role,
    )

    assert [row["relname"] for row in readable] == ["runs"]


def test_anon_does_not_even_enter_the_schema(database: Database) -> None:
    with database.as_caller("anon") as session, refused("42501"):
        session.execute("select id from hq.runs")


def test_pg_cron_and_the_sql_editor_are_not_taken_for_untrusted_callers(database: Database) -> None:
    found: dict[str, Any] = database.one("select hq.caller() as caller")

    assert found == {"caller": "sql"}
    assert set(rescue(database.sql).values()) == {0}
