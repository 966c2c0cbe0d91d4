"""What `emocare top` reads: queue, runs, workers, cost and health, at one moment and in one answer."""

from typing import Any

import psycopg
import pytest
from support.calls import USAGE, claim, request, settle, start, value
from support.database import Connection, Database
from support.index_reads import count_entries_read

from workers.ports import Overview

HOSTILE = "[/x] \x1b[2J\u202e"


def read(session: Connection, **params: object) -> Any:
    return value(session, "read_hq_overview", **params)


def beat(database: Database, count: int, *, seen: str = "0 s", prefix: str = "worker") -> None:
    database.run(
        "insert into hq.worker_heartbeats (worker_id, version, concurrency, running, realtime, started_at, seen_at)"
        " select %s || '-' || n, '0.2.0', 10, 0, 'live', now(), now() - %s::interval"
        " from generate_series(1, %s) as n",
        prefix,
        seen,
        count,
    )


def test_an_empty_hq_is_an_overview_too(service: Connection) -> None:
    overview = Overview.model_validate(read(service))

    assert (overview.queue.waiting, overview.queue.running, overview.queue.is_paused) == (0, 0, False)
    assert (overview.runs, overview.workers, overview.workers_alive, overview.workers_known) == ((), (), 0, 0)
    assert overview.month.month_cost_eur == 0
    assert overview.health


def test_it_says_what_the_operators_views_say(database: Database, service: Connection) -> None:
    beat(database, 1)
    running = start(database, "SEO_AUDIT")
    waiting = request(database.sql, "CODE_REVIEW")

    overview = Overview.model_validate(read(service))

    view = database.rows("select execution::text, type, etat, essai, pourquoi, ouvrier from hq.queue")
    assert [(run.run_id, run.run_type, run.state, run.attempt, run.reason, run.worker_id) for run in overview.runs] == [
        tuple(row.values()) for row in view
    ]
    assert [run.run_id for run in overview.runs] == [str(running["run_id"]), str(waiting["run_id"])]
    assert [(line.name, line.state, line.sentence) for line in overview.health or ()] == [
        tuple(row.values()) for row in database.rows("select controle, etat, phrase from hq.health")
    ]
    (worker,) = overview.workers
    assert (worker.worker_id, worker.is_alive, worker.hears_realtime, worker.running) == ("worker-1", True, True, 1)


def test_the_health_is_read_only_where_it_is_asked_for(service: Connection) -> None:
    assert read(service, health=False)["health"] is None


def test_the_cost_of_the_month_stands_beside_the_budget(database: Database, service: Connection) -> None:
    settle(database.sql, start(database, "SEO_AUDIT"), usage=USAGE)

    month = read(service, health=False)["month"]

    assert (month["month_cost_eur"], month["target_eur"], month["is_exhausted"]) == (0.0125, 200, False)


def test_lists_are_cut_off_and_counts_are_not(database: Database, service: Connection) -> None:
    beat(database, 950, seen="2 hours", prefix="gone")
    beat(database, 50)
    for _ in range(60):
        request(database.sql, "SEO_AUDIT", force=True)
    claim(database.sql, limit=30)

    overview = Overview.model_validate(read(service, health=False))

    assert [run.state for run in overview.runs] == ["en cours"] * 20 + ["en attente"] * 20
    assert (overview.queue.running, overview.queue.waiting) == (30, 30)
    assert len(overview.workers) == 50
    assert all(worker.is_alive for worker in overview.workers)
    assert (overview.workers_alive, overview.workers_known) == (50, 1000)


def test_a_silent_worker_hears_nothing_and_deaf_workers_are_counted_beyond_the_list(
    database: Database, service: Connection
) -> None:
    beat(database, 1, seen="2 minutes", prefix="silent")
    beat(database, 60)
    database.run(
        "update hq.worker_heartbeats set realtime = 'degraded (polling)', seen_at = now() - interval '10 s'"
        " where worker_id in ('worker-1', 'worker-2')"
    )

    overview = Overview.model_validate(read(service, health=False))

    assert (overview.workers_alive, overview.workers_deaf, overview.workers_known) == (60, 2, 61)
    assert sum(not worker.hears_realtime for worker in overview.workers) == 0
    database.run("delete from hq.worker_heartbeats where worker_id like 'worker-%%'")
    (silent,) = Overview.model_validate(read(service, health=False)).workers
    assert (silent.is_alive, silent.hears_realtime) == (False, False)


def test_a_moment_that_no_reader_can_hold_costs_itself_only(database: Database, service: Connection) -> None:
    run = request(database.sql, "SEO_AUDIT")
    beat(database, 1)
    database.run("update hq.runs set created_at = 'infinity' where id = %s", run["run_id"])
    database.run("update hq.worker_heartbeats set seen_at = '-infinity'")

    overview = Overview.model_validate(read(service, health=False))

    assert [run.age_seconds for run in overview.runs] == [None]
    assert [(worker.seen_seconds, worker.is_alive) for worker in overview.workers] == [(None, False)]


def test_what_others_wrote_is_handed_on_as_it_is(database: Database, service: Connection) -> None:
    database.run("insert into hq.runs (run_type, status) values (%s, 'pending')", HOSTILE)

    assert [run["run_type"] for run in read(service, health=False)["runs"]] == [HOSTILE]


def test_a_queue_that_was_seen_long_does_not_lead_to_all_that_ever_ran(database: Database) -> None:
    for statement in (
        (
            "insert into hq.runs (run_type, status, created_at, completed_at)"
            " select 'SEO_AUDIT', 'completed', now() - n * interval '1 h', now() from generate_series(1, 20000) as n"
        ),
        "insert into hq.runs (run_type) select 'SEO_AUDIT' from generate_series(1, 2000)",
        "update hq.run_queue set worker_id = 'worker-1', leased_until = now(), lease_token = 1",
        "analyze hq.runs, hq.run_queue",
        "delete from hq.run_queue",
        "update hq.runs set status = 'completed', completed_at = now() where status = 'pending'",
    ):
        database.run(statement)
    before = count_entries_read(database)

    with database.connect() as session:
        read(session, health=False)
        session.execute("select pg_stat_force_next_flush()")

    assert count_entries_read(database)["runs_created"] - before["runs_created"] < 100


def test_only_the_service_may_read_it(owner: Connection, viewer: Connection) -> None:
    for session in (owner, viewer):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            read(session)
