"""The stand-in for the existing HQ database behaves as the real one, defects included."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

import psycopg
import pytest
from psycopg import sql
from support.extensions import need_extension

from devstack.baseline import BaselineExistsError, Variant, apply_baseline
from devstack.postgres import SUPERUSER, PostgresCluster

OWNER = "00000000-0000-4000-8000-000000000001"
VIEWER = "00000000-0000-4000-8000-000000000002"

API_ROLES = ("anon", "authenticated", "service_role")

Connection = psycopg.Connection[tuple[Any, ...]]
Clone = Callable[[str], str]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """A server with one template database per variant, pg_cron included where the server has it."""
    folder = tmp_path_factory.mktemp("postgres") / "data"
    with PostgresCluster.start(folder, cron_database="template_seed", ephemeral=True) as cluster:
        for variant in get_args(Variant):
            cluster.clone("template0", f"template_{variant}")
            cluster.set_cron_database(f"template_{variant}")
            apply_baseline(cluster.dsn(f"template_{variant}", SUPERUSER), variant)
        cluster.set_cron_database("postgres")
        yield cluster


@pytest.fixture
def clone(cluster: PostgresCluster) -> Iterator[Clone]:
    """Make databases of a variant that a test may spoil."""
    names: list[str] = []

    def make(variant: str) -> str:
        names.append(f"test_{variant}_{len(names)}")
        cluster.clone(f"template_{variant}", names[-1])
        return names[-1]

    yield make
    for name in names:
        cluster.drop(name)


@pytest.fixture(params=get_args(Variant))
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def db(cluster: PostgresCluster, variant: str) -> Iterator[Connection]:
    """A session of the migrations' role, whose changes are undone."""
    with psycopg.connect(cluster.dsn(f"template_{variant}")) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def head_db(cluster: PostgresCluster) -> Iterator[Connection]:
    with psycopg.connect(cluster.dsn("template_head")) as connection:
        yield connection
        connection.rollback()


def become(db: Connection, role: str, user: str | None = None) -> None:
    """Continue as PostgREST would for a caller: with the role and the claims of the token."""
    claims = {"role": role} | ({"sub": user} if user else {})
    db.execute("reset role")
    db.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps(claims)])
    db.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))


def refusal_of_log_source(db: Connection, source: str) -> str | None:
    """Name the constraint that refuses a log of this source, or None when it may be written."""
    try:
        with db.transaction():
            assert value(db, "select public.insert_hq_log('info', %s, 'x')", source) is not None
    except psycopg.errors.CheckViolation as refusal:
        return refusal.diag.constraint_name
    return None


def become_migrator(db: Connection) -> None:
    db.execute("reset role")


def value(db: Connection, query: str, *parameters: object) -> Any:
    row = db.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def column(db: Connection, query: str, *parameters: object) -> list[Any]:
    return [row[0] for row in db.execute(query, parameters)]


class TestThePlatform:
    def test_the_migrations_role_is_no_superuser(self, db: Connection) -> None:
        role = db.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
            " where rolname = current_user"
        ).fetchone()

        assert role == (False, True, True, True, True)

    def test_the_migrations_role_owns_the_database_and_everything_of_hq(self, db: Connection) -> None:
        foreign = column(
            db,
            "select oid::regclass::text from pg_class where relnamespace = 'hq'::regnamespace"
            " and relowner <> current_user::regrole"
            " union all select oid::regprocedure::text from pg_proc"
            " where pronamespace in ('hq'::regnamespace, 'public'::regnamespace)"
            " and proowner <> current_user::regrole",
        )

        assert foreign == []
        assert value(db, "select datdba from pg_database where datname = current_database()") == value(
            db, "select current_user::regrole::oid"
        )

    def test_the_api_login_has_no_rights_until_it_changes_role(self, cluster: PostgresCluster) -> None:
        with psycopg.connect(cluster.dsn("template_head", "authenticator")) as db:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
                db.execute("select from public.user_roles")

            for role in ("anon", "authenticated", "service_role"):
                become(db, role)
                assert value(db, "select current_user") == role

    def test_identity_comes_from_the_claims_of_the_request(self, db: Connection) -> None:
        assert db.execute("select auth.uid(), auth.role(), auth.jwt()").fetchone() == (None, None, None)

        become(db, "authenticated", OWNER)

        assert value(db, "select auth.uid()::text") == OWNER
        assert value(db, "select auth.role()") == "authenticated"

    def test_new_objects_in_public_are_open_to_every_api_role(self, db: Connection) -> None:
        """Why each function of ours revokes before it grants."""
        db.execute("create table public.fresh ()")
        db.execute("create function public.fresh() returns void language sql return null")

        rights = db.execute(
            "select role, has_table_privilege(role, 'public.fresh', 'insert'),"
            " has_table_privilege(role, 'public.fresh', 'truncate'),"
            " has_function_privilege(role, 'public.fresh()', 'execute')"
            " from unnest(%s::name[]) as role",
            [list(API_ROLES)],
        ).fetchall()

        assert rights == [(role, True, True, True) for role in API_ROLES]

    def test_the_publication_holds_runs_in_the_later_variant_only(self, db: Connection, variant: str) -> None:
        published = db.execute("select schemaname, tablename from pg_publication_tables").fetchall()

        assert published == ([("hq", "runs")] if variant == "head" else [])
        assert value(db, "select pubowner::regrole::text from pg_publication") == "postgres"

    def test_pg_cron_can_be_used_in_a_clone(self, cluster: PostgresCluster, clone: Clone, variant: str) -> None:
        need_extension(cluster, "pg_cron")
        with psycopg.connect(cluster.dsn(clone(variant))) as db:
            inherited = column(db, "select jobname from cron.job order by jobname")
            db.execute("select cron.schedule('probe', '* * * * *', 'select 1')")
            probe = value(db, "select username from cron.job where jobname = 'probe'")

            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute("delete from cron.job")

        later_jobs = ["check-push-triggers-every-15min", "purge-old-hq-logs"]
        assert inherited == (later_jobs if variant == "head" else [])
        assert probe == "postgres"

    def test_a_clone_that_becomes_the_cron_database_owns_its_jobs(self, cluster: PostgresCluster, clone: Clone) -> None:
        need_extension(cluster, "pg_cron")
        name = clone("head")

        cluster.set_cron_database(name)
        try:
            with psycopg.connect(cluster.dsn(name)) as db:
                assert set(column(db, "select database from cron.job")) == {name}
        finally:
            cluster.set_cron_database("postgres")


class TestTheSchema:
    def test_the_inventory_is_the_hosts(self, db: Connection, variant: str) -> None:
        """At HEAD less the studio module: 8 tables and 17 functions."""
        counts = db.execute(
            "select"
            " (select count(*) from pg_tables where schemaname = 'hq'),"
            " (select count(*) from pg_tables where schemaname = 'public'),"
            " (select count(*) from pg_proc where pronamespace = 'hq'::regnamespace),"
            " (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)"
        ).fetchone()

        assert counts == {"seed": (23, 4, 1, 17), "head": (38 - 8, 8, 2, 62 - 17)}[variant]

    def test_it_refuses_a_database_that_has_it_already(self, cluster: PostgresCluster, variant: str) -> None:
        with pytest.raises(BaselineExistsError):
            apply_baseline(cluster.dsn(f"template_{variant}", SUPERUSER), "seed")

    def test_no_api_role_reaches_schema_hq(self, db: Connection) -> None:
        for role in API_ROLES:
            become(db, role, OWNER)

            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema hq"), db.transaction():
                db.execute("select from hq.runs")

    def test_even_with_grants_only_the_owner_sees_rows(self, db: Connection) -> None:
        db.execute("grant usage on schema hq to authenticated")
        db.execute("grant select on hq.runs to authenticated")
        db.execute("insert into hq.runs (run_type) values ('SEO_AUDIT')")

        become(db, "authenticated", VIEWER)
        seen_by_viewer = value(db, "select count(*) from hq.runs")
        become(db, "authenticated", OWNER)

        assert seen_by_viewer == 0
        assert value(db, "select count(*) from hq.runs") == 1

    def test_four_later_tables_have_no_row_security(self, db: Connection, variant: str) -> None:
        unprotected = column(
            db,
            "select tablename from pg_tables where schemaname in ('hq', 'public') and not rowsecurity order by 1",
        )

        later = ["chat_messages", "conversations", "morning_digests", "push_subscriptions"]
        assert unprotected == (later if variant == "head" else [])

    def test_the_lawful_log_sources_are_those_of_the_variant(self, db: Connection, variant: str) -> None:
        both = {"edge_function", "agent", "system", "scheduler"}
        later = {"executive-run", "autopilot", "platform-monitor", "push-triggers", "budget-monitor"}
        never = {"dlq-worker", "journal-impact"}  # although the old code writes them

        refusals = {source: refusal_of_log_source(db, source) for source in both | later | never}

        refused = never if variant == "head" else later | never
        check = "structured_logs_source_check"
        assert refusals == {source: check if source in refused else None for source in refusals}

    def test_deleting_a_run_keeps_its_logs_and_takes_its_steps(self, db: Connection) -> None:
        run_id = value(db, "insert into hq.runs (run_type) values ('SEO_AUDIT') returning id")
        db.execute("insert into hq.run_steps (run_id, step_order, name) values (%s, 1, 'x')", [run_id])
        log_id = value(db, "select public.insert_hq_log(p_message => 'x', p_run_id => %s)", run_id)

        db.execute("delete from hq.runs where id = %s", [run_id])

        assert value(db, "select run_id from hq.structured_logs where id = %s", log_id) is None
        assert value(db, "select count(*) from hq.run_steps where run_id = %s", run_id) == 0

    def test_a_run_with_an_action_cannot_be_deleted(self, db: Connection) -> None:
        run_id = value(db, "insert into hq.runs (run_type) values ('SEO_AUDIT') returning id")
        db.execute("insert into hq.actions (run_id, action_type, title) values (%s, 'x', 'x')", [run_id])

        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            db.execute("delete from hq.runs where id = %s", [run_id])

    def test_a_platform_can_not_be_down(self, db: Connection) -> None:
        with pytest.raises(psycopg.errors.CheckViolation):
            db.execute("update hq.platforms set status = 'down'")

    def test_there_are_48_permissions_and_11_are_the_admins(self, db: Connection) -> None:
        assert value(db, "select count(*) from public.role_permissions") == 48
        assert value(db, "select count(*) from public.role_permissions where role = 'admin'") == 11

    def test_the_audit_log_is_append_only_for_the_api_in_the_later_variant(self, db: Connection, variant: str) -> None:
        db.execute("insert into hq.audit_logs (actor_type, action) values ('system', 'x')")
        db.execute("grant usage on schema hq to authenticated")
        db.execute("grant select, update on hq.audit_logs to authenticated")
        become(db, "authenticated", OWNER)

        touched = db.execute("update hq.audit_logs set action = 'y' where action = 'x'").rowcount

        assert touched == (0 if variant == "head" else 1)


class TestTheFunctions:
    def test_the_owner_reads_the_screens_data(self, db: Connection) -> None:
        become(db, "authenticated", OWNER)

        platforms = column(db, "select key from public.get_all_hq_platforms()")
        agents = column(db, "select role_key from public.get_hq_agents()")

        assert len(platforms) == 7
        assert "swift-care-hub" in platforms
        assert {"CEO", "CTO", "CISO", "CMO", "CFO", "CPO", "CDO", "COO", "CSO", "CGO", "DPO"} <= set(agents)
        assert column(db, "select name from public.get_hq_platform('nearvity')") == ["NEARVITY"]

    @pytest.mark.parametrize(("role", "user"), [("anon", None), ("service_role", None), ("authenticated", VIEWER)])
    def test_nobody_but_the_owner_passes_the_owner_check(self, db: Connection, role: str, user: str | None) -> None:
        """Not even the service key: it has no user."""
        become(db, role, user)

        for call in (
            "public.get_all_hq_platforms()",
            "public.get_hq_platform('nearvity')",
            "public.get_hq_recent_runs()",
            "public.get_hq_logs()",
            "public.insert_hq_run('SEO_AUDIT')",
            "public.update_hq_system_config('autopilot', '{}')",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="Accès non autorisé"), db.transaction():
                db.execute(f"select * from {call}".encode())

    def test_anybody_may_forge_a_log(self, db: Connection) -> None:
        become(db, "anon")
        log_id = value(db, "select public.insert_hq_log('critical', 'system', 'forged')")
        become_migrator(db)

        assert value(db, "select message from hq.structured_logs where id = %s", log_id) == "forged"

    def test_a_run_is_stamped_with_one_moment_whatever_its_status(self, db: Connection) -> None:
        become(db, "authenticated", OWNER)
        run_id = value(db, "select public.insert_hq_run('ANY_TEXT', p_status => 'running')")
        become_migrator(db)

        row = db.execute(
            "select started_at = now(), completed_at = now(), created_at = now(), owner_requested, status::text"
            " from hq.runs where id = %s",
            [run_id],
        ).fetchone()

        assert row == (True, True, True, True, "running")
        assert value(db, "select action from hq.audit_logs where resource_id = %s", str(run_id)) == "run.created"

    def test_a_run_needs_a_known_platform_and_status(self, db: Connection) -> None:
        become(db, "authenticated", OWNER)

        with pytest.raises(psycopg.errors.ForeignKeyViolation), db.transaction():
            db.execute("select public.insert_hq_run('SEO_AUDIT', 'nowhere')")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation), db.transaction():
            db.execute("select public.insert_hq_run('SEO_AUDIT', p_status => 'awaiting_approval')")

    def test_recent_runs_are_unbounded_when_asked_for_null(self, db: Connection) -> None:
        db.execute("insert into hq.runs (run_type) select 'SEO_AUDIT' from generate_series(1, 12)")
        become(db, "authenticated", OWNER)

        assert value(db, "select count(*) from public.get_hq_recent_runs()") == 10
        assert value(db, "select count(*) from public.get_hq_recent_runs(null)") == 12

    def test_configuring_an_unknown_key_claims_success_and_writes_nothing(self, db: Connection) -> None:
        become(db, "authenticated", OWNER)
        answer = value(db, "select public.update_hq_system_config('autopilot', '{\"enabled\": true}')")
        become_migrator(db)

        assert answer is True
        assert value(db, "select count(*) from hq.system_config where key = 'autopilot'") == 0
        assert value(db, "select count(*) from hq.audit_logs where action = 'config.updated'") == 1

    def test_an_action_can_be_approved_and_then_rejected(self, db: Connection) -> None:
        action_id = value(db, "insert into hq.actions (action_type, title) values ('x', 'x') returning id")
        become(db, "authenticated", OWNER)
        db.execute("select public.approve_hq_action(%s, 'approved')", [action_id])
        db.execute("select public.approve_hq_action(%s, 'rejected')", [action_id])

        with pytest.raises(psycopg.errors.RaiseException, match="Décision invalide"), db.transaction():
            db.execute("select public.approve_hq_action(%s, 'deferred')", [action_id])

        become_migrator(db)
        assert value(db, "select status from hq.actions where id = %s", action_id) == "rejected"

    def test_the_open_doors_are_exactly_those_that_are_known(self, head_db: Connection) -> None:
        doors = column(
            head_db,
            "select proname from pg_proc where pronamespace = 'public'::regnamespace"
            " and has_function_privilege('anon', oid, 'execute')"
            " and prosrc !~ 'Accès non autorisé|get_all_hq_platforms' order by 1",
        )

        assert doors == [
            "check_ip_rate_limit",
            "current_user_org_id",
            "get_active_push_subscriptions",
            "get_user_permissions",
            "has_org_access",
            "has_permission",
            "has_role",
            "insert_hq_log",
            "is_owner",
            "upsert_hq_morning_digest",
        ]


class TestTheDeadLetters:
    @pytest.mark.parametrize("role", ["anon", "authenticated"])
    def test_they_are_closed_to_all_but_the_service_key(self, head_db: Connection, role: str) -> None:
        become(head_db, role, OWNER)

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            head_db.execute("select public.enqueue_dlq_run(gen_random_uuid(), 'SEO_AUDIT')")

    def test_an_open_entry_is_returned_rather_than_doubled(self, head_db: Connection) -> None:
        become(head_db, "service_role")
        enqueue = "select public.enqueue_dlq_run(%s, 'SEO_AUDIT')"

        assert value(head_db, enqueue, OWNER) == value(head_db, enqueue, OWNER)
        assert value(head_db, "select count(*) from public.get_dlq_pending()") == 0  # due in a minute only

    def test_an_entry_is_claimed_once_and_abandoned_at_its_third_failure(self, head_db: Connection) -> None:
        entry_id = value(head_db, "select public.enqueue_dlq_run(%s, 'SEO_AUDIT')", OWNER)
        waits = []
        for _ in range(3):
            head_db.execute("update hq.runs_dlq set next_retry_at = now()")
            assert column(head_db, "select id from public.get_dlq_pending()") == [entry_id]
            assert column(head_db, "select id from public.get_dlq_pending()") == []
            head_db.execute("select public.mark_dlq_attempt(%s, 'failed', 'x')", [entry_id])
            waits.append(value(head_db, "select extract(minute from next_retry_at - now()) from hq.runs_dlq"))

        assert waits[:2] == [5, 30]
        assert value(head_db, "select status from hq.runs_dlq") == "abandoned"

    def test_marking_an_unknown_entry_claims_success(self, head_db: Connection) -> None:
        assert value(head_db, "select public.mark_dlq_attempt(gen_random_uuid(), 'recovered')") is True

    def test_an_unknown_outcome_is_refused(self, head_db: Connection) -> None:
        with pytest.raises(psycopg.errors.RaiseException):
            head_db.execute("select public.mark_dlq_attempt(gen_random_uuid(), 'maybe')")


class TestTheFigures:
    def test_the_budget_counts_completed_runs_at_the_price_of_their_type(self, head_db: Connection) -> None:
        head_db.execute(
            "insert into hq.runs (run_type, status) values"
            " ('SEO_AUDIT', 'completed'), ('UNKNOWN', 'completed'), ('PRICING_CHANGE', 'failed')"
        )
        become(head_db, "authenticated", OWNER)

        budget = value(head_db, "select public.get_hq_ai_budget_status()")
        top = value(head_db, "select public.get_hq_top_run_costs()")

        assert (budget["monthly_cost_eur"], budget["daily_cost_eur"]) == (0.25, 0.25)
        assert (budget["monthly_target_eur"], budget["alert_threshold_pct"]) == (200, 80)
        assert budget["is_alert_threshold_reached"] is False
        assert [entry["run_type"] for entry in top["top_5"]] == ["SEO_AUDIT", "UNKNOWN"]
        assert top["total_cost_eur"] == 0.25

    def test_failed_runs_never_weigh_on_the_success_rate(self, head_db: Connection) -> None:
        head_db.execute(
            "insert into hq.runs (run_type, status) select 'SEO_AUDIT', 'failed' from generate_series(1, 9)"
        )
        head_db.execute("insert into hq.runs (run_type, status) values ('SEO_AUDIT', 'completed')")
        become(head_db, "authenticated", OWNER)

        slos = {slo["key"]: slo for slo in value(head_db, "select public.get_hq_slo_status()")["slos"]}
        governance = value(head_db, "select public.get_hq_governance_dashboard()")

        assert slos["run_success_rate"]["current_pct"] == 100
        assert governance["reliability"]["success_rate_pct"] == 10
        assert governance["audit_grade"] == "A"

    def test_one_odd_appendix_breaks_the_service_levels(self, head_db: Connection) -> None:
        head_db.execute(
            "insert into hq.runs (run_type, status, detailed_appendix)"
            """ values ('SEO_AUDIT', 'completed', '{"fallback_used": "maybe"}')"""
        )
        become(head_db, "authenticated", OWNER)

        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            head_db.execute("select public.get_hq_slo_status()")

    def test_durations_come_from_start_and_end(self, head_db: Connection) -> None:
        head_db.execute(
            "insert into hq.runs (run_type, status, started_at, completed_at)"
            " select 'SEO_AUDIT', 'completed', now(), now() + make_interval(secs => n) from generate_series(1, 3) n"
        )
        become(head_db, "authenticated", OWNER)

        metrics = value(head_db, "select public.get_hq_run_duration_metrics()")

        assert (metrics["total_runs"], metrics["p50_ms"], metrics["max_ms"]) == (3, 2000, 3000)
        assert [entry["run_type"] for entry in metrics["by_run_type"]] == ["SEO_AUDIT"]

    def test_the_rate_limit_counts_within_its_window(self, head_db: Connection) -> None:
        become(head_db, "anon")
        calls = [value(head_db, "select public.check_ip_rate_limit('x', 2)") for _ in range(3)]

        assert [call["allowed"] for call in calls] == [True, True, False]
        assert [call["remaining"] for call in calls] == [1, 0, 0]


class TestTheDemonstration:
    def test_both_people_have_their_role_and_only_one_is_the_owner(self, db: Connection) -> None:
        become(db, "authenticated", OWNER)
        assert value(db, "select public.is_owner()") is True
        become(db, "authenticated", VIEWER)
        assert value(db, "select public.is_owner()") is False
        assert value(db, "select public.has_permission(%s, 'runs', 'create')", VIEWER) is False

    def test_the_stored_passwords_are_the_documented_one(self, db: Connection) -> None:
        for stored in column(db, "select encrypted_password from auth.users"):
            scheme, salt, key = stored.split("$")
            derived = hashlib.scrypt(b"emocare-demo", salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
            assert (scheme, derived.hex()) == ("scrypt", key)
