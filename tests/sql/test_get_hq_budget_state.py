"""The month's budget as metrics read it: the same figures, and nobody is warned by a look."""

from decimal import Decimal

from support.calls import USAGE, call, configure, settle, start
from support.database import Connection, Database


def test_a_look_at_a_budget_beyond_its_threshold_warns_nobody(database: Database, service: Connection) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 10, "alert_threshold_pct": 80})
    settle(database.sql, start(database), usage=USAGE | {"cost_eur": "9"})
    before = database.one("select count(*) as n from hq.announcements")

    (state,) = call(service, "get_hq_budget_state")

    assert state == {
        "month_cost_eur": Decimal(9),
        "target_eur": Decimal(10),
        "threshold_pct": Decimal(80),
        "pct_used": Decimal(90),
        "is_warned": True,
        "is_exhausted": False,
    }
    assert database.one("select count(*) as n from hq.announcements") == before
    (checked,) = call(service, "check_hq_ai_budget")
    assert checked["alert_sent"] is True
