"""What died, or was changed by hand, is put right: no accepted run is lost, none is counted twice."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from support.calls import (
    USAGE,
    call,
    claim,
    claim_one,
    expire,
    footprint,
    lease,
    logs_of,
    lose_lease,
    queue_of,
    race,
    request,
    request_of,
    rescue,
    run_of,
    settle,
    start,
    step,
    wait_until_blocked,
)
from support.database import Connection, Database, Row, one, rows

NOTHING = {"requeued": 0, "failed": 0, "adopted": 0, "dropped": 0}


# Leases that ran out.


def test_a_living_lease_is_left_alone(database: Database) -> None:
    start(database)

    assert rescue(database.sql) == NOTHING


def test_a_lease_that_ran_out_costs_an_attempt_and_the_run_is_due_at_once(
    database: Database, service: Connection
) -> None:
    claimed = start(database)
    call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(output={"kept": True}))
    expire(database)

    assert rescue(service) == NOTHING | {"requeued": 1}

    run = run_of(database, claimed["run_id"])
    assert (run["status"], run["started_at"]) == ("pending", None)
    again = claim_one(database.sql, "worker-2")
    assert (again["run_id"], again["attempt"]) == (claimed["run_id"], 2)
    assert again["checkpoints"] == {"Collecte": {"kept": True}}


def test_a_rescue_is_logged_with_the_worker_that_fell_silent(database: Database) -> None:
    claimed = start(database)
    lose_lease(database)

    (log,) = logs_of(database, claimed["run_id"], "run.rescued")
    assert log["level"] == "warn"
    assert log["metadata"]["error_code"] == "lease_lost"
    assert "worker-1" in log["metadata"]["error_message"]
    assert (log["metadata"]["attempt"], log["metadata"]["lease_token"]) == (1, claimed["lease_token"])


def test_when_all_attempts_fell_silent_the_run_fails_and_says_so_once_in_french(database: Database) -> None:
    request(database.sql, platform_key="nearvity")
    for _ in range(2):
        lease_of_a_dead_worker = claim_one(database.sql)
        lose_lease(database)
    last = claim_one(database.sql)
    call(database.sql, "checkpoint_hq_step", **lease(last), step=step(), usage=USAGE)
    expire(database)

    assert rescue(database.sql) == NOTHING | {"failed": 1}
    assert rescue(database.sql) == NOTHING

    run = run_of(database, last["run_id"])
    assert (lease_of_a_dead_worker["attempt"], last["attempt"], run["status"]) == (2, 3, "failed")
    assert "interrompue 3 fois" in run["executive_summary"]
    assert "Relancez-la" in run["executive_summary"]
    assert run["completed_at"] is not None
    assert (
        run["detailed_appendix"].items()
        >= {
            "error_code": "lease_lost",
            "attempt": 3,
            "fallback_used": False,
            "cost_estimate": 0.0125,
        }.items()
    )
    assert queue_of(database, last["run_id"]) is None
    (log,) = logs_of(database, last["run_id"], "run.failed")
    assert (log["level"], log["metadata"]["cost_estimate"]) == ("error", 0.0125)


def test_several_dead_workers_are_rescued_in_one_call(database: Database) -> None:
    database.run("insert into hq.runs (run_type) select 'CODE_REVIEW' from generate_series(1, 120)")
    claim(database.sql, limit=120)
    expire(database)

    assert rescue(database.sql) == NOTHING | {"requeued": 120}
    assert len(claim(database.sql, limit=120)) == 120


# Changed by hand.


def test_a_run_put_back_by_hand_has_a_new_life(database: Database) -> None:
    claimed = start(database, context={"focus": "RLS"})
    evidence: list[Row] = [{"evidence_type": "github", "data": {}, "source_url": None}]
    settle(database.sql, claimed, "failed", steps=[step(output={"old": True})], evidence=evidence)
    database.run("update hq.runs set status = 'pending'")

    assert rescue(database.sql) == NOTHING | {"adopted": 1}
    assert rescue(database.sql) == NOTHING

    assert not database.rows("select * from hq.run_steps")
    assert not database.rows("select * from hq.run_evidence")
    again = claim_one(database.sql)
    assert (again["attempt"], again["checkpoints"], again["context"]) == (1, {}, {"focus": "RLS"})
    assert len(logs_of(database, claimed["run_id"], "run.adopted")) == 1


@pytest.mark.parametrize("taken_over", ["before the next claim", "after the next claim"])
def test_the_tokens_of_a_former_life_are_void(taken_over: str, database: Database) -> None:
    former = start(database)
    settle(database.sql, former, "failed")
    database.run("update hq.runs set status = 'pending'")
    rescue(database.sql)
    if taken_over == "after the next claim":
        claim_one(database.sql, "worker-1")
    before = footprint(database, former["run_id"])

    assert settle(database.sql, former) == "lost"
    assert footprint(database, former["run_id"]) == before


def test_a_run_of_older_code_that_is_put_to_pending_is_adopted(database: Database, owner: Connection) -> None:
    """Such a run never had a request of ours."""
    call(owner, "insert_hq_run", run_type="SEO_AUDIT", status="failed")
    database.run("update hq.runs set status = 'pending'")

    assert rescue(database.sql)["adopted"] == 1

    claimed = claim_one(database.sql)
    assert (claimed["trigger"], claimed["requester"], claimed["context"]) == ("retry", "sql", {})
    assert settle(database.sql, claimed) == "completed"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
@pytest.mark.parametrize("stage", ["waiting", "running"])
def test_a_run_ended_by_hand_leaves_the_queue(stage: str, status: str, database: Database) -> None:
    run_id = start(database)["run_id"] if stage == "running" else request(database.sql)["run_id"]
    database.run("update hq.runs set status = %s, executive_summary = 'Clos à la main.'", status)
    before = run_of(database, run_id)

    assert rescue(database.sql) == NOTHING | {"dropped": 1}

    assert queue_of(database, run_id) is None
    assert run_of(database, run_id) == before


def test_a_deleted_run_leaves_the_queue(database: Database) -> None:
    start(database)
    database.run("delete from hq.runs")

    assert not database.rows("select * from hq.run_queue")
    assert rescue(database.sql) == NOTHING


def test_a_run_put_back_by_hand_while_it_runs_is_due_again_and_its_worker_is_out(database: Database) -> None:
    claimed = start(database)
    database.run("update hq.runs set status = 'pending'")

    assert rescue(database.sql) == NOTHING | {"requeued": 1}

    assert settle(database.sql, claimed) == "lost"
    again = claim_one(database.sql, "worker-2")
    assert again["attempt"] == 1


def test_a_run_said_to_run_while_nobody_runs_it_is_due_again(database: Database) -> None:
    run_id = request(database.sql)["run_id"]
    database.run("update hq.runs set status = 'running', started_at = now()")

    assert rescue(database.sql) == NOTHING | {"requeued": 1}

    run = run_of(database, run_id)
    assert (run["status"], run["started_at"]) == ("pending", None)
    assert claim_one(database.sql)["run_id"] == run_id


@pytest.mark.parametrize("status", ["running", "completed", "failed", "cancelled"])
def test_what_older_code_inserts_is_left_alone(status: str, database: Database, owner: Connection) -> None:
    call(owner, "insert_hq_run", run_type="SEO_AUDIT", status=status)
    database.run("insert into hq.runs (run_type, status) values ('OLD_TYPE', %s)", status)
    before = database.rows("select * from hq.runs order by id")

    assert rescue(database.sql) == NOTHING

    assert database.rows("select * from hq.runs order by id") == before
    assert not database.rows("select * from hq.run_queue")


def test_adoption_keeps_who_asked(database: Database, owner: Connection) -> None:
    run_id = request(owner)["run_id"]
    asked = request_of(database, run_id)
    settle(database.sql, claim_one(database.sql))
    database.run("update hq.runs set status = 'pending'")

    rescue(database.sql)

    assert request_of(database, run_id) == asked | {"retry_of": run_id}


# Together.


def test_rescuers_that_come_together_count_an_attempt_once(database: Database) -> None:
    claimed = start(database)
    expire(database)

    rescues = race(database.connect, [rescue] * 10)

    assert sum(done["requeued"] for done in rescues) == 1
    queue = queue_of(database, claimed["run_id"])
    assert queue is not None
    assert queue["attempt"] == 1


def test_while_one_rescues_the_others_return_at_once(database: Database, other: Connection) -> None:
    """Else the second could clear the steps of a run that the first adopted, and that somebody runs again."""
    with database.connect() as first, first.transaction():
        assert rescue(first) == NOTHING
        start(database)
        expire(database)
        assert rescue(other) == NOTHING

    assert rescue(other) == NOTHING | {"requeued": 1}


@pytest.mark.parametrize("table", ["run_queue", "runs"])
def test_a_run_that_somebody_holds_stops_no_rescue_of_the_others(
    table: str, database: Database, other: Connection
) -> None:
    """An operator's open transaction must not freeze the rescue of everybody."""
    held, free = (request(database.sql, run_type)["run_id"] for run_type in ("SEO_AUDIT", "CODE_REVIEW"))
    claim(database.sql)
    expire(database)
    column = "id" if table == "runs" else "run_id"

    with database.sql.transaction():
        database.rows(f"select * from hq.{table} where {column} = %s for no key update", held)
        assert rescue(other) == NOTHING | {"requeued": 1}

    assert run_of(database, held)["status"] == "running"
    assert run_of(database, free)["status"] == "pending"


def test_a_run_ended_by_hand_during_the_rescue_stays_ended(database: Database, other: Connection) -> None:
    run_id = start(database)["run_id"]
    expire(database)

    with database.sql.transaction():
        database.run("update hq.runs set status = 'cancelled'")
        rescue(other)
    rescue(other)

    assert run_of(database, run_id)["status"] == "cancelled"
    assert queue_of(database, run_id) is None


def test_a_worker_that_settles_during_the_rescue_keeps_its_run(database: Database, other: Connection) -> None:
    claimed = start(database)
    expire(database)

    with database.sql.transaction():
        settle(database.sql, claimed)
        assert rescue(other) == NOTHING
    assert rescue(other) == NOTHING

    assert run_of(database, claimed["run_id"])["status"] == "completed"


def test_a_worker_that_settles_after_its_rescue_began_has_lost(
    database: Database, other: Connection, background: ThreadPoolExecutor
) -> None:
    claimed = start(database)
    expire(database)

    with database.sql.transaction():
        rescue(database.sql)
        answer = background.submit(partial(settle, other), claimed)
        wait_until_blocked(database, other)

    assert answer.result() == "lost"
    assert run_of(database, claimed["run_id"])["status"] == "pending"


def test_a_run_of_ours_whose_queue_row_was_deleted_is_taken_back(database: Database) -> None:
    run_id = request(database.sql, "SEO_AUDIT")["run_id"]
    claim(database.sql)
    database.run("delete from hq.run_queue")

    assert database.one("select adopted from public.rescue_hq_runs()")["adopted"] == 1

    (again,) = claim(database.sql)
    assert again["run_id"] == run_id


def test_a_run_ended_by_hand_is_told_in_the_journal(database: Database) -> None:
    run_id = request(database.sql, "SEO_AUDIT")["run_id"]
    claim(database.sql)
    database.run("update hq.runs set status = 'cancelled' where id = %s", run_id)

    database.rows("select * from public.rescue_hq_runs()")

    assert [log["level"] for log in logs_of(database, run_id, "run.dropped")] == ["warn"]


# What older code left running.


def _leave_running(database: Database, minutes: int, **columns: object) -> Row:
    """Insert a run as older code does: running, and nobody of ours knows of it."""
    given = {"run_type": "DAILY_EXECUTIVE_BRIEF", "status": "running"} | columns
    names, places = ", ".join(given), ", ".join(["%s"] * len(given))
    return database.one(
        f"insert into hq.runs ({names}, created_at, started_at) "
        f"values ({places}, now() - make_interval(mins => %s), now() - make_interval(mins => %s)) returning *",
        *given.values(),
        minutes,
        minutes,
    )


def test_a_run_that_older_code_left_running_is_closed_with_a_sentence(database: Database) -> None:
    run_id = _leave_running(database, 47)["id"]

    assert rescue(database.sql) == NOTHING | {"failed": 1}

    run = run_of(database, run_id)
    assert (run["status"], run["detailed_appendix"]["error_code"]) == ("failed", "run_stuck")
    assert "47 minutes" in run["executive_summary"]
    assert "Relancez-la" in run["executive_summary"]
    assert run["completed_at"] is not None
    line, failure = logs_of(database, run_id)
    assert (failure["message"], failure["metadata"]["error_code"]) == ("run.failed", "run_stuck")
    assert (line["level"], line["source"], line["message"]) == ("warn", "autopilot", "autopilot.stuck_run_override")
    assert line["metadata"] == {
        "job_key": "daily_brief",
        "run_type": "DAILY_EXECUTIVE_BRIEF",
        "stuck_run_id": str(run_id),
        "running_minutes": 47,
    }
    assert rescue(database.sql) == NOTHING


def test_a_stuck_run_keeps_nobody_from_running_its_job_again(database: Database) -> None:
    stuck = _leave_running(database, 16)["id"]
    rescue(database.sql)

    again = request(database.sql, "DAILY_EXECUTIVE_BRIEF")

    assert (again["created"], again["run_id"] != stuck) == (True, True)
    assert claim_one(database.sql)["run_id"] == again["run_id"]


def test_older_code_is_given_fifteen_minutes(database: Database) -> None:
    run_id = _leave_running(database, 14)["id"]

    assert rescue(database.sql) == NOTHING
    assert run_of(database, run_id)["status"] == "running"


def test_a_run_of_ours_is_never_taken_for_stuck_however_long_it_runs(database: Database) -> None:
    run_id = start(database)["run_id"]
    database.run("update hq.runs set started_at = now() - interval '2 hours', created_at = now() - interval '3 hours'")

    assert rescue(database.sql) == NOTHING
    assert run_of(database, run_id)["status"] == "running"


def test_a_stuck_run_is_closed_once_by_however_many(database: Database) -> None:
    run_id = _leave_running(database, 20)["id"]

    reported = race(database.connect, [rescue] * 4)

    assert sum(done["failed"] for done in reported) == 1
    assert len(logs_of(database, run_id, "run.failed")) == 1
    assert len(logs_of(database, run_id, "autopilot.%")) == 1


def test_on_the_older_schema_the_journal_keeps_a_stuck_run_under_another_source(seed_database: Database) -> None:
    run_id = _leave_running(seed_database, 20)["id"]

    rescue(seed_database.sql)

    (line,) = logs_of(seed_database, run_id, "autopilot.%")
    assert (line["source"], line["metadata"]["source"]) == ("scheduler", "autopilot")


# Very many at once.


def test_eight_thousand_runs_put_back_at_once_are_adopted_call_by_call_and_no_dead_lease_waits_for_them(
    database: Database, service: Connection
) -> None:
    dead = {request(database.sql, run_type)["run_id"] for run_type in ("SEO_AUDIT", "CODE_REVIEW")}
    claim(database.sql)
    expire(database)
    database.run("insert into hq.runs (run_type, status) select 'SEO_AUDIT', 'completed' from generate_series(1, 8000)")
    database.run("update hq.runs set status = 'pending' where status = 'completed'")
    assert one(service, "show statement_timeout")["statement_timeout"] == "8s"

    first = rescue(service)

    assert first["requeued"] == 2
    assert {row["run_id"] for row in database.rows("select run_id from hq.run_queue where attempt = 1")} == dead
    adopted = [first["adopted"]]
    while adopted[-1]:
        adopted.append(rescue(service)["adopted"])
    assert sum(adopted) == database.one("select count(*) as n from hq.run_queue")["n"] - 2 == 8000
    assert max(adopted) <= 500


def test_of_very_many_dead_leases_the_oldest_are_freed_first_and_all_within_a_few_calls(
    database: Database, service: Connection
) -> None:
    """Rows changed by hand come after them, whatever their number."""
    database.run("insert into hq.runs (run_type, status) select 'SEO_AUDIT', 'pending' from generate_series(1, 1200)")
    changed = database.run("update hq.runs set status = 'cancelled' where id in (select id from hq.runs limit 400)")
    left = claim(database.sql, limit=2000)
    database.run(
        "update hq.run_queue set leased_until = now() - lease_token * interval '1 s' where worker_id is not null"
    )

    rescues = [rescue(service) for _ in range(4)]

    assert rescues[0]["dropped"] == 0
    assert (sum(done["requeued"] for done in rescues), sum(done["dropped"] for done in rescues)) == (len(left), changed)
    assert rescue(service) == NOTHING


def test_a_sweep_does_not_visit_every_run_that_waited_since_the_last_vacuum(database: Database) -> None:
    """A table of a million runs is vacuumed once in a hundred thousand of them."""
    for statement in (
        "insert into hq.runs (run_type, executive_summary) select 'A', repeat('x', 1500) from generate_series(1, 600)",
        "delete from hq.run_queue",
        "update hq.runs set status = 'completed', completed_at = now()",
        "analyze hq.runs, hq.run_queue",
    ):
        database.run(statement)
    for _ in range(3):
        rescue(database.sql)

    (explained,) = rows(database.sql, "explain (analyze, buffers, format json) select * from public.rescue_hq_runs()")

    assert explained["QUERY PLAN"][0]["Plan"]["Shared Hit Blocks"] < 100  # their rows fill 120 pages and more
