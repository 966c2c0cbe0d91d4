"""What the autopilot may add, and the settings as both screens write them."""

import pytest
from support.autopilot import LISTED, configure, decide, fail_run
from support.calls import configure as set_config
from support.calls import request
from support.database import Connection, Database, Row

from shared.registry import RUN_TYPES

DEFAULTS = sorted(run_type.key for run_type in RUN_TYPES.values() if run_type.autopilot_default)


def config_of(database: Database, value: object) -> Row:
    set_config(database, "autopilot", value)
    return database.one("select * from hq.read_autopilot_config()")


def refusal(database: Database, run_type: str) -> str | None:
    found = database.rows("select code from hq.refuse_addition(%s)", run_type)
    return found[0]["code"] if found else None


def test_the_switch_and_the_list_of_the_cockpit_are_understood(database: Database) -> None:
    written = {
        "enabled": True,
        "allowedRunTypes": ["CODE_REVIEW"],
        "maxDailyAutonomousRuns": 3,
        "requireApprovalForHighRisk": True,
        "notifyOnAutoExecution": True,
        "pauseOnError": False,
    }

    config = config_of(database, written)

    reported = (config["enabled"], config["allowed_run_types"], config["max_daily_runs"], config["pause_on_error"])
    assert reported == (True, ["CODE_REVIEW"], 3, False)


def test_the_security_page_replaces_the_whole_and_the_rest_takes_the_screens_defaults(database: Database) -> None:
    for low_risk in (True, False):
        config = config_of(database, {"enabled": True, "low_risk_auto_execute": low_risk})

        assert (config["enabled"], config["allowed_run_types"]) == (low_risk, DEFAULTS)
        assert (config["max_daily_runs"], config["pause_on_error"]) == (20, True)
    assert len(DEFAULTS) == 5


def test_a_switch_of_the_security_page_that_is_off_is_named(database: Database) -> None:
    """The cockpit writes its own switch beside it, and shows it as on."""
    configure(database, low_risk_auto_execute=False)

    refused = database.one("select * from hq.refuse_addition('CODE_REVIEW')")

    assert (refused["code"], "page Sécurité" in refused["reason"]) == ("off", True)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        "enabled",
        5,
        {},
        {"enabled": "true"},
        {"enabled": 1, "allowedRunTypes": "CODE_REVIEW"},
        {"enabled": None, "allowedRunTypes": None, "maxDailyAutonomousRuns": None, "pauseOnError": None},
        {"allowedRunTypes": [1, None, {"a": 1}], "maxDailyAutonomousRuns": -5},
        {"maxDailyAutonomousRuns": 1e300, "low_risk_auto_execute": "yes"},
    ],
)
def test_settings_of_any_other_shape_switch_nothing_on(database: Database, odd: object) -> None:
    config = config_of(database, odd)

    assert config["enabled"] is False
    assert 0 <= config["max_daily_runs"] <= 1000
    assert not set(config["allowed_run_types"]) & {"CODE_REVIEW"}


def test_without_the_row_nothing_is_on(database: Database) -> None:
    database.run("delete from hq.system_config where key = 'autopilot'")

    assert database.one("select enabled from hq.read_autopilot_config()")["enabled"] is False
    assert refusal(database, "PLATFORM_STATUS_REVIEW") == "off"


def test_only_listed_types_that_may_start_by_themselves_may_be_added(database: Database) -> None:
    configure(database, allowedRunTypes=[*RUN_TYPES, "NO_SUCH_TYPE"])

    allowed = {key for key in RUN_TYPES if refusal(database, key) is None}
    assert allowed == {run_type.key for run_type in RUN_TYPES.values() if run_type.auto_executable}
    by_hand = {"PLATFORM_DIRECTORS_MEETING", "WEEKLY_EXEC_REVIEW"}  # of low risk, and asked for by a person only
    assert allowed | by_hand == {run_type.key for run_type in RUN_TYPES.values() if run_type.risk in {"low", "medium"}}
    assert refusal(database, "DEPLOY_TO_PRODUCTION") == "sensitive"
    assert refusal(database, "NO_SUCH_TYPE") == "unknown"
    configure(database)
    assert refusal(database, "SEO_AUDIT") == "not_listed"


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("runs_paused", {"paused": True}, "paused"),
        ("autopilot", {"enabled": False, "allowedRunTypes": LISTED}, "off"),
        ("autopilot", {"enabled": False, "low_risk_auto_execute": False, "allowedRunTypes": LISTED}, "panic"),
        ("autopilot", {"enabled": True, "allowedRunTypes": []}, "not_listed"),
        ("ai_budget", {"monthly_target_eur": 0}, "budget_exhausted"),
    ],
)
def test_a_switch_that_is_off_stops_every_addition(database: Database, key: str, value: object, code: str) -> None:
    configure(database)
    assert refusal(database, "CODE_REVIEW") is None

    set_config(database, key, value)

    assert refusal(database, "CODE_REVIEW") == code


def test_a_type_in_flight_or_of_this_hour_is_not_added_again(database: Database) -> None:
    configure(database)

    request(database.sql, "CODE_REVIEW", platform_key="nearvity")
    assert refusal(database, "CODE_REVIEW") == "already_running"
    database.run("update hq.runs set status = 'completed', completed_at = now()")
    assert refusal(database, "CODE_REVIEW") == "just_done"
    database.run("update hq.runs set created_at = date_trunc('hour', now()) - interval '1 second'")
    assert refusal(database, "CODE_REVIEW") is None


def test_the_daily_limit_counts_the_runs_of_the_day_of_paris(database: Database, service: Connection) -> None:
    configure(database, maxDailyAutonomousRuns=2)
    midnight = "date_trunc('day', now() at time zone 'Europe/Paris') at time zone 'Europe/Paris'"

    launched = decide(service, LISTED)

    assert len(launched["jobs_to_run"]) == 2
    assert f"{LISTED[2]} : maximum du jour atteint (2)" in launched["skipped"]
    database.run("update hq.runs set status = 'completed', created_at = now() - interval '3 days'")
    assert refusal(database, LISTED[2]) == "daily_limit"
    database.run(f"update hq.run_requests set created_at = {midnight} - interval '1 second'")
    assert refusal(database, LISTED[2]) is None


def test_a_failure_of_its_own_pauses_it_until_it_is_made_good_or_the_settings_are_saved(database: Database) -> None:
    configure(database)
    fail_run(database, "SEO_AUDIT", trigger="manual")
    assert refusal(database, "CODE_REVIEW") is None
    fail_run(database, trigger="autopilot")
    assert refusal(database, "PLATFORM_STATUS_REVIEW") == "paused_on_error"

    database.run("insert into hq.runs (run_type, status, completed_at) values ('CODE_REVIEW', 'completed', now())")
    assert refusal(database, "PLATFORM_STATUS_REVIEW") is None

    fail_run(database, "SECURITY_AUDIT_RLS", trigger="autopilot")
    assert refusal(database, "PLATFORM_STATUS_REVIEW") == "paused_on_error"
    configure(database)
    assert refusal(database, "PLATFORM_STATUS_REVIEW") is None

    fail_run(database, "SECURITY_AUDIT_RLS", trigger="autopilot")
    configure(database, pauseOnError=False)
    assert refusal(database, "PLATFORM_STATUS_REVIEW") is None


def test_the_five_sensitive_types_are_refused_to_plan_and_autopilot_by_the_door_itself(database: Database) -> None:
    sensitive = {row["key"] for row in database.rows("select key from hq.run_types where requires_approval")}

    for trigger in ("schedule", "autopilot"):
        for key in sensitive:
            with pytest.raises(Exception, match="ne peut pas être lancé") as refused:
                request(database.sql, key, trigger=trigger)
            assert getattr(refused.value, "sqlstate", None) == "HQ001"
    assert len(sensitive) == 5
