"""Who may decide, what context they are given, and when the model may be asked."""

from datetime import datetime

import pytest
from support.autopilot import LISTED, age_decisions, begin, configure, decide, fail_run, record
from support.calls import configure as set_config
from support.calls import race, request
from support.database import Connection, Database, Row


def test_of_many_callers_at_once_one_decides(database: Database) -> None:
    configure(database)

    openings = race(lambda: database.as_caller("service_role"), [begin] * 12)

    assert sorted(opening["standing"] for opening in openings) == ["decide"] + ["in_progress"] * 11
    assert len({opening["decision_id"] for opening in openings}) == 1


def test_a_decision_younger_than_a_minute_is_returned_and_then_another_is_made(
    database: Database, service: Connection
) -> None:
    configure(database)
    first = begin(service)
    record(service, first, ["CODE_REVIEW"], reasoning="Un échec à reprendre.")

    again = begin(service)

    assert (again["standing"], again["decision_id"]) == ("recent", first["decision_id"])
    assert (again["jobs_to_run"], again["reasoning"]) == (["CODE_REVIEW"], "Un échec à reprendre.")
    age_decisions(database, 1.01)
    assert begin(service)["standing"] == "decide"


def test_a_decider_that_dies_is_followed_by_another(database: Database, service: Connection) -> None:
    dead = begin(service, lease_seconds=60)
    age_decisions(database, 0.9)
    assert begin(service)["standing"] == "in_progress"

    age_decisions(database, 0.2)
    successor = begin(service)

    assert successor["standing"] == "decide"
    assert successor["decision_id"] > dead["decision_id"]


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_clock_that_is_put_back_holds_up_no_decision(
    database: Database, service: Connection, *, is_recorded: bool
) -> None:
    configure(database)
    first = begin(service)
    if is_recorded:
        record(service, first, ["CODE_REVIEW"])
    age_decisions(database, -120)

    assert begin(service)["standing"] == "decide"


def test_where_the_switch_is_off_a_worker_is_told_so_and_leaves_no_trace(
    database: Database, service: Connection
) -> None:
    configure(database, enabled=False)

    assert begin(service, asked_by="worker", only_if_enabled=True)["standing"] == "off"
    assert not database.rows("select from hq.autopilot_decisions")
    configure(database)
    assert begin(service, asked_by="worker", only_if_enabled=True)["standing"] == "decide"


def test_only_what_the_rules_allow_is_a_candidate(database: Database, service: Connection) -> None:
    configure(database, allowedRunTypes=[*LISTED, "DEPLOY_TO_PRODUCTION", "NO_SUCH_TYPE"])
    request(database.sql, "CODE_REVIEW")

    candidates = begin(service)["candidates"]

    assert candidates == [
        {"run_type": "PLATFORM_STATUS_REVIEW", "label": "Revue de Statut Plateforme"},
        {"run_type": "SECURITY_AUDIT_RLS", "label": "Audit Sécurité RLS"},
    ]


def test_what_the_plan_launched_in_this_hour_is_told(database: Database, service: Connection) -> None:
    hour, brief, review = plan_slot(database, "daily_brief"), "daily_brief", "daily_platform_review"
    fire(database, brief, hour, "now()")
    fire(database, review, hour, "date_trunc('hour', now()) - interval '1 second'")

    assert begin(service)["done"] == [{"job": brief, "status": "pending", "summary": None}]


@pytest.mark.parametrize(
    ("outcome", "reason", "kinds"),
    [
        ("missed", "too_late", ["overdue"]),
        ("skipped", "paused", ["overdue"]),
        ("skipped", "disabled", []),
        ("fired", None, []),
    ],
)
def test_a_planned_report_that_did_not_come_is_overdue_until_somebody_has_it_made(
    database: Database, service: Connection, outcome: str, reason: str | None, kinds: list[str]
) -> None:
    plan_slot(database, "weekly_security_audit", outcome, reason)

    signals = begin(service)["signals"]
    age_decisions(database, 2)
    database.run(
        "insert into hq.runs (run_type, status, completed_at) values ('SECURITY_AUDIT_RLS', 'completed', now())"
    )

    assert [(signal["kind"], signal["subject"]) for signal in signals] == [
        (kind, "SECURITY_AUDIT_RLS") for kind in kinds
    ]
    assert begin(service)["signals"] == []


def test_a_slot_that_was_made_up_for_by_the_next_is_overdue_no_more(database: Database, service: Connection) -> None:
    plan_slot(database, "daily_brief", "missed", "too_late", ago="1 day")
    plan_slot(database, "daily_brief", "fired", ago="1 hour")

    assert begin(service)["signals"] == []


def test_the_model_is_asked_only_when_there_is_something_new(database: Database, service: Connection) -> None:
    configure(database)
    assert asked_after(database, service, 0) is False
    fail_run(database)
    assert asked_after(database, service, 61) is True
    assert asked_after(database, service, 61) is False
    database.run("update hq.platforms set status = 'red' where key = 'nearvity'")
    assert asked_after(database, service, 61) is True
    assert asked_after(database, service, 61) is False


def test_the_model_is_asked_at_most_once_an_hour_and_then_of_what_came_meanwhile(
    database: Database, service: Connection
) -> None:
    configure(database)
    fail_run(database)
    assert asked_after(database, service, 0) is True
    database.run("update hq.platforms set status = 'red' where key = 'nearvity'")

    assert asked_after(database, service, 30) is False
    assert asked_after(database, service, 31) is True


def test_what_ended_and_comes_again_is_new(database: Database, service: Connection) -> None:
    configure(database)
    for status, asked in (("red", True), ("green", False), ("red", True)):
        database.run("update hq.platforms set status = %s where key = 'nearvity'", status)
        assert asked_after(database, service, 61) is asked


def test_what_a_dead_decider_may_not_have_told_is_told_again(database: Database, service: Connection) -> None:
    configure(database)
    fail_run(database)
    assert begin(service)["may_ask"] is True

    age_decisions(database, 61)

    assert begin(service)["may_ask"] is True


def test_without_a_candidate_the_model_is_not_asked(database: Database, service: Connection) -> None:
    configure(database, enabled=False)
    fail_run(database)

    assert begin(service)["may_ask"] is False


def test_a_failure_that_was_made_good_is_no_signal(database: Database, service: Connection) -> None:
    fail_run(database)
    assert [signal["kind"] for signal in begin(service)["signals"]] == ["failure"]
    age_decisions(database, 2)
    database.run("insert into hq.runs (run_type, status, completed_at) values ('CODE_REVIEW', 'completed', now())")

    assert begin(service)["signals"] == []


def test_foreign_texts_are_bounded(database: Database, service: Connection) -> None:
    fail_run(database)
    database.run("update hq.runs set executive_summary = repeat('x', 100000)")
    database.run(
        "update hq.platforms set status = 'red', status_reason = repeat('y', 100000), name = repeat('z', 9999)"
    )

    signals = begin(service)["signals"]

    assert max(len(signal["subject"] + signal["detail"]) for signal in signals) < 500


def test_the_budget_is_told(database: Database, service: Connection) -> None:
    set_config(database, "ai_budget", {"monthly_target_eur": 1})
    decide(service, usage={"model": "m", "calls": 1, "tokens_in": 1, "tokens_out": 1, "tokens_cached": 0,
                           "tokens_reasoning": 0, "cost_eur": "0.9", "estimated": False})  # fmt: skip
    age_decisions(database, 2)

    opening = begin(service)

    assert (opening["pct_used"], opening["is_budget_warned"]) == (90, True)


def asked_after(database: Database, service: Connection, minutes: float) -> bool:
    """Tell whether the model may be asked when so much time has passed; the decision is ended."""
    age_decisions(database, minutes)
    opening: Row = begin(service, fresh_seconds=0)
    assert opening["standing"] == "decide"
    record(service, opening)
    answer: bool = opening["may_ask"]
    return answer


def plan_slot(
    database: Database, job: str, outcome: str | None = None, reason: str | None = None, *, ago: str = "1 minute"
) -> datetime:
    """Have a slot of the plan come, and be decided so."""
    slot: datetime = database.one(
        "insert into hq.plan_slots (job_key, slot_at, outcome, reason, decided_at) "
        "values (%s, now() - %s::interval, %s, %s, now()) returning slot_at",
        job,
        ago,
        outcome,
        reason,
    )["slot_at"]
    return slot


def fire(database: Database, job: str, slot: datetime, decided_at: str) -> None:
    """Have the plan launch a job at a slot, decided then."""
    database.run("insert into hq.plan_slots (job_key, slot_at) values (%s, %s) on conflict do nothing", job, slot)
    database.one("select hq.fire_slot(%s, %s, null, now())", job, slot)
    database.run(f"update hq.plan_slots set decided_at = {decided_at} where job_key = %s", job)
