"""Our part of the database applies on every schema of the host, any number of times, by both ways in."""

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from support.catalogue import describe
from support.database import Database

import devstack.baseline
from shared.errors import ConfigurationError
from shared.registry import JOBS, RUN_TYPES
from workers import schema
from workers.schema import SqlFile


def test_applying_twice_changes_nothing_the_second_time(bare_database: Database) -> None:
    first = schema.apply(bare_database.url)
    before = describe(bare_database)
    second = schema.apply(bare_database.url)

    assert describe(bare_database) == before
    assert first.migrations
    assert first.functions
    assert first.registry
    assert not second.changed


def test_the_printed_text_can_be_pasted_twice_and_leaves_nothing_to_migrate(bare_database: Database) -> None:
    text = schema.render()
    bare_database.sql.execute(text.encode())
    bare_database.sql.execute(text.encode())
    _build_as_printed(bare_database, text)

    assert not schema.apply(bare_database.url).changed


def test_the_printed_text_and_the_migrations_make_the_same_schema(clone: Callable[[str], Database]) -> None:
    pasted, migrated = clone("head"), clone("head")
    pasted.sql.execute(schema.render().encode())
    _build_as_printed(pasted, schema.render())
    schema.apply(migrated.url)

    assert describe(pasted) == describe(migrated)


def test_the_head_of_the_printed_text_names_what_is_changed_of_the_host(database: Database) -> None:
    """It used to say "It only adds", which a reader takes for a promise."""
    migrations = [file.text for file in schema.read_files() if file.kind == "migration"]
    ours = {name for text in migrations for name in re.findall(r"create table if not exists (hq\.\w+)", text)}
    changed = {
        name
        for text in migrations
        for name in re.findall(r"^ *(?:update|delete from|alter table) (hq\.\w+)", text, flags=re.MULTILINE)
    }
    head = schema.render([]).partition("\n\n")[0]
    host = (Path(devstack.baseline.__file__).parent / "head_functions.sql").read_text()
    host_jobs = set(re.findall(r"cron\.schedule\(\s*'([\w-]+)'", host))
    replaced = host_jobs & {row["name"] for row in database.rows("select name from hq.list_cron_jobs()")}

    assert "hq.runs" in changed
    assert replaced
    assert {name for name in (changed - ours) | replaced if name not in head} == set()


def test_the_head_of_the_printed_text_names_every_table_that_a_role_may_then_read(database: Database) -> None:
    """It used to say of the service key "and no table", although Realtime asks for its rights to hq.runs too."""
    granted = {
        (row["role"], row["name"])
        for row in database.rows(
            "select r.rolname as role, c.oid::regclass::text as name from pg_class as c cross join pg_roles as r "
            "where c.relnamespace = 'hq'::regnamespace and c.relkind in ('r', 'v', 'm', 'p') "
            "and r.rolname in ('anon', 'authenticated', 'service_role') "
            "and has_any_column_privilege(r.rolname, c.oid, 'select, insert, update, references')"
        )
    }
    head = schema.render([]).partition("\n\n")[0].replace("\n--" + " " * 19, " ")
    said = {line.split()[1]: line for line in head.splitlines() if line.startswith("--   ")}

    assert granted == {("authenticated", "hq.runs"), ("service_role", "hq.runs")}
    assert {(role, name) for role, name in granted if name not in said[role]} == set()


def test_callers_that_migrate_at_once_wait_for_one_another(bare_database: Database) -> None:
    reports: list[schema.Report] = []
    threads = [threading.Thread(target=lambda: reports.append(schema.apply(bare_database.url))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [report.changed for report in reports].count(True) == 1
    assert len(reports) == 5


def test_no_migration_that_waits_stays_in_a_transaction(database: Database) -> None:
    """A concurrent index build would wait for its end, and it for the build's."""
    lasting = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and application_name = 'emocare migrate' and xact_start < now() - interval '0.5 s'"
    )
    database.sql.execute("select pg_advisory_lock(hashtextextended('hq.worker_migrations', 0))")
    waiting = threading.Thread(target=lambda: schema.apply(database.url))
    waiting.start()
    try:
        time.sleep(1)
        seen = [database.one(lasting)["count"] for _ in range(5)]
        alive = waiting.is_alive()
    finally:
        database.sql.execute("select pg_advisory_unlock(hashtextextended('hq.worker_migrations', 0))")
        waiting.join()

    assert alive
    assert seen == [0] * 5


def test_an_edited_migration_is_refused(database: Database) -> None:
    first, *others = schema.read_files()
    edited = [SqlFile(first.kind, first.name, first.text + "\n-- one more word"), *others]

    with pytest.raises(ConfigurationError, match="never edited"):
        schema.apply(database.url, edited)


def test_a_changed_function_is_applied_again(database: Database) -> None:
    files = [
        SqlFile(f.kind, f.name, f.text + "\n-- one more word") if f.name == "claim_hq_runs" else f
        for f in schema.read_files()
    ]

    assert schema.apply(database.url, files).functions == ["claim_hq_runs"]


def test_what_somebody_changed_by_hand_is_put_right(database: Database) -> None:
    before, run_types = describe(database), database.rows("select * from hq.run_types order by key")
    for damage in (
        "create or replace function hq.elapsed_ms(p_since timestamptz) returns bigint language sql as 'select 1'",
        "revoke execute on function public.claim_hq_runs from service_role",
        "drop function public.get_hq_run",
        "delete from hq.run_types where key = 'SEO_AUDIT'",
        "update hq.run_types set cost_eur = 99 where key = 'CODE_REVIEW'",
    ):
        database.run(damage)
    assert describe(database) != before

    schema.apply(database.url)

    assert describe(database) == before
    assert database.rows("select * from hq.run_types order by key") == run_types


def test_a_database_that_is_not_the_hqs_is_refused_by_name(database: Database) -> None:
    with pytest.raises(ConfigurationError, match=r"no table hq\.runs"):
        schema.apply(database.cluster.dsn("template1", "supabase_admin"))


def test_a_skipped_migration_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0002_create_nothing.sql").write_text("select 1")

    with pytest.raises(ConfigurationError, match="0001_verb_object"):
        schema.read_files(tmp_path)


@pytest.mark.parametrize("kind", ["migrations", "rpc", "indexes", "views"])
@pytest.mark.parametrize("folder_is_there", [True, False])
def test_an_installation_without_its_sql_is_refused(kind: str, folder_is_there: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """An empty list of files made an empty database pass for a complete one."""
    readers = {"indexes": schema.read_indexes, "views": schema.read_views}
    for other in {"migrations", "rpc", "indexes", "views"} - {kind}:
        (tmp_path / other).mkdir()
        (tmp_path / other / "0001_create_nothing.sql").write_text("select 1")
    if folder_is_there:
        (tmp_path / kind).mkdir()

    with pytest.raises(ConfigurationError, match=f"No SQL file in .*{kind}.*Install the wheel again"):
        readers.get(kind, schema.read_files)(tmp_path)


def test_the_table_of_run_types_holds_exactly_the_registry(database: Database) -> None:
    rows = {row["key"]: row for row in database.rows("select * from hq.run_types")}

    assert set(rows) == set(RUN_TYPES)
    for key, run_type in RUN_TYPES.items():
        assert rows[key]["cost_eur"] == run_type.cost_eur
        assert rows[key]["risk"] == run_type.risk.value
        assert rows[key]["allowed_triggers"] == [trigger.value for trigger in run_type.allowed_triggers]


def test_the_plan_holds_exactly_the_registrys_jobs(database: Database) -> None:
    planned = {row["key"]: row for row in database.rows("select * from hq.scheduled_jobs")}

    assert set(planned) == set(JOBS)
    for key, job in JOBS.items():
        assert planned[key]["default_hours"] == list(job.calendar.hours)
        assert planned[key]["default_weekdays"] == list(job.calendar.weekdays)
        assert planned[key]["run_type"] == job.run_type
        assert planned[key]["aliases"] == list(job.aliases)
        assert (planned[key]["enabled"], planned[key]["hours"], planned[key]["weekdays"]) == (True, None, None)


@pytest.mark.parametrize("by_hand", [False, True])
def test_no_migration_undoes_what_an_operator_planned(by_hand: bool, database: Database) -> None:  # noqa: FBT001
    database.run("update hq.scheduled_jobs set enabled = false, hours = '{6}', weekdays = '{6,7}', grace_minutes = 30")
    # As an older registry left it: other hours, one job fewer, one more.
    database.run("update hq.scheduled_jobs set registry_version = 'older', default_hours = '{1}'")
    database.run("update hq.scheduled_jobs set key = 'a_job_of_old' where key = 'weekly_marketing_plan'")

    if by_hand:
        database.sql.execute(schema.render().encode())
    else:
        schema.apply(database.url)

    planned = {row["key"]: row for row in database.rows("select * from hq.scheduled_jobs")}
    assert set(planned) == set(JOBS)
    assert planned.pop("weekly_marketing_plan")["enabled"]
    for key, row in planned.items():
        assert (row["enabled"], row["hours"], row["weekdays"], row["grace_minutes"]) == (False, [6], [6, 7], 30)
        assert row["default_hours"] == list(JOBS[key].calendar.hours)


def test_pending_rows_older_than_the_installation_are_cancelled_with_a_sentence(bare_database: Database) -> None:
    bare_database.run("insert into hq.runs (run_type) values ('SEO_AUDIT')")
    schema.apply(bare_database.url)
    bare_database.run("insert into hq.runs (run_type) values ('CODE_REVIEW')")
    bare_database.sql.execute(schema.render().encode())

    runs = {row["run_type"]: row for row in bare_database.rows("select * from hq.runs")}
    assert runs["SEO_AUDIT"]["status"] == "cancelled"
    assert "annulée" in runs["SEO_AUDIT"]["executive_summary"]
    assert runs["CODE_REVIEW"]["status"] == "pending"


def _build_as_printed(database: Database, text: str) -> None:
    """Follow the instruction at the end of the text: copy each last statement without its dashes."""
    statements = [line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- create index")]
    assert len(statements) == len(schema.read_indexes())
    for statement in statements:
        (table,) = re.findall(r" on (hq\.\w+) ", statement)
        if database.one("select to_regclass(%s) is not null as there", table)["there"]:
            database.run(statement)


def test_an_index_whose_building_was_cut_short_is_built_again(bare_database: Database) -> None:
    """A build that fails leaves an index that is maintained and never used."""
    with bare_database.connect() as reader, bare_database.connect() as builder:
        reader.execute("begin isolation level repeatable read; select from hq.structured_logs")
        builder.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            builder.execute(schema.read_indexes()["structured_logs_created"].encode())
        reader.execute("rollback")
    valid = "select indisvalid from pg_index where indexrelid = to_regclass('hq.structured_logs_created')"
    assert bare_database.one(valid) == {"indisvalid": False}

    report = schema.apply(bare_database.url)

    assert "structured_logs_created" in report.indexes
    assert bare_database.one(valid) == {"indisvalid": True}
    assert not schema.apply(bare_database.url).changed


@pytest.mark.parametrize("columns", ["run_id", "run_id, step_order"])
def test_an_index_of_the_host_that_serves_as_well_is_not_built_twice(columns: str, bare_database: Database) -> None:
    bare_database.run(f"create index theirs on hq.run_steps ({columns})")

    report = schema.apply(bare_database.url)

    assert "run_steps_run" not in report.indexes
    assert "run_evidence_run" in report.indexes
    assert not schema.apply(bare_database.url).changed


@pytest.mark.parametrize(("columns", "serves"), [("run_type, completed_at, id", True), ("run_type, created_at", False)])
def test_an_index_of_several_columns_is_served_by_all_of_them(
    *, columns: str, serves: bool, bare_database: Database
) -> None:
    bare_database.run(f"create index theirs on hq.runs ({columns})")

    assert ("runs_ended" in schema.apply(bare_database.url).indexes) is not serves


@pytest.mark.parametrize("index", ["(step_order, run_id)", "(run_id) where status = 'failed'"])
def test_an_index_of_the_host_that_serves_others_is_no_reason(index: str, bare_database: Database) -> None:
    bare_database.run(f"create index theirs on hq.run_steps {index}")

    assert "run_steps_run" in schema.apply(bare_database.url).indexes


@pytest.mark.parametrize(
    ("index", "theirs"),
    [
        ("actions_created", "hq.actions (lower(title), created_at)"),
        ("runs_ended", "hq.runs (run_type) include (completed_at)"),
    ],
)
def test_neither_an_expression_nor_an_included_column_serves_for_a_key(
    index: str, theirs: str, bare_database: Database
) -> None:
    """The doctor and the migration must agree on it."""
    bare_database.run(f"create index theirs on {theirs}")
    built = schema.apply(bare_database.url).indexes
    bare_database.run(f"drop index if exists hq.{index}")

    check = bare_database.one(
        "select state, detail from public.inspect_hq_backend_v2() where code = 'large_table_indexes'"
    )

    assert index in built
    assert check["state"] == "amber"
    assert check["detail"].startswith(f"missing: {index};")


def test_an_index_on_a_table_that_only_some_hosts_have_waits_for_it(seed_database: Database) -> None:
    assert not schema.apply(seed_database.url).changed
    seed_database.run(
        "create table hq.runs_dlq (original_run_id uuid not null, status text, next_retry_at timestamptz)"
    )

    assert schema.apply(seed_database.url).indexes == ["runs_dlq_run"]


def test_one_index_that_is_blocked_keeps_no_other_from_being_built(bare_database: Database) -> None:
    with bare_database.connect() as editor:
        editor.execute("begin; lock table hq.run_steps in row exclusive mode")

        report = schema.apply(bare_database.url, index_lock_timeout=timedelta(seconds=1))

    assert {"run_evidence_run", "structured_logs_created"} <= set(report.indexes)
    assert "run_steps_run" not in report.indexes
    assert any("run_steps_run" in notice and "run emocare migrate again" in notice for notice in report.notices)


def test_an_index_that_cannot_be_built_now_stops_nothing_and_is_reported(bare_database: Database) -> None:
    with bare_database.connect() as reader:
        reader.execute("begin isolation level repeatable read; select from public.user_roles")

        report = schema.apply(bare_database.url, index_lock_timeout=timedelta(milliseconds=100))

    assert report.migrations
    assert report.indexes == []
    assert any("run emocare migrate again" in notice for notice in report.notices)


@pytest.mark.parametrize("template", ["head", "head_hq"])
def test_behind_a_long_transaction_a_migration_gives_way_and_nobody_waits_for_it(
    template: str, clone: Callable[[str], Database]
) -> None:
    """A lock that is waited for is in the way of all who come later, although they would not be in each other's."""
    database = clone(template)
    with database.connect() as holder, database.connect() as page:
        holder.execute("begin; insert into hq.runs (run_type, status) values ('IN_USE', 'completed')")
        migrating = threading.Thread(target=schema.apply, args=(database.url,))
        migrating.start()
        page.execute("set lock_timeout = '1s'")
        gave_way = 0
        while gave_way < 2:
            waiting = database.one("select count(*) as n from pg_locks where not granted")["n"]
            page.execute("insert into hq.runs (run_type, status) values ('IN_USE', 'completed')")
            gave_way += waiting > 0
            time.sleep(0.05)
        assert migrating.is_alive()
        holder.execute("commit")
        migrating.join()

    assert not schema.apply(database.url).changed
