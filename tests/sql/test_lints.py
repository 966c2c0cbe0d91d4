"""Each file of ``lints`` is a query that must return no row; and each can."""

from pathlib import Path

import pytest
from support.database import Database, Row

LINTS = Path(__file__).parent / "lints"

BREACHES = {
    "one_signature": [
        "create function public.get_hq_run(p_run_id text) returns text language sql as 'select p_run_id'",
    ],
    "empty_search_path": [
        "alter function public.claim_hq_runs reset search_path",
        "alter function public.claim_hq_runs set search_path = public",
        "alter function hq.caller security invoker",
    ],
    "jit_off": [
        "alter function public.settle_hq_run reset jit",
        "alter function hq.caller set enable_seqscan = off",
    ],
    "plain_procedures": [
        "alter procedure hq.purge_expired set search_path = ''",
        "alter procedure hq.purge_expired security definer",
        "grant execute on procedure hq.purge_expired to service_role",
    ],
    "closed_to_the_public": [
        "grant execute on function public.claim_hq_runs to anon",
        "grant execute on function hq.caller to public",
    ],
    "commented": [
        "comment on function hq.caller is null",
        "comment on table hq.run_queue is null",
    ],
    "row_security": [
        "alter table hq.run_queue disable row level security",
        "alter table hq.worker_migrations disable row level security",
    ],
}


@pytest.fixture
def linted(database: Database, our_tables: list[str]) -> Database:
    database.sql.execute((LINTS / "_ours.sql").read_bytes())
    database.run("create temporary table our_tables as select unnest(%s::text[]) as name", our_tables)
    return database


def _lint(database: Database, name: str) -> list[Row]:
    return database.rows((LINTS / f"{name}.sql").read_text())


def test_the_lints_look_at_everything_of_ours(linted: Database, our_tables: list[str]) -> None:
    counted = linted.one("select count(distinct (schema_name, proname)) as n from pg_temp.our_functions")
    assert counted["n"] == linted.one("select count(*) as n from hq.worker_migrations where kind = 'function'")["n"]
    assert {"run_queue", "run_requests", "worker_migrations"} < set(our_tables)


def test_there_is_no_breach(linted: Database) -> None:
    found = {name: _lint(linted, name) for name in BREACHES}

    assert {name: offenders for name, offenders in found.items() if offenders} == {}


def test_every_breach_is_caught_once(linted: Database) -> None:
    caught = {}
    for name, breach in ((name, breach) for name, all_ in BREACHES.items() for breach in all_):
        with linted.sql.transaction(force_rollback=True):
            linted.run(breach)
            caught[breach] = len(_lint(linted, name))

    assert {breach: times for breach, times in caught.items() if times != 1} == {}


def test_every_lint_is_known_here() -> None:
    assert {path.stem for path in LINTS.glob("[!_]*.sql")} == set(BREACHES)
