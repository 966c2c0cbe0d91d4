"""The switches: everything pauses and resumes in one word, and the screens' own switches exist from the start."""

import json

import pytest
from support.calls import call, claim, configure, race, request, run_of
from support.database import OWNER, Connection, Database

from workers import schema

PANIC = {"enabled": False, "low_risk_auto_execute": False}


def _hold(database: Database) -> str | None:
    hold: str | None = database.one("select hq.read_hold() as hold")["hold"]
    return hold


def _journal(database: Database) -> list[str]:
    lines = database.rows("select * from hq.structured_logs where source = 'scheduler' order by created_at")
    return [line["message"] for line in lines]


def test_while_paused_no_run_is_handed_out_and_none_is_refused(database: Database) -> None:
    database.one("select hq.pause_runs('travaux')")
    asked = request(database.sql)
    run_id = asked["run_id"]

    assert asked["reason"] == "created, paused"
    assert claim(database.sql) == []
    assert run_of(database, run_id)["status"] == "pending"

    database.one("select hq.resume_runs()")
    assert [run["run_id"] for run in claim(database.sql)] == [run_id]


def test_while_paused_a_screens_request_only_waits(database: Database, service: Connection) -> None:
    database.one("select hq.pause_runs()")
    asked = {"requester": OWNER, "run_type": "SEO_AUDIT", "worker_id": "worker-1"}

    (paused,) = call(service, "request_and_claim_hq_run", **asked)
    (again,) = call(service, "request_and_claim_hq_run", **asked | {"worker_id": None})
    database.one("select hq.resume_runs()")
    (resumed,) = call(service, "request_and_claim_hq_run", **asked)

    assert (paused["status"], paused["claim"], paused["reason"]) == ("pending", None, "created, paused")
    assert again["reason"] == "already_running, paused"
    assert (resumed["status"], resumed["run_id"]) == ("running", paused["run_id"])


def test_the_pause_is_a_column_beside_the_reason(database: Database, service: Connection, owner: Connection) -> None:
    asked = {"requester": OWNER, "run_type": "SEO_AUDIT", "worker_id": "worker-1"}

    def ask() -> list[tuple[bool, str]]:
        tickets = [
            *call(owner, "request_hq_run_v2", run_type="SEO_AUDIT"),
            *call(service, "request_and_claim_hq_run_v2", **asked),
        ]
        return [(ticket["is_paused"], ticket["reason"]) for ticket in tickets]

    database.one("select hq.pause_runs()")
    assert ask() == [(True, "created"), (True, "already_running")]

    database.one("select hq.resume_runs()")
    assert ask() == [(False, "already_running"), (False, "already_running")]

    database.one("select hq.pause_runs()")  # the run has begun: it waits for nobody
    assert ask() == [(False, "already_running"), (False, "already_running")]


@pytest.mark.parametrize("caller", ["sql", "service", "owner"])
def test_the_older_function_returns_what_its_successor_does(
    caller: str, database: Database, service: Connection, owner: Connection
) -> None:
    session = {"sql": database.sql, "service": service, "owner": owner}[caller]
    (new,) = call(session, "request_hq_run_v2", run_type="SEO_AUDIT", idempotency_key="k")
    old = request(session, idempotency_key="k")

    assert old == {"run_id": new["run_id"], "status": "pending", "created": False, "reason": "replayed"}
    requests = database.rows("select requester from hq.run_requests where run_id = %s", old["run_id"])
    assert [row["requester"] for row in requests] == [str(OWNER) if caller == "owner" else caller]


def test_what_runs_already_is_not_told_as_paused(database: Database, service: Connection) -> None:
    asked = {"requester": OWNER, "run_type": "SEO_AUDIT", "worker_id": "worker-1"}
    call(service, "request_and_claim_hq_run", **asked)
    database.one("select hq.pause_runs()")

    (running,) = call(service, "request_and_claim_hq_run", **asked)

    assert (running["status"], running["reason"]) == ("running", "already_running")


def test_pausing_and_resuming_again_changes_nothing_and_is_journalled_once(database: Database) -> None:
    for statement in ("hq.pause_runs('first')", "hq.pause_runs('second')", "hq.resume_runs()", "hq.resume_runs()"):
        database.one(f"select {statement}")
        if "second" in statement:
            state = database.one("select value from hq.system_config where key = 'runs_paused'")["value"]
            assert (state["paused"], state["reason"]) == (True, "first")

    assert _journal(database) == ["runs.paused", "runs.resumed"]
    assert _hold(database) is None


def test_of_those_who_pause_at_once_one_is_journalled(database: Database) -> None:
    reported = race(database.connect, [lambda session: session.execute("select hq.pause_runs()").fetchone()] * 4)

    assert len({str(each) for each in reported}) == 2
    assert _journal(database) == ["runs.paused"]


@pytest.mark.parametrize("value", [True, {"paused": True}, {"paused": "true"}])
def test_a_pause_written_in_the_table_editor_holds_too(value: object, database: Database) -> None:
    configure(database, "runs_paused", value)

    assert _hold(database) == "paused"
    assert "déjà" in next(iter(database.one("select hq.pause_runs()").values()))
    database.one("select hq.resume_runs()")
    assert _hold(database) is None


@pytest.mark.parametrize("value", [None, [], {}, {"paused": None}, {"paused": "no"}, "paused", 1])
def test_what_is_no_pause_holds_nothing(value: object, database: Database) -> None:
    configure(database, "runs_paused", value)

    assert _hold(database) is None


@pytest.mark.parametrize(
    ("value", "hold"),
    [
        (PANIC, "panic"),
        (PANIC | {"maxDailyAutonomousRuns": 20}, "panic"),
        ({"enabled": False}, None),
        ({"enabled": False, "low_risk_auto_execute": True}, None),
        ({"enabled": True, "low_risk_auto_execute": False}, None),
        ({"enabled": True, "low_risk_auto_execute": True}, None),
        ("off", None),
        ([PANIC], None),
    ],
)
def test_the_panic_button_is_known_by_both_its_switches(value: object, hold: str | None, database: Database) -> None:
    configure(database, "autopilot", value)

    assert _hold(database) == hold


def test_an_exhausted_budget_holds(database: Database) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 0})

    assert _hold(database) == "budget_exhausted"


def test_the_screens_switch_exists_off_and_calm(database: Database, seed_database: Database) -> None:
    for each in (database, seed_database):
        value = each.one("select value from hq.system_config where key = 'autopilot'")["value"]
        assert value["enabled"] is False
        assert value["maxDailyAutonomousRuns"] == 20
        assert _hold(each) is None


def test_a_switch_that_exists_is_left_as_it_is(bare_database: Database) -> None:
    configure(bare_database, "autopilot", {"enabled": True, "mine": 1})

    bare_database.sql.execute(_migration())

    value = bare_database.one("select value from hq.system_config where key = 'autopilot'")["value"]
    assert value == {"enabled": True, "mine": 1}


def test_the_panic_button_reaches_the_row_that_was_inserted(owner: Connection, database: Database) -> None:
    owner.execute("select public.update_hq_system_config('autopilot', %s)", [json.dumps(PANIC)])

    assert _hold(database) == "panic"


def _migration() -> bytes:
    (text,) = [file.text for file in schema.read_files() if file.name == "0004_insert_switches"]
    return text.encode()
