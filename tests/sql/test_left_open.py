"""A transaction that somebody leaves open in the SQL editor, after any function, holds up nobody for a second."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from psycopg.types.json import Json
from support.calls import call, claim, claim_one, expire, lease, refused, request, rescue, settle, step, value
from support.database import Connection, Database, Row
from support.plan import every_hour, look, wind

GUIDE: Final = Path(__file__).parents[2] / "docs" / "exploitation.fr.md"

# What a person, or a program, may leave open: each after something that it locks.
LEFT_OPEN: Final = {
    "hq.request_run": "select * from hq.request_run('CODE_REVIEW')",
    "hq.retry_run": "select * from hq.retry_run(%(failed)s)",
    "hq.cancel_run": "select hq.cancel_run(%(running)s)",
    "hq.pause_runs": "select hq.pause_runs('test')",
    "hq.resume_runs": "select hq.pause_runs(); select hq.resume_runs()",
    "request_hq_run": "select * from public.request_hq_run('CODE_REVIEW', p_idempotency_key => 'k')",
    "cancel_hq_run": "select public.cancel_hq_run(%(waiting)s)",
    "claim_hq_runs": "select * from public.claim_hq_runs('editor', 1, 30)",
    "rescue_hq_runs": "select * from public.rescue_hq_runs()",
    "enqueue_due_hq_runs": "select * from public.enqueue_due_hq_runs()",
    "begin_hq_decision": "select * from public.begin_hq_decision('editor')",
    "take_hq_turn": "select public.take_hq_turn('budget', 'editor', 60)",
    "take_hq_announcements_v2": "select * from public.take_hq_announcements_v2('{}', 10, 30)",
    "purge_hq_expired": "delete from hq.maintenance; select * from public.purge_hq_expired()",
    "settle_hq_run": "select public.settle_hq_run(%(running)s, %(token)s, 'completed', 'by hand')",
    "release_hq_runs": "select public.release_hq_runs(%(leases)s::jsonb)",
    "a correction of runs": "update hq.runs set status = 'pending' where id in (%(failed)s, %(running)s)",
    "a correction of steps": "update hq.run_steps set output = null",
    "a correction of letters": "update hq.runs_dlq set status = 'abandoned', resolved_at = now()",
    "a correction of the plan": "update hq.scheduled_jobs set hours = '{8}'",
    "a correction of platforms": "update hq.platforms set status_reason = 'by hand'",
    "a look at slots": "select * from hq.plan_slots for update",
    "a look at workers": "select * from hq.worker_heartbeats for update",
}
# Held, they do nothing by somebody else: what they would do is being done.
ALONE: Final = {"enqueue_due_hq_runs": "the plan", "begin_hq_decision": "the autopilot"}
SECONDS: Final = 1.0


HEARTBEAT: Final = {"version": "1", "concurrency": 8, "realtime": "live", "started_at": "2026-11-22T10:00:00+00:00"}


@contextmanager
def left_open(database: Database, statements: str, known: Row) -> Iterator[None]:
    """Be a person who executes something and goes to lunch."""
    with database.connect() as person:
        person.execute("begin")
        for statement in statements.split("; "):
            person.execute(statement.encode(), known)
        yield
        person.execute("rollback")


def _build(database: Database, service: Connection) -> Row:
    """Make a run in each state, steps, a dead letter, a heartbeat, and a plan with a slot that is late."""
    failed = request(service, "CODE_REVIEW")["run_id"]
    settle(service, claim_one(service), "failed", appendix={"error_code": "gateway_unavailable"})
    running = request(service, "SEO_AUDIT")["run_id"]
    request(service, "DAILY_EXECUTIVE_BRIEF")
    leases = claim(service)
    for claimed in leases:
        call(service, "checkpoint_hq_step", **lease(claimed), step=step(output={}))
    call(service, "renew_hq_leases", worker_id="worker-1", leases=[], lease_seconds=30, heartbeat=HEARTBEAT)
    every_hour(database, "an_audit")
    database.run("update hq.scheduled_jobs set run_type = 'REVENUE_FORECAST' where key = 'an_audit'")
    database.run("insert into hq.plan_slots (job_key, slot_at) values ('an_audit', '2026-11-22 08:00:00+00')")
    wind(database, "2026-11-22 09:59:00+00")
    return {
        "failed": failed,
        "running": running,
        "waiting": request(service, "FINANCIAL_REPORT")["run_id"],
        "token": next(claimed["lease_token"] for claimed in leases if claimed["run_id"] == running),
        "leases": Json([lease(claimed) for claimed in leases]),
        "others": [lease(claimed) for claimed in leases if claimed["run_id"] != running],
    }


def _acts(database: Database, service: Connection, known: Row) -> dict[str, Callable[[], object]]:
    """List what goes on meanwhile, each as one of its own."""

    def run_another() -> None:
        run_id = request(service, "ROADMAP_UPDATE")["run_id"]
        (claimed,) = [got for got in claim(service, "worker-2") if got["run_id"] == run_id]
        assert value(service, "checkpoint_hq_step", **lease(claimed), step=step())
        assert settle(service, claimed) == "completed"

    def renew() -> None:
        beat = {"lease_seconds": 30, "heartbeat": HEARTBEAT}
        (renewed,) = call(service, "renew_hq_leases", worker_id="worker-1", leases=known["others"], **beat)
        assert renewed["state"] in {"held", "lost"}

    def fire_plan() -> None:
        fired = [slot for slot in look(database.sql, "2026-11-22 10:01:00+00") if slot["outcome"] == "fired"]
        assert len(fired) == 1

    checks = [{"platform_key": key, "status": "green"} for key in ("nearvity", "med-mng")]
    return {
        "another run": run_another,
        "the leases": renew,
        "the queue": partial(call, service, "get_hq_queue_state"),
        "the plan": fire_plan,
        "the autopilot": partial(call, service, "begin_hq_decision", asked_by="worker-1", fresh_seconds=0),
        "the site watch": partial(call, service, "record_hq_platform_checks", checks=checks),
        "the announcements": partial(call, service, "take_hq_announcements_v2", said="{}", limit=10, lease_seconds=30),
        "the purge": partial(call, service, "purge_hq_expired"),
        "the rescue": partial(rescue, service),
    }


@pytest.mark.parametrize("function", LEFT_OPEN)
def test_what_is_left_open_holds_up_nothing_else(function: str, database: Database, service: Connection) -> None:
    known = _build(database, service)
    done_elsewhere = ALONE.get(function)
    took = {}

    with left_open(database, LEFT_OPEN[function], known):
        for name, act in _acts(database, service, known).items():
            began = time.monotonic()
            if name == done_elsewhere:
                with suppress(AssertionError), refused("HQ008"):
                    act()
            else:
                act()
            took[name] = time.monotonic() - began

    assert {name: seconds for name, seconds in took.items() if seconds > SECONDS} == {}


@pytest.mark.parametrize(
    ("function", "again"),
    [
        ("hq.request_run", "select * from public.request_hq_run('CODE_REVIEW')"),
        ("request_hq_run", "select * from public.request_hq_run('SEO_AUDIT', p_idempotency_key => 'k')"),
        ("hq.retry_run", "select * from hq.retry_run(%(failed)s)"),
        ("hq.cancel_run", "select public.cancel_hq_run(%(running)s)"),
        ("hq.pause_runs", "select hq.pause_runs()"),
        ("hq.resume_runs", "select hq.pause_runs()"),
        ("begin_hq_decision", "select * from public.begin_hq_decision('worker-1')"),
    ],
)
def test_who_asks_for_the_same_is_refused_within_a_second_and_knows_why(
    function: str, again: str, database: Database, service: Connection, other: Connection
) -> None:
    known = _build(database, service)

    with left_open(database, LEFT_OPEN[function], known):
        began = time.monotonic()
        with refused("HQ008") as caught:
            other.execute(again.encode(), known)
        assert time.monotonic() - began < SECONDS

    assert "réessayez dans quelques secondes" in str(caught.value)
    assert "pg_stat_activity" in (caught.value.diag.message_hint or "")
    other.execute(again.encode(), known)


def test_of_many_writes_that_are_held_the_first_alone_waits(database: Database, service: Connection) -> None:
    types = ("SEO_AUDIT", "CODE_REVIEW", "ROADMAP_UPDATE", "FINANCIAL_REPORT", "REVENUE_FORECAST")
    for run_type in types:
        request(service, run_type)
    leases = claim(service)
    free = leases[2]
    ends = [lease(claimed) | {"outcome": "completed", "summary": "## Rapport"} for claimed in leases]

    with left_open(database, "select from hq.runs where id <> %(free)s for update", {"free": free["run_id"]}):
        began = time.monotonic()
        settled = call(service, "settle_hq_runs", settlements=ends)
        assert time.monotonic() - began < SECONDS

    assert [row["run_id"] for row in settled if row["status"] == "completed"] == [free["run_id"]]
    assert [row["error_code"] for row in settled if row["status"] is None] == ["55P03"] * 4
    assert {row["status"] for row in call(service, "settle_hq_runs", settlements=ends)} == {"completed"}


def test_a_dead_lease_whose_letter_is_held_holds_up_no_other(database: Database, service: Connection) -> None:
    known = _build(database, service)
    database.run("update hq.run_requests set retry_of = %s where run_id = %s", known["failed"], known["running"])
    database.run("update hq.run_queue set attempt = 2 where worker_id is not null")
    expire(database)

    with left_open(database, "update hq.runs_dlq set resolved_at = now()", known):
        began = time.monotonic()
        assert rescue(service)["failed"] == 1
        assert time.monotonic() - began < SECONDS

    assert rescue(service)["failed"] == 1


# By the text of the functions.

WAITS: Final = re.compile(
    r"\b(?:update|delete from) hq\.|\bon conflict\b|\bpg_advisory_xact_lock\b"
    r"|\bfor (?:no key )?(?:update|share)(?: of \w+)?(?! of \w+)(?! ?skip locked| ?nowait)",
)


def _find_unbounded(database: Database) -> list[str]:
    """Find what waits for a lock as long as somebody holds it, on a way that begins at what anybody may call."""
    functions = {
        f"{row['nspname']}.{row['proname']}": (
            re.sub(r"\s+", " ", re.sub(r"--.*", "", row["prosrc"])),
            any(setting.startswith("lock_timeout=") for setting in row["proconfig"] or ()),
            row["provolatile"] == "v",
        )
        for row in database.rows(
            "select n.nspname, p.proname, p.prosrc, p.proconfig, p.provolatile from pg_catalog.pg_proc as p"
            " join pg_catalog.pg_namespace as n on n.oid = p.pronamespace"
            " join hq.worker_migrations as m on m.kind = 'function' and m.name = case n.nspname"
            " when 'hq' then '_' || p.proname when 'public' then p.proname end"
        )
    }
    named = set(re.findall(r"\b((?:hq|public)\.\w+)\(", GUIDE.read_text()))
    found = set()

    def walk(name: str, way: tuple[str, ...], *, bounded: bool) -> None:
        text, sets_timeout, may_write = functions[name]
        if bounded or sets_timeout or name in way:
            return
        if may_write and WAITS.search(text):  # what is stable cannot lock a row; its texts may advise to
            found.add(" > ".join((*way, name)))
        for called in set(re.findall(r"\b((?:hq|public)\.\w+) ?\(", text)) & set(functions):
            walk(called, (*way, name), bounded=False)

    for name in functions:
        if name.startswith("public.") or name in named:
            walk(name, (), bounded=False)
    return sorted(found)


def test_whatever_waits_for_a_lock_says_for_how_long(database: Database) -> None:
    assert _find_unbounded(database) == []

    database.run("alter function hq.accept_request reset lock_timeout")
    assert "public.request_hq_run_v2 > hq.accept_request" in _find_unbounded(database)


def test_every_function_of_the_guide_that_writes_is_left_open_here(database: Database) -> None:
    named = set(re.findall(r"\bselect (?:\* from )?(hq\.\w+)\(", GUIDE.read_text()))
    writing = database.rows(
        "select 'hq.' || p.proname as name from pg_catalog.pg_proc as p"
        " where p.pronamespace = 'hq'::regnamespace and p.provolatile = 'v'"
    )

    assert named & {row["name"] for row in writing} == {name for name in LEFT_OPEN if name.startswith("hq.")}
