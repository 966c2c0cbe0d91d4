"""The month's budget as cron asks for it: true figures, and one warning a day whoever asks."""

from decimal import Decimal

from support.calls import USAGE, call, configure, settle, start
from support.database import Connection, Database, Row


def check(session: Connection) -> Row:
    (found,) = call(session, "check_hq_ai_budget")
    return found


def test_the_figures_are_those_of_the_month(database: Database, service: Connection) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 50, "alert_threshold_pct": 80})
    settle(database.sql, start(database), usage=USAGE | {"cost_eur": "12.5"})

    assert check(service) == {
        "monthly_cost_eur": Decimal("12.5"),
        "monthly_target_eur": Decimal(50),
        "pct_used": Decimal(25),
        "is_alert": False,
        "alert_sent": False,
    }


def test_the_threshold_is_warned_of_once(database: Database, service: Connection) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 10, "alert_threshold_pct": 80})
    settle(database.sql, start(database), usage=USAGE | {"cost_eur": "9"})

    first, second = check(service), check(service)

    assert (first["is_alert"], first["alert_sent"]) == (True, True)
    assert (second["is_alert"], second["alert_sent"]) == (True, False)
    assert database.one("select count(*) as n from hq.announcements where kind = 'budget_reached'")["n"] == 1
