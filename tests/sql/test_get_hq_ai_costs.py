"""What the reports of a month cost: what the screens sum, and what was billed."""

from decimal import Decimal

import psycopg
import pytest
from support.calls import USAGE, call, settle, start
from support.database import Connection, Database, Row

from shared.registry import RUN_TYPES


def lines(session: Connection, scope: str, /, **params: object) -> dict[str, Row]:
    return {line["key"]: line for line in call(session, "get_hq_ai_costs", **params) if line["scope"] == scope}


def total(session: Connection, /, **params: object) -> Row:
    (line,) = lines(session, "total", **params).values()
    return line


def test_a_month_without_runs_is_zero_everywhere(owner: Connection) -> None:
    (line,) = call(owner, "get_hq_ai_costs")

    assert line == {
        "scope": "total",
        "key": "",
        "runs": 0,
        "listed_eur": Decimal(0),
        "billed_eur": Decimal(0),
        "estimated_eur": Decimal(0),
        "mean_eur": Decimal(0),
    }


def test_the_listed_cost_is_what_the_screens_sum(database: Database, owner: Connection) -> None:
    """They take every run of the month, however it ended, at the registry's price; 0.05 for a type nobody knows."""
    keys = [*RUN_TYPES, "A_TYPE_OF_THE_PAST", "STANDUP"]
    for key in keys:
        database.run("insert into hq.runs (run_type, status) values (%s, 'failed')", key)

    assert total(owner)["listed_eur"] == sum(run_type.cost_eur for run_type in RUN_TYPES.values()) + 2 * Decimal("0.05")
    by_type = lines(owner, "type")
    assert by_type["A_TYPE_OF_THE_PAST"]["listed_eur"] == Decimal("0.05")
    assert {key: by_type[key]["listed_eur"] for key in RUN_TYPES} == {
        key: run_type.cost_eur for key, run_type in RUN_TYPES.items()
    }


def test_what_was_billed_is_told_by_platform_type_and_model(database: Database, owner: Connection) -> None:
    search = USAGE | {"cost_eur": "0.03", "search_cost_eur": "0.01", "estimated": True}
    settle(database.sql, start(database, platform_key="nearvity"), usage=USAGE)
    settle(database.sql, start(database, platform_key="nearvity", force=True), usage=USAGE)
    settle(database.sql, start(database, "TECH_WATCH_REPORT"), usage=search)

    line = total(owner)
    assert (line["runs"], line["billed_eur"], line["estimated_eur"]) == (3, Decimal("0.055"), Decimal("0.03"))
    nearvity = lines(owner, "platform")["nearvity"]
    assert (nearvity["runs"], nearvity["billed_eur"], nearvity["mean_eur"]) == (2, Decimal("0.025"), Decimal("0.0125"))
    assert lines(owner, "platform")["global"]["billed_eur"] == Decimal("0.03")
    assert lines(owner, "type")["TECH_WATCH_REPORT"]["billed_eur"] == Decimal("0.03")
    models = {key: model["billed_eur"] for key, model in lines(owner, "model").items()}
    assert models == {"google/gemini-2.5-pro": Decimal("0.045"), "recherche web": Decimal("0.01")}


def test_the_parts_make_the_whole(database: Database, owner: Connection) -> None:
    for number, key in enumerate(RUN_TYPES):
        platform = ("nearvity", "emotionscare", None)[number % 3]
        usage = USAGE | {"model": f"m{number % 4}", "search_cost_eur": "0.001"}
        settle(database.sql, start(database, key, platform_key=platform), usage=usage)

    whole = total(owner)
    for scope in ("platform", "type", "model"):
        parts = lines(owner, scope).values()
        assert sum(part["billed_eur"] for part in parts) == whole["billed_eur"]
        if scope != "model":
            assert sum(part["listed_eur"] for part in parts) == whole["listed_eur"]
            assert sum(part["runs"] for part in parts) == whole["runs"]


def test_the_bill_is_the_one_that_the_budget_watches(database: Database, owner: Connection) -> None:
    settle(database.sql, start(database), usage=USAGE)

    assert total(owner)["billed_eur"] == database.rows("select * from hq.budget_state()")[0]["month_cost_eur"]


def test_a_month_begins_and_ends_at_midnight_in_paris(database: Database, owner: Connection) -> None:
    for moment in (
        "2026-03-31 21:59:59+00",
        "2026-03-31 22:00:00+00",
        "2026-04-30 21:59:59+00",
        "2026-04-30 22:00:00+00",
    ):
        database.run("insert into hq.runs (run_type, status, created_at) values ('SEO_AUDIT', 'failed', %s)", moment)
        database.run(
            "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated, created_at) "
            "values (1, 'SEO_AUDIT', 'm', 1, 1, false, %s)",
            moment,
        )

    april = total(owner, month="2026-04-17")

    assert (april["runs"], april["billed_eur"]) == (2, Decimal(2))


def test_a_bill_whose_run_was_deleted_still_counts(database: Database, owner: Connection) -> None:
    claimed = start(database)
    settle(database.sql, claimed, usage=USAGE)
    database.run("delete from hq.runs where id = %s", claimed["run_id"])

    line = total(owner)

    assert (line["runs"], line["billed_eur"], line["mean_eur"]) == (0, Decimal("0.0125"), Decimal("0.0125"))


def test_a_worker_may_read_it_and_a_viewer_may_not(service: Connection, viewer: Connection) -> None:
    assert total(service)["runs"] == 0
    with pytest.raises(psycopg.Error, match="Accès refusé"):
        total(viewer)
