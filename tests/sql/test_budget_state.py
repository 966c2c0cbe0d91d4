"""How the month's cost stands to the budget: by the month of Paris, and whatever the presidency wrote there."""

from decimal import Decimal

import pytest
from support.calls import configure
from support.database import Database, Row

NOW = "2026-07-15T12:00:00Z"


def _state(database: Database, now: str = NOW) -> Row:
    return database.one("select * from hq.budget_state(%s)", now)


def _spend(database: Database, cost: str, at: str = NOW) -> None:
    database.run(
        "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated, created_at) "
        "values (1, 'SEO_AUDIT', 'a-model', 1, %s, false, %s)",
        Decimal(cost),
        at,
    )


@pytest.mark.parametrize(
    ("cost", "pct", "warned", "exhausted"),
    [
        (None, 0, False, False),
        ("79.999", "80.00", True, False),
        ("79.994", "79.99", False, False),
        ("80", 80, True, False),
        ("99.999999", 100, True, False),
        ("100", 100, True, True),
        ("250.5", "250.5", True, True),
    ],
)
def test_the_budget_is_warned_at_its_threshold_and_exhausted_at_its_end(
    cost: str | None, pct: str | int, *, warned: bool, exhausted: bool, database: Database
) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 100, "alert_threshold_pct": 80})
    if cost is not None:
        _spend(database, cost)

    assert _state(database) == {
        "month_cost_eur": Decimal(cost or 0),
        "target_eur": 100,
        "threshold_pct": 80,
        "pct_used": Decimal(pct),
        "is_warned": warned,
        "is_exhausted": exhausted,
    }


@pytest.mark.parametrize(
    ("at", "counted"),
    [
        ("2026-06-30T21:59:59Z", False),  # the last second of June in Paris
        ("2026-06-30T22:00:00Z", True),
        ("2026-07-31T21:59:59Z", True),
        ("2026-07-31T22:00:00Z", False),
    ],
)
def test_the_month_is_that_of_paris(at: str, *, counted: bool, database: Database) -> None:
    _spend(database, "3", at)

    assert _state(database)["month_cost_eur"] == (3 if counted else 0)


@pytest.mark.parametrize(
    ("value", "target", "threshold"),
    [
        ({"monthly_target_eur": 350.5, "alert_threshold_pct": 0}, "350.5", 0),
        ({"monthly_target_eur": "350", "alert_threshold_pct": 90}, 200, 90),
        ({"monthly_target_eur": -1, "alert_threshold_pct": 101}, 200, 80),
        ({"monthly_target_eur": 1e300, "alert_threshold_pct": 1e-300}, 200, 0),
        ({"monthly_target_eur": None, "alert_threshold_pct": [80]}, 200, 80),
        ({}, 200, 80),
        (None, 200, 80),
        ([1, 2], 200, 80),
        ("two hundred", 200, 80),
        (200, 200, 80),
    ],
)
def test_what_is_no_figure_is_read_as_the_default(
    value: object, target: str | int, threshold: int, database: Database
) -> None:
    configure(database, "ai_budget", value)

    state = _state(database)

    assert (state["target_eur"], state["threshold_pct"]) == (Decimal(target), threshold)
    assert not state["is_exhausted"]


def test_without_a_budget_the_defaults_hold(database: Database, seed_database: Database) -> None:
    database.run("delete from hq.system_config where key = 'ai_budget'")

    for each in (database, seed_database):
        state = _state(each)
        assert (state["target_eur"], state["threshold_pct"], state["pct_used"]) == (200, 80, 0)


def test_a_budget_of_nothing_is_exhausted_from_the_start(database: Database) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 0})

    state = _state(database)

    assert (state["pct_used"], state["is_warned"], state["is_exhausted"]) == (100, True, True)
