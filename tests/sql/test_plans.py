"""No statement of a run's path, and no read, may read a whole table that grows for years: an index serves each.

The plans that PostgreSQL really chose are taken from auto_explain, inside our functions too. With sequential scans
switched off, one that is left is one that no index can replace, however few rows the test's table has.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from support.calls import USAGE, call, claim_one, lease, request, rescue, settle, step, value
from support.database import OWNER, Connection, Database, Row, one, rows
from support.extensions import need_extension

from bench.reads import READS, VARIANTS
from workers import schema

# Lists that do not grow with the runs, and that are read whole because they are short.
SHORT = {"agents", "agent_scopes", "org_roles", "platforms", "system_config", "user_roles", "role_permissions", "users"}

# Tables of ours that grow for years as well.
OURS = {
    "announcements",
    "autopilot_decisions",
    "deliveries",
    "plan_slots",
    "platform_checks",
    "report_facts",
    "request_keys",
    "run_costs",
    "run_requests",
}

# What people wrote, and what the host counts for a few minutes: neither grows with the runs. The reads that count it
# read it whole, 100,000 rows at most.
PEOPLES = {
    "campaigns",
    "contact_messages",
    "incidents",
    "journal_entries",
    "product_initiatives",
    "rate_limit_buckets",
    "sales_pipeline",
    "support_tickets",
}
# An index of what waits for somebody, and of nothing else.
WAITING = {("runs_dlq", "Index Scan idx_runs_dlq_pending")}

EVIDENCE: Row = {"evidence_type": "github", "data": {"open": 3}, "source_url": None}


class Scan(NamedTuple):
    """A table of the host that is read whole, and by which statement."""

    table: str
    how: str
    statement: str


class Plans:
    """The plans of what a session executes, as auto_explain sends them to it."""

    def __init__(self, session: Connection, hosts: set[str]) -> None:
        self.session = session
        self.scans: list[Scan] = []
        self.tables: set[str] = set()
        self._long = (hosts | OURS) - SHORT
        session.add_notice_handler(self._note)
        for setting in (
            "set auto_explain.log_min_duration = 0",
            "set auto_explain.log_nested_statements = on",
            "set auto_explain.log_format = json",
            "set auto_explain.log_level = notice",
            "set enable_seqscan = off",
            # What that makes of a plan's cost would have each compiled, which takes ten times as long as running it.
            "set jit = off",
            # Of a short table, a join would rather read all of an index than look a few rows up.
            "set enable_hashjoin = off",
            "set enable_mergejoin = off",
            # The plan that a session keeps, whatever the parameters: an empty list is a special case.
            "set plan_cache_mode = force_generic_plan",
        ):
            session.execute(setting.encode())

    def _note(self, notice: psycopg.errors.Diagnostic) -> None:
        _, marked, found = (notice.message_primary or "").partition("plan:\n")
        if marked:
            explained = json.loads(found)
            self._walk(explained["Plan"], explained["Query Text"], bounded=False)

    def _walk(self, node: dict[str, Any], statement: str, *, bounded: bool) -> None:
        table = node.get("Relation Name", "")
        self.tables.add(table)
        whole = node["Node Type"] == "Seq Scan" or (
            # An index that is read from one end to the other saves nothing, unless a limit stops it.
            node["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" not in node and not bounded
        )
        if whole and table in self._long:
            self.scans.append(
                Scan(table, f"{node['Node Type']} {node.get('Index Name', '')}".rstrip(), " ".join(statement.split()))
            )
        for child in node.get("Plans", ()):
            self._walk(child, statement, bounded=bounded or node["Node Type"] == "Limit")


@pytest.fixture
def hosts(clone: Callable[[str], Database], variant: str) -> set[str]:
    """Name the host's own tables."""
    found = clone(variant).rows("select tablename from pg_tables where schemaname in ('hq', 'public')")
    return {row["tablename"] for row in found}


@pytest.fixture(params=["seed", "head"])
def variant(request: pytest.FixtureRequest) -> str:  # the fixture, not the call of the same name
    return str(request.param)


@pytest.fixture
def hq(variant: str, clone: Callable[[str], Database]) -> Database:
    """Give the HQ with our part at each schema in turn."""
    return clone(f"{variant}_hq")


@pytest.fixture
def plans(hq: Database, hosts: set[str]) -> Iterator[Plans]:
    with hq.connect("supabase_admin") as session:
        try:
            session.execute("load 'auto_explain'")
        except psycopg.errors.UndefinedFile:
            need_extension(hq.cluster, "auto_explain")  # which has no control file: skipped, or red in CI
        yield Plans(session, hosts)


def test_no_statement_of_a_runs_path_reads_a_table_whole(plans: Plans) -> None:
    _walk_every_path(plans.session)

    read = {"runs", "run_steps", "run_evidence", "run_queue", "structured_logs", "report_facts", "analytics_events"}
    assert read <= plans.tables
    assert plans.scans == []


def test_no_read_reads_a_table_whole(plans: Plans) -> None:
    _walk_every_path(plans.session)
    plans.scans.clear()
    failed = "select id as run, id as failed, run_type as type from hq.runs where status = 'failed' limit 1"
    given = one(plans.session, failed)
    plans.scans.clear()

    for query in (*READS.values(), *(query for _, query in VARIANTS.values())):
        plans.session.execute(query.encode(), given if "%(" in query else None)

    assert plans.tables >= {"runs", "run_costs", "run_steps", "report_facts", "actions", "approvals", "announcements"}
    assert [scan for scan in plans.scans if (scan.table, scan.how) not in WAITING and scan.table not in PEOPLES] == []


def test_every_read_of_ours_is_in_the_list(hq: Database) -> None:
    """Those that are missing would be measured by no bench, and their plans be seen by no test."""
    ours = {
        f"hq.{file.name[1:]}" if file.name.startswith("_") else f"public.{file.name}"
        for file in schema.read_files()
        if file.kind == "function"
    }
    stable = hq.rows(
        "select p.pronamespace::regnamespace || '.' || p.proname as name from pg_proc as p where p.provolatile = 's'"
    )
    views = {f"hq.{name}" for name in schema.read_views()}

    reads = views | ({str(row["name"]) for row in stable} & ours) - {"hq.refuse_held"}  # which only raises

    assert set(READS) == reads
    assert {name for name, _ in VARIANTS.values()} <= reads


@pytest.mark.parametrize("variant", ["head"], indirect=True)
@pytest.mark.parametrize(
    ("index", "table"),
    [("run_steps_run", "run_steps"), ("run_evidence_run", "run_evidence"), ("runs_dlq_run", "runs_dlq")],
)
def test_the_table_of_an_index_that_is_missing_is_named(index: str, table: str, hq: Database, plans: Plans) -> None:
    hq.run(f"drop index hq.{index}")

    _walk_every_path(plans.session)

    assert {scan.table for scan in plans.scans} == {table}


@pytest.mark.parametrize("table", ["runs", "audit_logs", "structured_logs"])
def test_the_newest_of_a_table_are_found_by_date(table: str, plans: Plans) -> None:
    rows(plans.session, f"select id from hq.{table} order by created_at desc limit 50")
    rows(plans.session, f"select count(*) from hq.{table} where created_at >= now() - interval '7 days'")

    assert table in plans.tables
    assert plans.scans == []


def _walk_every_path(session: Connection) -> None:
    """Make every call that runs go through: asked, claimed, kept, renewed, and each of the ways to end."""
    _read_inputs(session)
    asked = request(session, "SEO_AUDIT", idempotency_key="k")
    request(session, "SEO_AUDIT", idempotency_key="k")
    claimed = claim_one(session)
    call(session, "checkpoint_hq_step", **lease(claimed), step=step(output={"a": 1}), usage=USAGE)
    call(session, "checkpoint_hq_steps", checkpoints=[lease(claimed) | {"step": step(), "usage": USAGE}])
    _renew(session, claimed)
    call(session, "get_hq_run", run_id=asked["run_id"])
    settle(session, claimed, "retry", steps=[step()], evidence=[EVIDENCE], usage=USAGE)
    value(session, "cancel_hq_run", run_id=asked["run_id"])
    rows(session, "select * from hq.timeline(%s)", asked["run_id"])

    for outcome in ("failed", "completed"):  # a failure that is asked for again, and its retry
        request(session, "RGPD_AUDIT", force=outcome == "completed")
        settle(session, claim_one(session), outcome, steps=[step()], evidence=[EVIDENCE], usage=USAGE)
    request(session, "DAILY_EXECUTIVE_BRIEF")
    done = claim_one(session)
    call(session, "settle_hq_runs", settlements=[lease(done) | {"outcome": "completed", "summary": "## Bref"}])

    request(session, "CODE_REVIEW", force=True)
    call(session, "release_hq_runs", leases=[lease(claim_one(session))])
    claim_one(session)
    session.execute("update hq.run_queue set leased_until = now() - interval '1 s' where worker_id is not null")
    rescue(session)
    session.execute("delete from hq.run_queue")
    rescue(session)  # adopts
    (accepted,) = call(
        session,
        "request_and_claim_hq_run_v2",
        requester=OWNER,
        worker_id="worker-1",
        run_type="COMPETITIVE_ANALYSIS",
        lease_seconds=30,
    )
    assert accepted


def _read_inputs(session: Connection) -> None:
    """Keep facts, move them, and read all that grows with the runs or with the site's visitors."""
    fact = {"name": "mrr", "unit": "EUR", "source": "stripe", "at": "2026-11-22T10:00:00+00:00", "scope": ""}
    for value_now in ("1", "1", "2"):
        facts = {"evidence_type": "facts", "data": {"facts": [fact | {"value": value_now}]}, "source_url": None}
        verified = {"evidence_type": "verification", "data": {"contradicted": 0}, "source_url": None}
        request(session, "CEO_STANDUP_MEETING", force=True)
        settle(session, claim_one(session), evidence=[facts, verified])
    reads = {"past": {}, "earlier": {"sources": ["stripe"]}, "audience": {"routes": ["/"]}, "agents_work": {}}
    rows_read = call(session, "read_hq_report_inputs", run_type="CEO_STANDUP_MEETING", reads=reads)
    assert [row["error"] for row in rows_read] == [None] * len(reads)


def _renew(session: Connection, claimed: Row) -> None:
    heartbeat = {"version": "1", "concurrency": 8, "realtime": "live", "started_at": "2026-11-22T10:00:00+00:00"}
    call(
        session,
        "renew_hq_leases",
        worker_id="worker-1",
        leases=[lease(claimed)],
        lease_seconds=30,
        heartbeat=heartbeat,
    )
