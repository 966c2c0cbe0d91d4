"""What is closed is closed to everybody it should be, and nothing that the screens need closed with it."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support.database import OWNER, VIEWER, Connection, Database, rows

from workers import schema

DOORS = ("insert_hq_log", "upsert_hq_morning_digest", "get_active_push_subscriptions", "check_ip_rate_limit")
TABLES = ("conversations", "chat_messages", "morning_digests", "push_subscriptions")

# Rows for everything that is read, so that "no row" means "refused".
ROWS = """
insert into hq.runs (id, run_type, status, platform_key, started_at, completed_at, executive_summary, created_at)
values ('00000000-0000-4000-8000-0000000000aa', 'SEO_AUDIT', 'completed', 'emotionscare',
  now() - interval '2 minutes', now() - interval '1 minute', 'Bilan', now() - interval '3 minutes');
insert into hq.structured_logs (level, source, message) values ('info', 'system', 'hello');
insert into hq.system_config (key, value) values ('autopilot', '{"enabled": false}') on conflict (key) do nothing;
insert into hq.actions (id, action_type, title)
values ('00000000-0000-4000-8000-0000000000bb', 'publish', 'Publier');
insert into public.contact_messages (name, email, subject, message) values ('A', 'a@b.test', 'S', 'M');
insert into public.analytics_events (event_type) values ('page_view');
"""
HEAD_ROWS = """
insert into hq.conversations (id, user_id)
values ('00000000-0000-4000-8000-0000000000cc', '00000000-0000-4000-8000-000000000001');
insert into hq.chat_messages (conversation_id, role, content)
values ('00000000-0000-4000-8000-0000000000cc', 'user', 'Bonjour');
insert into hq.morning_digests (digest_date, executive_summary) values ('2026-11-02', 'Tout va bien');
insert into hq.push_subscriptions (user_id, endpoint, p256dh, auth_key)
values ('00000000-0000-4000-8000-000000000001', 'https://push.test', 'p', 'a');
insert into hq.runs_dlq (original_run_id, run_type) values (gen_random_uuid(), 'SEO_AUDIT');
insert into hq.journal_entries (user_id, title) values ('00000000-0000-4000-8000-000000000001', 'Cap');
insert into public.rate_limit_buckets (bucket_key, expires_at) values ('k', now() + interval '1 hour');
insert into public.client_error_logs (error_type, message) values ('boot', 'x');
"""

# Every RPC and table that a screen asks for, as the owner's page asks.
SCREENS = (
    "select * from public.get_hq_recent_runs(500)",
    "select * from public.get_all_hq_platforms()",
    "select * from public.get_hq_platform('emotionscare')",
    "select * from public.get_hq_logs(50, null, null)",
    "select * from public.get_hq_logs(5, 'info', 'system')",
    "select * from public.get_hq_logs(5, source_filter => 'autopilot')",
    "select * from public.get_hq_pending_actions()",
    "select * from public.approve_hq_action('00000000-0000-4000-8000-0000000000bb', 'approved', null)",
    "select * from public.approve_hq_action('00000000-0000-4000-8000-0000000000bb', 'deferred', null)",
    "select * from public.get_hq_audit_logs(100)",
    "select * from public.get_hq_system_config('autopilot')",
    """select * from public.update_hq_system_config('autopilot', '{"enabled": true}')""",
    "select * from public.get_hq_agents()",
    "select * from public.get_hq_org_roles()",
    "select * from public.get_user_permissions('00000000-0000-4000-8000-000000000001')",
    "select * from public.has_role('00000000-0000-4000-8000-000000000001', 'owner')",
    "select * from public.has_permission('00000000-0000-4000-8000-000000000001', 'runs', 'create')",
    "select * from public.is_owner()",
    "select role from public.user_roles where user_id = '00000000-0000-4000-8000-000000000001'",
    "select id, name, email, phone, subject, message, created_at from public.contact_messages",
    "delete from public.contact_messages where name = 'A'",
    "insert into public.analytics_events (event_type) values ('page_view')",
    "select * from public.analytics_events",
    "select * from public.role_permissions",
)
HEAD_SCREENS = (
    "select * from public.get_hq_morning_digest('2026-11-02')",
    "select * from public.get_hq_ai_budget_status()",
    "select * from public.get_hq_dlq_entries(50)",
    "select * from public.get_hq_run_duration_metrics()",
    "select * from public.get_hq_slo_status()",
    "select * from public.get_hq_top_run_costs(30)",
    "select * from public.get_hq_governance_dashboard()",
    "select * from public.get_hq_conversations(20)",
    "select * from public.get_hq_chat_messages('00000000-0000-4000-8000-0000000000cc')",
    "select * from public.create_hq_conversation()",
    "select * from public.add_hq_chat_message('00000000-0000-4000-8000-0000000000cc', 'assistant', 'Bonjour')",
    "select * from public.delete_hq_conversation('00000000-0000-4000-8000-0000000000cc')",
    "select * from public.get_hq_journal_entries(50)",
    "select * from public.create_hq_journal_entry('Titre')",
    "select * from public.save_push_subscription('https://push.test', 'p2', 'a2')",
    "select * from public.remove_push_subscription('https://push.test')",
    "select * from public.purge_old_hq_logs(30)",
    "select * from public.organizations",
    "select * from public.organization_members",
    "select read_at from public.contact_messages where read_at is null",
    "update public.contact_messages set read_at = now() where read_at is null",
    "insert into public.client_error_logs (error_type, message) values ('boot', 'x')",
    "select * from public.client_error_logs",
)

# What an untrusted caller may call: policies run the first four as the caller, the others answer about the caller only.
OPEN_FUNCTIONS = {
    "is_owner",
    "has_role",
    "has_permission",
    "get_user_permissions",
    "current_user_org_id",
    "has_org_access",
}
# What a signed-in person reads of themselves; the menu of the page is made of it.
OPEN_TABLES = {("a viewer", "public.user_roles"), ("a viewer", "public.role_permissions")}


def _fill(database: Database, variant: str) -> None:
    database.sql.execute(ROWS.encode())
    if variant == "head":
        database.sql.execute(HEAD_ROWS.encode())


@contextmanager
def _undone(session: Connection) -> Iterator[None]:
    session.execute("begin")
    try:
        yield
    finally:
        session.execute("rollback")


def _outcome(session: Connection, statement: str) -> str:
    """Tell what a statement answers, or why it fails, without what differs from call to call."""
    with _undone(session):
        try:
            cursor = session.execute(statement.encode())
        except psycopg.Error as error:
            return f"{error.sqlstate} {error.diag.message_primary}"
        answer = f"{cursor.rowcount} {json.dumps(cursor.fetchall() if cursor.description else [], default=str)}"
    answer = re.sub(r"\d{4}-\d\d-\d\d[ T][\d:.+]+", "<time>", answer)
    # What the budget counts by day and month follows the clock, which may strike midnight between two calls.
    answer = re.sub(r'"(daily_cost_eur|monthly_cost_eur|pct_used|projection_eur)": [\d.]+', r'"\1": <n>', answer)
    # The score of the governance page counts what the database holds, ours too.
    answer = re.sub(r'"(rls_policies_count|recent_audit_actions_7d)": \d+', r'"\1": <n>', answer)
    return answer if statement.startswith("select * from public.get") else re.sub(r"[0-9a-f-]{36}", "<id>", answer)


@pytest.mark.parametrize("variant", ["seed", "head"])
def test_the_owners_screens_are_answered_as_before(variant: str, clone: Callable[[str], Database]) -> None:
    database = clone(variant)
    _fill(database, variant)
    statements = SCREENS + (HEAD_SCREENS if variant == "head" else ())

    with database.as_caller("authenticated", OWNER) as owner:
        before = {statement: _outcome(owner, statement) for statement in statements}
        schema.apply(database.url)
        after = {statement: _outcome(owner, statement) for statement in statements}

    assert after == before
    # The one call that the page makes in vain, and the one of the older schema that lacks its row.
    assert [s for s, outcome in before.items() if not outcome[0].isdigit() or outcome[1:5].isdigit()] == [
        "select * from public.approve_hq_action('00000000-0000-4000-8000-0000000000bb', 'deferred', null)"
    ]


@pytest.mark.parametrize("variant", ["seed", "head"])
def test_a_stranger_meets_nothing_but_refusals(variant: str, clone: Callable[[str], Database]) -> None:
    database = clone(f"{variant}_hq")
    _fill(database, variant)
    functions = database.rows(
        "select p.oid::regproc::text as name, p.proname, p.prokind, "
        # About the owner, where somebody is asked about.
        "array(select coalesce(quote_literal(case t when 'uuid'::regtype then %s::text end), 'null') || '::' "
        "|| format_type(t, null) from unnest(p.proargtypes) as t) as arguments "
        "from pg_proc as p where p.pronamespace in ('public'::regnamespace, 'hq'::regnamespace) "
        "and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)",
        OWNER,
    )
    tables = database.rows(
        "select c.oid::regclass::text as name from pg_class as c "
        "where c.relnamespace in ('public'::regnamespace, 'hq'::regnamespace) and c.relkind in ('r', 'v', 'm', 'p')"
    )
    answered: set[tuple[str, str]] = set()

    for who, role, sub in (("anon", "anon", None), ("a viewer", "authenticated", VIEWER)):
        with database.as_caller(role, sub) as session:
            for f in functions:
                verb = "call" if f["prokind"] == "p" else "select * from"
                call = f"{verb} {f['name']}({', '.join(f['arguments'])})"
                if not _is_refused(_outcome(session, call)):
                    answered.add((who, f["proname"]))
            for t in tables:
                if not _is_refused(_outcome(session, f"select * from {t['name']}")):
                    answered.add((who, t["name"]))

    known = {f["proname"] for f in functions} & OPEN_FUNCTIONS
    assert len(functions) > 40
    assert answered == {(who, name) for who in ("anon", "a viewer") for name in known} | OPEN_TABLES


def _is_refused(outcome: str) -> bool:
    return outcome.startswith(("42501 ", "HQ001 ", "P0001 Accès non autorisé", "0 []"))


@pytest.mark.parametrize("name", DOORS)
def test_a_door_is_closed_to_all_but_the_service(name: str, database: Database) -> None:
    granted = database.rows(
        "select r.rolname from pg_roles as r join pg_proc as p on p.proname = %s "
        "where r.rolname in ('anon', 'authenticated', 'service_role') "
        "and has_function_privilege(r.rolname, p.oid, 'execute')",
        name,
    )

    assert granted == [{"rolname": "service_role"}]


@pytest.mark.parametrize("table", TABLES)
def test_a_grant_by_mistake_opens_no_private_table(table: str, database: Database) -> None:
    _fill(database, "head")
    database.run(f"grant select on hq.{table} to authenticated")

    with database.as_caller("authenticated", VIEWER) as viewer:
        assert rows(viewer, f"select * from hq.{table}") == []


def test_what_the_host_opens_again_is_told_and_closed_by_the_next_migration(database: Database) -> None:
    """A later migration of the host may create a function again, and Supabase grants what is new."""
    database.run("grant execute on function public.insert_hq_log to public, anon")
    database.run("alter table hq.conversations disable row level security")

    reported = database.one("select state, detail from hq.inspect_host() where name = 'closed doors'")
    report = schema.apply(database.url)

    assert reported["state"] == "red"
    assert "public.insert_hq_log(" in reported["detail"]
    assert "hq.conversations" in reported["detail"]
    assert not report.changed
    assert database.rows("select * from hq.find_open_doors()") == []


def test_an_older_host_that_moves_on_brings_its_doors_closed(clone: Callable[[str], Database]) -> None:
    """A privilege on an object that did not exist yet is revoked once it exists."""
    database = clone("seed_hq")
    database.run("create function public.get_active_push_subscriptions() returns int language sql as 'select 1'")
    database.run("create table hq.conversations (id int)")

    schema.apply(database.url)

    assert database.rows("select * from hq.find_open_doors()") == []
    with database.as_caller("anon") as anon:
        assert _outcome(anon, "select public.get_active_push_subscriptions()").startswith("42501")


def test_a_service_that_came_in_by_the_door_for_everybody_keeps_its_key(clone: Callable[[str], Database]) -> None:
    database = clone("head")
    database.run("revoke execute on function public.insert_hq_log from service_role")
    schema.apply(database.url)

    with database.as_caller("service_role") as service:
        assert rows(service, "select public.insert_hq_log('info', 'system', 'x') as id")


def test_closing_what_is_closed_touches_nothing(database: Database) -> None:
    assert database.one("select hq.close_doors() as closed") == {"closed": 0}


def test_what_belongs_to_somebody_else_stops_no_migration(database: Database) -> None:
    with database.connect("supabase_admin") as admin:
        admin.execute("alter table hq.conversations owner to supabase_admin")
        admin.execute("alter table hq.conversations disable row level security")

    schema.apply(database.url)

    assert [row["object"] for row in database.rows("select * from hq.find_open_doors()")] == ["hq.conversations"]


# The host's own faults.


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("has_role", "answers anybody"),
        ("has_permission", "answers anybody"),
        ("get_user_permissions", "answers anybody"),
        ("update_hq_system_config", "answers true"),
        ("get_hq_slo_status", "never counts failed runs"),
    ],
)
def test_a_fault_of_the_host_is_told(name: str, says: str, database: Database) -> None:
    reported = database.one("select state, detail from hq.inspect_host() where name = %s", f"host {name}")

    assert reported["state"] == "amber"
    assert says in reported["detail"]


def test_the_studios_faults_are_told_where_there_is_a_studio(database: Database) -> None:
    database.run(
        "create function public.insert_studio_public_submission() returns void language sql as "
        """$$insert into hq.audit_logs (actor_type, action) values ('public', 'studio.submitted')$$"""
    )
    for name in ("list_studio_deals", "list_studio_calls", "get_studio_overview"):
        database.run(f"create function public.{name}() returns int language sql as 'select 1'")
    database.run("revoke execute on function public.insert_studio_public_submission from public, anon")
    database.run("revoke execute on function public.list_studio_deals from anon")
    database.run("grant execute on function public.list_studio_calls to anon")
    database.run("revoke execute on function public.get_studio_overview from public")
    database.run("grant execute on function public.get_studio_overview to anon")

    reported = {row["name"]: row["detail"] for row in database.rows("select * from hq.inspect_host()")}

    assert "fails whenever it is called" in reported["host insert_studio_public_submission"]
    assert reported["host studio functions open to PUBLIC"] == (
        "anon may execute list_studio_deals: they were closed to anon but not to PUBLIC"
    )
    assert reported["host studio functions granted to anon"] == (
        "anon may execute get_studio_overview, list_studio_calls: they are granted to anon"
    )


def _count_in_both_halves_of_a_second(database: Database, call: str) -> None:
    halves = set()
    for _ in range(60):
        (part,) = database.rows(f"select extract(second from now())::numeric % 1 < 0.5 as half, {call}")
        halves.add(part["half"])
        if len(halves) == 2:
            return
        database.run("select pg_sleep(0.2)")
    pytest.fail("only one half of each second was seen")


_LIMITS = {
    # The first as the host writes it, the second in other words; the last counts as it should.
    "as the host writes it": ("public.check_ip_rate_limit('healthz:x', 60, 3600)", True),
    "in other words": ("public.count_again()", True),
    "put right": ("public.count_rightly()", False),
}
_OTHER_LIMITS = """
create function public.count_again() returns void language sql as
$$insert into public.rate_limit_buckets (bucket_key, window_start, expires_at)
  select 'k', s.at, s.at + interval '1 hour'
  from (select date_trunc('second', now()) - round(extract(epoch from now()) % 3600) * interval '1 second' as at) as s
  on conflict do nothing$$;
create function public.count_rightly() returns void language sql as
$$insert into public.rate_limit_buckets (bucket_key, window_start, expires_at)
  select 'k', date_bin('1 hour', now(), 'epoch'), date_bin('1 hour', now(), 'epoch') + interval '1 hour'
  on conflict do nothing$$;
"""


@pytest.mark.parametrize("limit", _LIMITS)
def test_a_limit_that_doubles_is_known_by_what_it_does(limit: str, database: Database) -> None:
    call, doubles = _LIMITS[limit]
    database.run(_OTHER_LIMITS)
    query = "select state, detail from hq.inspect_host() where name = 'host check_ip_rate_limit'"
    before = database.rows(query)

    _count_in_both_halves_of_a_second(database, call)

    assert before == []
    assert [row["state"] for row in database.rows(query)] == ["amber"] * doubles
    assert all("doubles their limit" in row["detail"] for row in database.rows(query))


def test_two_limits_of_one_key_are_no_doubled_limit(database: Database) -> None:
    database.run(
        "insert into public.rate_limit_buckets (bucket_key, window_start, expires_at) "
        "select 'k', h.at + w.since, h.at + w.since + w.size from date_trunc('hour', now()) as h (at), "
        "(values (interval '0', interval '1 hour'), (interval '30 min', interval '1 min')) as w (since, size)"
    )

    assert database.rows("select * from hq.find_split_windows()") == []


@pytest.mark.parametrize(
    "change",
    [
        "drop table public.rate_limit_buckets cascade",
        "alter table public.rate_limit_buckets rename window_start to began_at",
        "alter table public.rate_limit_buckets drop window_start, add window_start bigint",
        "alter table hq.runs_dlq rename next_retry_at to retry_at",
    ],
)
def test_a_table_of_the_host_in_another_form_costs_no_other_line(change: str, database: Database) -> None:
    before = database.rows("select * from hq.inspect_host()")
    database.run(change)

    assert database.rows("select * from hq.inspect_host()") == before


CURES = {
    "update_hq_system_config": """
        create or replace function public.update_hq_system_config(p_key text, p_value jsonb) returns boolean
        language plpgsql
        as 'begin update hq.system_config set value = p_value where key = p_key; return found; end'
    """,
    "get_hq_slo_status": """
        create or replace function public.get_hq_slo_status() returns jsonb language sql
        as $$select jsonb_build_object('run_success_rate', count(*) filter (where status = 'failed')) from hq.runs$$
    """,
    "has_role": "revoke execute on function public.has_role from public, anon",
}


@pytest.mark.parametrize("name", CURES)
def test_a_fault_that_was_put_right_is_told_no_more(name: str, database: Database) -> None:
    database.run(CURES[name])

    assert database.rows("select * from hq.inspect_host() where name = %s", f"host {name}") == []


def test_what_the_security_page_lets_one_check_can_be_pasted(database: Database) -> None:
    page = (Path(__file__).parents[2] / "docs" / "securite.fr.md").read_text()
    blocks = re.findall(r"```sql\n(.*?)```", page, flags=re.DOTALL)
    listed = {row["object_name"].removeprefix("public.") for row in database.rows("select * from hq.closed_doors")}

    for statement in "".join(blocks).split(";")[:-1]:
        database.run(statement)
    assert blocks
    assert {name for name in listed if f"`{name}`" not in page} == set()
