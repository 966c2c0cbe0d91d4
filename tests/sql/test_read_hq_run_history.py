"""How the runs of a period went, by type."""

from decimal import Decimal

from support.calls import USAGE, call, settle, start
from support.database import Connection, Database


def test_a_type_is_told_with_its_ends_its_durations_and_its_cost(database: Database, service: Connection) -> None:
    settle(database.sql, start(database), usage=USAGE)
    failed = start(database, force=True)
    settle(database.sql, failed, "failed", appendix={"error_code": "gateway_out_of_credit"}, usage=USAGE)
    database.run(
        "insert into hq.runs (run_type, status, created_at) "
        "values ('SEO_AUDIT', 'completed', now() - interval '40 days')"
    )
    database.run(
        "update hq.runs set started_at = now() - interval '3 s', completed_at = now() "
        "where run_type = 'SEO_AUDIT' and status = 'completed' and started_at is not null"
    )

    (line,) = call(service, "read_hq_run_history", days=30)

    assert (line["run_type"], line["runs"], line["runs_before"]) == ("SEO_AUDIT", 2, 1)
    assert (line["completed"], line["failed"], line["cancelled"]) == (1, 1, 0)
    assert line["mean_ms"] == line["longest_ms"] == 3000
    assert line["usual_error"] == "gateway_out_of_credit"
    assert line["cost_eur"] == Decimal("0.025")


def test_no_run_is_no_line(service: Connection) -> None:
    assert call(service, "read_hq_run_history") == []


def test_dates_that_are_none_disturb_nobody(database: Database, service: Connection) -> None:
    database.run(
        "insert into hq.runs (run_type, status, started_at, completed_at) "
        "values ('OLD_ONE', 'completed', '-infinity', 'infinity')"
    )

    (line,) = call(service, "read_hq_run_history")

    assert (line["runs"], line["mean_ms"]) == (1, None)
