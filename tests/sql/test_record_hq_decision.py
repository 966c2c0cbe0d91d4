"""A decision and what it launches are one: recorded once, logged when something changed."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from support.autopilot import LISTED, age_decisions, begin, configure, decide, journal_of, record
from support.calls import USAGE, race, request, wait_until_blocked
from support.calls import configure as set_config
from support.database import Connection, Database


def test_what_is_allowed_is_launched_through_the_door_and_journalled_once(
    database: Database, service: Connection
) -> None:
    configure(database)

    recorded = decide(service, ["CODE_REVIEW", "PLATFORM_STATUS_REVIEW"], next_check_in_minutes=30)

    runs = database.rows(
        "select r.id, r.run_type, r.status::text, r.owner_requested, q.trigger, q.requester, q.idempotency_key "
        "from hq.runs as r join hq.run_requests as q on q.run_id = r.id order by r.run_type"
    )
    assert [(run["run_type"], run["status"], run["owner_requested"]) for run in runs] == [
        ("CODE_REVIEW", "pending", False),
        ("PLATFORM_STATUS_REVIEW", "pending", False),
    ]
    assert {(run["trigger"], run["requester"]) for run in runs} == {("autopilot", "autopilot")}
    assert len({run["idempotency_key"] for run in runs}) == 2
    assert recorded["run_ids"] == [run["id"] for run in runs]
    (line,) = journal_of(database)
    reported = line["metadata"]
    assert (line["source"], line["level"]) == ("autopilot", "info")
    assert (reported["jobs_to_run"], reported["reasoning"]) == (recorded["jobs_to_run"], "Parce que.")
    assert (reported["next_check_in_minutes"], reported["decided_by"], reported["cost_estimate"]) == (
        30,
        "model",
        0.0125,
    )
    assert not [key for key, value in reported.items() if isinstance(value, dict)]
    paris = database.one(
        "select extract(hour from now() at time zone 'Europe/Paris') as hour, "
        "extract(dow from now() at time zone 'Europe/Paris') as day"
    )
    assert (reported["paris_hour"], reported["paris_day"]) == (paris["hour"], paris["day"])


def test_recording_twice_changes_nothing_and_answers_the_same(database: Database, service: Connection) -> None:
    configure(database)
    opening = begin(service)

    first = record(service, opening, ["CODE_REVIEW"])
    second = record(service, opening, ["CODE_REVIEW", "SECURITY_AUDIT_RLS"])

    assert first == second
    assert first["recorded"] is True
    assert len(journal_of(database)) == 1
    assert database.one("select count(*) from hq.run_costs")["count"] == 1


def test_a_decider_that_was_given_up_launches_nothing_and_is_billed(database: Database, service: Connection) -> None:
    configure(database)
    late = begin(service)
    age_decisions(database, 2)
    successor = begin(service)

    recorded = record(service, late, ["CODE_REVIEW"])

    assert (recorded["recorded"], recorded["jobs_to_run"]) == (False, [])
    assert not database.rows("select from hq.runs")
    assert not journal_of(database)
    assert database.one("select sum(cost_eur) as cost from hq.run_costs")["cost"] == Decimal(USAGE["cost_eur"])
    assert record(service, successor, ["CODE_REVIEW"])["jobs_to_run"] == ["CODE_REVIEW"]


def test_sessions_that_race_to_record_launch_once(database: Database, service: Connection) -> None:
    configure(database)
    opening = begin(service)

    answers = race(
        lambda: database.as_caller("service_role"),
        [lambda session: record(session, opening, ["CODE_REVIEW"], usage={})] * 8,
    )

    assert len({str(answer) for answer in answers}) == 1
    assert database.one("select count(*) from hq.runs")["count"] == 1
    assert len(journal_of(database)) == 1


def test_what_the_rules_refuse_is_not_launched_and_stands_in_the_journal(
    database: Database, service: Connection
) -> None:
    configure(database)

    recorded = decide(
        service, ["DEPLOY_TO_PRODUCTION", "NO_SUCH_TYPE", "SEO_AUDIT", "x" * 500], refused=["modèle: réponse refusée"]
    )

    assert recorded["jobs_to_run"] == []
    assert not database.rows("select from hq.runs")
    (line,) = journal_of(database)
    assert line["metadata"]["skipped"] == [
        "modèle: réponse refusée",
        "DEPLOY_TO_PRODUCTION : réservé à une demande de la présidence",
        "NO_SUCH_TYPE : type inconnu",
        "SEO_AUDIT : absent de la liste autorisée",
        f"{'x' * 80} : type inconnu",
    ]


def test_ten_thousand_jobs_launch_no_more_than_is_allowed(database: Database, service: Connection) -> None:
    configure(database)

    recorded = decide(service, LISTED * 3_000 + [f"TYPE_{number}" for number in range(1_000)])

    assert sorted(recorded["jobs_to_run"]) == LISTED
    assert database.one("select count(*) from hq.runs")["count"] == 3
    assert len(recorded["skipped"]) < 60


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ({"enabled": False, "allowedRunTypes": LISTED}, "autopilote éteint"),
        ({"enabled": False, "low_risk_auto_execute": False}, "bouton d'urgence actionné"),
        ({"enabled": True, "allowedRunTypes": LISTED, "maxDailyAutonomousRuns": 0}, "maximum du jour atteint (0)"),
        ({"enabled": True, "allowedRunTypes": []}, "la liste des types autorisés est vide"),
    ],
)
def test_the_panel_reads_the_cause_that_refuses_every_type(
    value: dict[str, object], cause: str, database: Database, service: Connection
) -> None:
    configure(database, value)

    recorded = decide(service)

    assert recorded["reasoning"] == f"Parce que. Cause : {cause}."
    assert journal_of(database)[0]["metadata"]["reasoning"] == recorded["reasoning"]


def test_the_panel_reads_no_cause_where_something_was_launched_or_causes_differ(
    database: Database, service: Connection
) -> None:
    configure(database)

    assert decide(service, LISTED)["reasoning"] == "Parce que."
    database.run("update hq.runs set status = 'completed', completed_at = now() where run_type = 'CODE_REVIEW'")
    assert decide(service)["reasoning"] == "Parce que."


def test_the_panic_button_stops_a_decision_that_is_under_way(database: Database, service: Connection) -> None:
    configure(database)
    opening = begin(service)
    configure(database, {"enabled": False, "low_risk_auto_execute": False})

    recorded = record(service, opening, ["PLATFORM_STATUS_REVIEW"])

    assert recorded["jobs_to_run"] == []
    assert "PLATFORM_STATUS_REVIEW : bouton d'urgence actionné" in recorded["skipped"]
    assert not database.rows("select from hq.runs")


def test_a_job_that_began_meanwhile_is_skipped_as_the_panel_knows_it(database: Database, service: Connection) -> None:
    configure(database)
    opening = begin(service)
    request(database.sql, "PLATFORM_STATUS_REVIEW")
    database.run("update hq.runs set created_at = now() - interval '7 minutes'")

    recorded = record(service, opening, ["PLATFORM_STATUS_REVIEW"])

    assert recorded["jobs_to_run"] == []
    (line,) = journal_of(database, "autopilot.skip_duplicate")
    assert (line["level"], line["source"]) == ("warn", "autopilot")
    reported = {key: line["metadata"][key] for key in ("job_key", "run_type", "reason", "running_minutes")}
    assert reported == {
        "job_key": "daily_platform_review",
        "run_type": "PLATFORM_STATUS_REVIEW",
        "reason": "already_running",
        "running_minutes": 7,
    }


def test_a_run_that_somebody_else_asks_for_at_the_last_moment_is_theirs(
    database: Database, service: Connection, other: Connection
) -> None:
    configure(database)
    opening = begin(service)

    with ThreadPoolExecutor(1) as pool:
        with other.transaction():
            request(other, "PLATFORM_STATUS_REVIEW")
            recording = pool.submit(record, service, opening, ["PLATFORM_STATUS_REVIEW", "CODE_REVIEW"])
            wait_until_blocked(database, service)
        recorded = recording.result()

    assert recorded["jobs_to_run"] == ["CODE_REVIEW"]
    assert len(recorded["run_ids"]) == 1
    assert recorded["skipped"].count("PLATFORM_STATUS_REVIEW : déjà en cours") == 1
    (line,) = journal_of(database, "autopilot.skip_duplicate")
    assert (line["metadata"]["reason"], line["metadata"]["running_minutes"]) == ("already_running", 0)


def test_a_quiet_decision_is_journalled_at_most_once_an_hour(database: Database, service: Connection) -> None:
    configure(database)
    for minutes, journalled in ((0, 1), (5, 1), (30, 1), (26, 2)):
        age_decisions(database, minutes)
        decide(service, decided_by="rules", usage={})
        assert len(journal_of(database)) == journalled

    decide(service, ["CODE_REVIEW"])
    assert len(journal_of(database)) == 3
    assert database.one("select count(*) from hq.autopilot_decisions")["count"] == 5


def test_why_each_listed_type_was_not_added_is_told(database: Database, service: Connection) -> None:
    configure(database, enabled=False)

    recorded = decide(service, decided_by="rules", usage={})

    assert recorded["skipped"] == [f"{key} : autopilote éteint" for key in LISTED]


def test_a_warned_budget_is_told_in_the_journal(database: Database, service: Connection) -> None:
    set_config(database, "ai_budget", {"monthly_target_eur": 0.01})

    decide(service)

    (line,) = journal_of(database)
    assert (line["level"], line["metadata"]["budget_pct_used"] > 80) == ("warn", True)


def test_reaching_the_threshold_is_said_and_journalled_once_a_day(database: Database, service: Connection) -> None:
    set_config(database, "ai_budget", {"monthly_target_eur": 1})
    decide(service)
    assert not journal_of(database, "budget.threshold_reached")
    set_config(database, "ai_budget", {"monthly_target_eur": 0.01})

    for _ in range(2):
        decide(service)

    (line,) = journal_of(database, "budget.threshold_reached")
    assert (line["level"], line["source"]) == ("warn", "budget-monitor")
    said = database.rows("select payload from hq.announcements where key like 'budget_reached:%%'")
    assert len(said) == 1


def test_on_the_older_schema_the_journal_falls_back_to_a_source_it_knows(seed_database: Database) -> None:
    configure(seed_database)

    decide(seed_database.sql, ["CODE_REVIEW"])

    (line,) = journal_of(seed_database)
    assert (line["source"], line["metadata"]["source"]) == ("scheduler", "autopilot")


def test_old_decisions_are_forgotten(database: Database, service: Connection) -> None:
    decide(service)
    age_decisions(database, 91 * 24 * 60)

    decide(service)

    assert database.one("select count(*) from hq.autopilot_decisions")["count"] == 1


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_the_run_of_a_decision_may_fail_without_the_decision(database: Database, outcome: str) -> None:
    configure(database)
    decide(database.sql, ["CODE_REVIEW"])

    database.run("update hq.runs set status = %s::hq.run_status, completed_at = now()", outcome)

    refused = database.rows("select code from hq.refuse_addition('SECURITY_AUDIT_RLS')")
    assert [row["code"] for row in refused] == (["paused_on_error"] if outcome == "failed" else [])
