"""The budget's threshold: reported once a day, by one log and one announcement."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from support.calls import call, claim_one, expire, request
from support.database import Connection, Database, Row, one


def spend(database: Database, amount: float) -> None:
    database.run(
        "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated) "
        "values (1, 'SEO_AUDIT', 'm', 1, %s, false)",
        amount,
    )


def configure(database: Database, **fields: Any) -> None:
    config = json.dumps({"monthly_target_eur": 100, "alert_threshold_pct": 80, "alerts_enabled": True} | fields)
    database.run(
        "insert into hq.system_config (key, value) values ('ai_budget', %s::jsonb) "
        "on conflict (key) do update set value = excluded.value",
        config,
    )


def reported(database: Database) -> list[Row]:
    return database.rows("select * from hq.structured_logs where message like 'budget.%'")


def announced(database: Database) -> list[Row]:
    return database.rows("select * from hq.announcements where key like 'budget_reached:%'")


def half_a_minute_later(database: Database) -> None:
    database.run("update hq.turns set due_at = now() where name = 'budget'")


def test_below_the_threshold_nothing_is_told(database: Database, service: Connection) -> None:
    configure(database)
    spend(database, 79.99)

    call(service, "rescue_hq_runs")

    assert reported(database) == []
    assert announced(database) == []


def test_the_threshold_is_told_once_a_day(database: Database, service: Connection) -> None:
    configure(database)
    spend(database, 80)

    call(service, "rescue_hq_runs")
    half_a_minute_later(database)
    call(service, "rescue_hq_runs")

    (log,) = reported(database)
    assert (log["level"], log["source"], log["message"]) == ("warn", "budget-monitor", "budget.threshold_reached")
    assert log["metadata"]["month_cost_eur"] == 80
    assert log["metadata"]["pct_used"] == 80
    assert len(announced(database)) == 1
    database.run("update hq.announcements set key = 'budget_reached:2020-01-01'")
    half_a_minute_later(database)
    call(service, "rescue_hq_runs")
    assert len(reported(database)) == 2


def test_the_month_is_added_up_twice_a_minute_whoever_rescues(database: Database, service: Connection) -> None:
    configure(database)
    spend(database, 79)
    call(service, "rescue_hq_runs")

    spend(database, 2)
    call(service, "rescue_hq_runs")

    assert announced(database) == []
    half_a_minute_later(database)
    call(service, "rescue_hq_runs")
    assert len(announced(database)) == 1


def test_a_sweep_that_is_not_to_add_up_writes_nothing(service: Connection) -> None:
    call(service, "rescue_hq_runs")

    with service.transaction():
        call(service, "rescue_hq_runs")
        assert one(service, "select pg_current_xact_id_if_assigned() as id")["id"] is None


def test_a_turn_that_somebody_holds_undoes_no_rescue(database: Database, service: Connection) -> None:
    request(service)
    claim_one(service)
    expire(database)
    with database.connect() as person:
        person.execute("begin; insert into hq.turns values ('budget', 'by hand', now(), now())")
        (done,) = call(service, "rescue_hq_runs")
        person.execute("rollback")

    assert done["requeued"] == 1


def test_who_switched_alerts_off_hears_nothing(database: Database, service: Connection) -> None:
    configure(database, alerts_enabled=False)
    spend(database, 500)

    call(service, "rescue_hq_runs")

    assert reported(database) == []


def test_of_many_at_once_one_tells(database: Database) -> None:
    configure(database)
    spend(database, 90)

    # Of rescues, one at a time adds up.
    def check(_: int) -> None:
        with database.as_caller("service_role") as session:
            call(session, "check_hq_ai_budget")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(16)))

    assert len(reported(database)) == 1
    assert len(announced(database)) == 1


def test_the_older_schema_keeps_the_log_under_a_source_that_it_knows(seed_database: Database) -> None:
    configure(seed_database)
    spend(seed_database, 90)

    with seed_database.as_caller("service_role") as session:
        call(session, "rescue_hq_runs")

    (log,) = reported(seed_database)
    assert (log["source"], log["metadata"]["source"]) == ("edge_function", "budget-monitor")
