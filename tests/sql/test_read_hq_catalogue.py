"""The catalogue, as a security audit reads it: names of what is open to whom."""

from support.calls import call
from support.database import Connection, Database, Row


def find(entries: list[Row], name: str) -> Row:
    (entry,) = [entry for entry in entries if f"{entry['schema_name']}.{entry['object_name']}" == name]
    return entry


def test_a_table_is_told_with_its_policies_and_who_may_reach_it(database: Database, service: Connection) -> None:
    database.run("create table public.cards (owner uuid)")
    database.run("alter table public.cards enable row level security")
    database.run("create policy own_cards on public.cards for select to authenticated using (owner = auth.uid())")
    database.run("create policy everybody on public.cards for all to public using (true)")
    database.run("revoke all on public.cards from anon, authenticated")
    database.run("grant select (owner) on public.cards to authenticated")

    entry = find(call(service, "read_hq_catalogue"), "public.cards")

    assert entry == {
        "kind": "table",
        "schema_name": "public",
        "object_name": "cards",
        "row_security": True,
        "policies": ["everybody (all, public)", "own_cards (select, authenticated)"],
        "open_to": ["authenticated"],
    }


def test_an_open_table_without_row_security_is_told(database: Database, service: Connection) -> None:
    database.run("create table public.leaking (secret text)")
    database.run("grant all on public.leaking to anon")

    entry = find(call(service, "read_hq_catalogue"), "public.leaking")

    assert (entry["row_security"], entry["policies"]) == (False, [])
    assert "anon" in entry["open_to"]


def test_functions_that_anybody_may_call_are_told_and_no_others(database: Database, service: Connection) -> None:
    database.run("create function public.open_door() returns int language sql as 'select 1'")
    database.run("grant execute on function public.open_door to anon")
    database.run("create function public.closed_door() returns int language sql as 'select 1'")
    database.run("revoke execute on function public.closed_door from public, anon")

    names = {entry["object_name"] for entry in call(service, "read_hq_catalogue") if entry["kind"] == "function"}

    assert "open_door" in names
    assert not names & {"closed_door", "claim_hq_runs", "read_hq_catalogue"}


def test_no_row_no_expression_and_nothing_of_the_platform_is_told(service: Connection) -> None:
    entries = call(service, "read_hq_catalogue")

    schemas = {entry["schema_name"] for entry in entries}
    assert {"hq", "public"} <= schemas
    assert not schemas & {"auth", "storage", "cron", "pg_catalog", "information_schema", "extensions"}
    assert not any("is_owner()" in policy for entry in entries for policy in entry["policies"] or [])


def test_the_older_schema_is_read_too(seed_database: Database) -> None:
    with seed_database.as_caller("service_role") as service:
        assert find(call(service, "read_hq_catalogue"), "hq.runs")["row_security"]
