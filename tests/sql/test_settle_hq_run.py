"""An attempt ends once: report, steps, evidence, cost and log together, by the owner of the run only."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from support.calls import (
    USAGE,
    call,
    claim_one,
    footprint,
    lease,
    logs_of,
    lose_lease,
    queue_of,
    refused,
    rescue,
    run_of,
    settle,
    start,
    step,
)
from support.database import Connection, Database, Row

from shared.registry import RUN_TYPES

EVIDENCE: list[Row] = [
    {"evidence_type": "github", "data": {"label": "GitHub", "open": 3}, "source_url": "https://github.com/x/y"},
    {"evidence_type": "gap", "data": {"source": "stripe", "reason": "not_configured"}, "source_url": None},
]
FAILURE: Row = {"error_code": "gateway_out_of_credit", "error_message": "402 from the gateway", "http_status": 402}


def _again(database: Database) -> Row:
    database.run("update hq.run_queue set run_at = now()")
    return claim_one(database.sql)


# The three ends.


def test_a_completed_run_has_its_report_and_leaves_the_queue(database: Database, service: Connection) -> None:
    claimed = start(database)
    appendix = {"model_used": "openai/gpt-5.2", "fallback_used": True, "data_sources": ["GitHub API"]}

    assert settle(service, claimed, summary="## Tout va bien", appendix=appendix, usage=USAGE) == "completed"

    run = run_of(database, claimed["run_id"])
    assert (run["status"], run["executive_summary"]) == ("completed", "## Tout va bien")
    assert run["completed_at"] > run["started_at"]
    duration = run["detailed_appendix"].pop("duration_ms")
    assert 0 <= duration < 60_000
    assert run["detailed_appendix"] == appendix | {"cost_estimate": 0.0125, "attempt": 1}
    assert queue_of(database, claimed["run_id"]) is None


@pytest.mark.parametrize(
    ("status", "doubts", "warned"),
    [
        ("completed", {"figures_checked": 9, "figures_unverified": 0, "figures_contradicted": 0}, False),
        ("completed", {"figures_checked": 9, "figures_unverified": 2, "figures_contradicted": 0}, True),
        ("completed", {"figures_checked": 9, "figures_unverified": 0, "figures_contradicted": 1}, True),
        ("completed", {}, False),
        ("completed", {"figures_unverified": None}, False),
        ("failed", {"figures_unverified": 2}, False),
    ],
)
def test_a_report_with_marked_figures_is_a_warning_in_the_log(
    database: Database,
    status: str,
    doubts: Row,
    warned: bool,  # noqa: FBT001
) -> None:
    claimed = start(database)

    settle(database.sql, claimed, status, summary="## Rapport", appendix=FAILURE | doubts)

    lines = [line for line in logs_of(database, claimed["run_id"]) if line["message"] == "report.doubted"]
    assert [line["level"] for line in lines] == ["warn"] * warned
    assert all(line["metadata"].items() >= doubts.items() for line in lines)


def test_a_failure_for_good_is_final_at_the_first_attempt(database: Database) -> None:
    claimed = start(database)

    assert settle(database.sql, claimed, "failed", summary="Crédits IA insuffisants.", appendix=FAILURE) == "failed"

    run = run_of(database, claimed["run_id"])
    assert (run["status"], run["executive_summary"]) == ("failed", "Crédits IA insuffisants.")
    assert run["detailed_appendix"].items() >= (FAILURE | {"attempt": 1, "fallback_used": False}).items()
    assert queue_of(database, claimed["run_id"]) is None


def test_a_retry_waits_in_the_queue_and_says_so(database: Database) -> None:
    claimed = start(database)

    answer = settle(database.sql, claimed, "retry", summary="Nouvelle tentative prévue.", retry_in_seconds=45)

    run, queue = run_of(database, claimed["run_id"]), queue_of(database, claimed["run_id"])
    assert (answer, run["status"], run["executive_summary"]) == ("pending", "pending", "Nouvelle tentative prévue.")
    assert (run["started_at"], run["completed_at"]) == (None, None)
    assert queue is not None
    assert (queue["attempt"], queue["worker_id"], queue["leased_until"]) == (1, None, None)
    delay = database.one("select extract(epoch from run_at - now()) as seconds from hq.run_queue")["seconds"]
    assert 40 < delay <= 45


def test_a_negative_delay_is_none(database: Database) -> None:
    settle(database.sql, start(database), "retry", retry_in_seconds=-60)

    assert database.one("select run_at > now() - interval '30 s' as recent from hq.run_queue")["recent"]


def test_retries_end_in_failure_when_the_attempts_are_used_up(database: Database) -> None:
    claimed = start(database)
    answers, attempts = [settle(database.sql, claimed, "retry")], [claimed["attempt"]]
    while answers[-1] == "pending":
        claimed = _again(database)
        attempts.append(claimed["attempt"])
        answers.append(settle(database.sql, claimed, "retry", appendix=FAILURE))

    assert answers == ["pending", "pending", "failed"]
    assert attempts == [1, 2, 3]
    assert run_of(database, claimed["run_id"])["detailed_appendix"]["attempt"] == 3
    assert [log["message"] for log in logs_of(database, claimed["run_id"])] == [
        *("run.started", "run.retried", "run.started", "run.retried", "run.started", "run.failed")
    ]


UNKNOWN: Row = {"error_code": "unknown_run_type", "error_message": "Unknown run type.", "http_status": 400}


def test_a_run_whose_type_an_older_worker_does_not_know_goes_back_to_the_queue(database: Database) -> None:
    claimed = start(database)

    assert settle(database.sql, claimed, "failed", summary="Type inconnu.", appendix=UNKNOWN) == "pending"
    assert settle(database.sql, claimed, "failed", summary="Type inconnu.", appendix=UNKNOWN) == "pending"

    waiting = database.one("select attempt, worker_id, run_at - now() < interval '16 s' as soon from hq.run_queue")
    assert waiting == {"attempt": 0, "worker_id": None, "soon": True}
    run = run_of(database, claimed["run_id"])
    assert (run["status"], "inconnu" in run["executive_summary"]) == ("pending", False)
    assert [log["message"] for log in logs_of(database, claimed["run_id"])] == ["run.started", "run.released"]
    assert _again(database)["attempt"] == 1


def test_a_run_that_older_workers_keep_taking_waits_longer_each_time_and_fails_after_an_hour(
    database: Database,
) -> None:
    claimed = start(database)
    waits: list[float] = []

    while settle(database.sql, claimed, "failed", summary="Type inconnu.", appendix=UNKNOWN) == "pending":
        assert len(waits) < 20
        waits.append(database.one("select extract(epoch from run_at - now())::float as s from hq.run_queue")["s"])
        claimed = _again(database)

    assert [round(wait / 15) * 15 for wait in waits] == [15, 30, 60, 120, 240] + [300] * 11
    assert sum(waits) > 3600
    assert run_of(database, claimed["run_id"])["status"] == "failed"


def test_a_run_that_a_pause_held_for_hours_still_waits_for_a_newer_worker(database: Database) -> None:
    claimed = start(database)
    database.run("update hq.run_requests set created_at = now() - interval '3 hours'")

    assert settle(database.sql, claimed, "failed", summary="Type inconnu.", appendix=UNKNOWN) == "pending"


def test_a_run_that_is_put_back_by_hand_waits_for_a_newer_worker_again(database: Database) -> None:
    claimed = start(database)
    database.run("update hq.run_requests set hand_backs = 16")
    assert settle(database.sql, claimed, "failed", summary="Type inconnu.", appendix=UNKNOWN) == "failed"

    database.run("update hq.runs set status = 'pending'")
    rescue(database.sql)

    assert settle(database.sql, _again(database), "failed", summary="", appendix=UNKNOWN) == "pending"


def test_a_type_that_is_in_no_release_ends_in_failure(database: Database) -> None:
    claimed = start(database)
    database.run("delete from hq.run_types where key = 'SEO_AUDIT'")

    assert settle(database.sql, claimed, "failed", summary="Type inconnu.", appendix=UNKNOWN) == "failed"


@pytest.mark.parametrize("outcome", ["cancelled", "running", "COMPLETED", "", None])
def test_an_unknown_outcome_is_the_callers_fault_and_changes_nothing(outcome: str | None, database: Database) -> None:
    claimed = start(database)
    before = footprint(database, claimed["run_id"])

    with refused("22023"):
        settle(database.sql, claimed, outcome, usage=USAGE)

    assert footprint(database, claimed["run_id"]) == before
    assert not database.rows("select * from hq.run_costs")


# What is written with it.


def test_steps_and_evidence_are_written_with_the_settlement(database: Database) -> None:
    claimed = start(database)
    call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(1, "Collecte", output={"kept": True}))
    steps = [step(2, "Rédaction de la demande"), step(3, "Enregistrement", completed_at=None)]

    settle(database.sql, claimed, steps=steps, evidence=EVIDENCE)

    written = database.rows("select * from hq.run_steps order by step_order")
    assert [(s["step_order"], s["name"]) for s in written] == [
        (1, "Collecte"),
        (2, "Rédaction de la demande"),
        (3, "Enregistrement"),
    ]
    assert written[0]["output"] == {"kept": True}
    evidence = database.rows("select * from hq.run_evidence order by ctid")
    assert [{name: e[name] for name in EVIDENCE[0]} for e in evidence] == EVIDENCE
    assert {e["run_id"] for e in evidence} == {claimed["run_id"]}


def test_the_cost_is_what_all_attempts_billed(database: Database) -> None:
    claimed = start(database)
    settle(database.sql, claimed, "retry", usage=USAGE)
    again = _again(database)
    call(database.sql, "checkpoint_hq_step", **lease(again), step=step(), usage=USAGE | {"cost_eur": "0.01"})

    settle(database.sql, again, usage=USAGE | {"calls": 2, "cost_eur": "0.03"})

    run = run_of(database, claimed["run_id"])
    assert run["detailed_appendix"]["cost_estimate"] == 0.0425
    billed = database.one("select count(*) as leases, sum(cost_eur) as eur from hq.run_costs")
    assert (billed["leases"], billed["eur"]) == (2, Decimal("0.0425"))


def test_a_run_that_asked_no_model_cost_nothing(database: Database) -> None:
    claimed = start(database)

    settle(database.sql, claimed, "failed")

    assert run_of(database, claimed["run_id"])["detailed_appendix"]["cost_estimate"] == 0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, False),
        ({}, False),
        *(({"fallback_used": v}, v is True) for v in (True, False, None, "oui", "true", 1, ["x"])),
    ],
    ids=str,
)
def test_the_appendix_always_says_in_a_boolean_whether_a_fallback_was_used(
    given: Row | None, database: Database, owner: Connection, *, kept: bool
) -> None:
    """Any other value makes the host's service levels fail, for everybody and for days."""
    claimed = start(database)
    settle(database.sql, claimed, appendix=given)

    assert run_of(database, claimed["run_id"])["detailed_appendix"]["fallback_used"] is kept
    assert call(owner, "get_hq_slo_status")


@pytest.mark.parametrize(
    ("outcome", "level", "message"),
    [("completed", "info", "run.completed"), ("failed", "error", "run.failed"), ("retry", "warn", "run.retried")],
)
def test_the_end_of_an_attempt_is_logged_with_all_that_the_screens_read(
    outcome: str, level: str, message: str, database: Database
) -> None:
    claimed = start(database, platform_key="nearvity", trigger="retry")
    appendix = {"model_used": "openai/gpt-5.2", "breaker_state": "CLOSED"} | (FAILURE if outcome != "completed" else {})

    settle(database.sql, claimed, outcome, appendix=appendix, usage=USAGE)

    (log,) = logs_of(database, claimed["run_id"], message)
    duration = run_of(database, claimed["run_id"])["detailed_appendix"]["duration_ms"]
    assert (log["level"], log["source"]) == (level, "executive-run")
    assert log["metadata"] == {
        "run_id": str(claimed["run_id"]),
        "run_type": "SEO_AUDIT",
        "platform_key": "nearvity",
        "trigger": "retry",
        "duration_ms": duration,
        "cost_estimate": 0.0125,
        "attempt": 1,
        "fallback_used": False,
        "worker_id": "worker-1",
        "lease_token": claimed["lease_token"],
    } | {name: value for name, value in appendix.items() if name != "http_status"}


def test_a_model_that_is_not_known_yet_is_named_as_planned(database: Database) -> None:
    claimed = start(database)

    settle(database.sql, claimed, "failed", appendix={"model_used": None})

    (log,) = logs_of(database, claimed["run_id"], "run.failed")
    assert log["metadata"]["model_used"] == RUN_TYPES["SEO_AUDIT"].tier.model


def test_everything_is_kept_or_nothing(database: Database) -> None:
    claimed = start(database)
    before = footprint(database, claimed["run_id"])

    with refused("23502"):
        settle(database.sql, claimed, steps=[step(1)], evidence=[{"evidence_type": "github"}], usage=USAGE)

    assert footprint(database, claimed["run_id"]) == before
    assert not database.rows("select * from hq.run_costs")
    assert settle(database.sql, claimed) == "completed"


# Said twice, or too late.


@pytest.mark.parametrize(
    ("outcome", "answer"), [("completed", "completed"), ("failed", "failed"), ("retry", "pending")]
)
def test_a_settlement_repeated_after_a_lost_answer_changes_nothing_and_answers_the_same(
    outcome: str, answer: str, database: Database
) -> None:
    claimed = start(database)
    params = {"steps": [step(2)], "evidence": EVIDENCE, "usage": USAGE, "retry_in_seconds": 45}
    first = settle(database.sql, claimed, outcome, **params)
    before = footprint(database, claimed["run_id"]), database.rows("select * from hq.run_costs")

    second = settle(database.sql, claimed, outcome, **params)

    assert (first, second) == (answer, answer)
    assert (footprint(database, claimed["run_id"]), database.rows("select * from hq.run_costs")) == before


def _taken_over(database: Database) -> None:
    lose_lease(database)
    claim_one(database.sql, "worker-2")


def _finished_by_another(database: Database) -> None:
    lose_lease(database)
    settle(database.sql, claim_one(database.sql, "worker-2"), summary="## Le bon rapport")


def _ended_by_hand(database: Database) -> None:
    database.run("update hq.runs set status = 'completed', executive_summary = 'Clos à la main.'")


def _ended_by_hand_and_rescued(database: Database) -> None:
    _ended_by_hand(database)
    rescue(database.sql)


def _cancelled(database: Database) -> None:
    call(database.sql, "cancel_hq_run", run_id=database.one("select id from hq.runs")["id"])


def _put_back_by_hand(database: Database) -> None:
    database.run("update hq.runs set status = 'pending'")


def _handed_back(database: Database) -> None:
    queue = database.one("select run_id, lease_token from hq.run_queue")
    call(database.sql, "release_hq_runs", leases=[lease(queue)])


def _handed_back_and_said_to_run(database: Database) -> None:
    _handed_back(database)
    database.run("update hq.runs set status = 'running'")


def _failed_for_silence(database: Database) -> None:
    database.run("update hq.run_queue set max_attempts = 1")
    lose_lease(database)


LOSSES = [
    *(lose_lease, _taken_over, _finished_by_another, _ended_by_hand, _ended_by_hand_and_rescued),
    *(_cancelled, _put_back_by_hand, _handed_back, _handed_back_and_said_to_run, _failed_for_silence),
]


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("outcome", ["completed", "retry"])
def test_a_worker_that_lost_its_lease_is_told_so_and_writes_nothing_but_its_bill(
    outcome: str, lose: Callable[[Database], object], database: Database
) -> None:
    claimed = start(database)
    lose(database)
    before = footprint(database, claimed["run_id"])

    answer = settle(database.sql, claimed, outcome, steps=[step()], evidence=EVIDENCE, usage=USAGE)

    assert answer == "lost"
    assert footprint(database, claimed["run_id"]) == before
    assert database.one("select lease_token from hq.run_costs")["lease_token"] == claimed["lease_token"]


def test_a_lease_that_ran_out_unnoticed_still_settles(database: Database) -> None:
    claimed = start(database)
    database.run("update hq.run_queue set leased_until = now() - interval '1 hour'")

    assert settle(database.sql, claimed) == "completed"


def test_the_end_of_a_deleted_run_is_lost(database: Database) -> None:
    claimed = start(database)
    database.run("delete from hq.runs")

    assert settle(database.sql, claimed, usage=USAGE) == "lost"


def test_a_run_that_came_back_by_hand_forgets_its_former_settlement(database: Database) -> None:
    claimed = start(database)
    settle(database.sql, claimed)
    database.run("update hq.runs set status = 'pending'")
    rescue(database.sql)

    assert settle(database.sql, claimed) == "lost"
    assert run_of(database, claimed["run_id"])["status"] == "pending"


def test_the_screens_see_the_report(database: Database, owner: Connection) -> None:
    claimed = start(database)
    settle(database.sql, claimed, summary="## Rapport")

    (run,) = call(owner, "get_hq_recent_runs")
    started, completed = sorted(call(owner, "get_hq_logs"), key=lambda log: log["message"], reverse=True)

    assert (run["id"], run["status"], run["executive_summary"]) == (claimed["run_id"], "completed", "## Rapport")
    assert [started["message"], completed["message"]] == ["run.started", "run.completed"]
