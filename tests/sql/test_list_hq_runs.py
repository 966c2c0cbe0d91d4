"""The latest runs for the command line, whatever older code left among them."""

from decimal import Decimal

from support.calls import USAGE, call, claim_one, lease, request, settle, start, step
from support.database import Connection, Database


def test_the_newest_run_is_first(service: Connection) -> None:
    asked = [request(service, run_type)["run_id"] for run_type in ("SEO_AUDIT", "CODE_REVIEW", "RGPD_AUDIT")]

    assert [line["run_id"] for line in call(service, "list_hq_runs")] == asked[::-1]


def test_a_line_tells_how_the_run_goes(database: Database, service: Connection) -> None:
    claimed = start(database, platform_key="nearvity", trigger="retry")
    call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(), usage=USAGE)
    settle(database.sql, claimed, "retry", summary="Nouvelle tentative prévue.")
    claim_one(database.sql)

    (line,) = call(service, "list_hq_runs")

    assert {name: line[name] for name in ("run_type", "platform_key", "status", "trigger", "attempt")} == {
        "run_type": "SEO_AUDIT",
        "platform_key": "nearvity",
        "status": "running",
        "trigger": "retry",
        "attempt": 2,
    }
    assert line["cost_eur"] == Decimal("0.0125")


def test_runs_are_filtered_by_status(database: Database, service: Connection) -> None:
    settle(database.sql, start(database))
    waiting = request(service, "CODE_REVIEW")["run_id"]

    assert [line["run_id"] for line in call(service, "list_hq_runs", status="pending")] == [waiting]
    assert call(service, "list_hq_runs", status="no such status") == []


def test_the_list_is_bounded(database: Database, service: Connection) -> None:
    database.run("insert into hq.runs (run_type) select 'CODE_REVIEW' from generate_series(1, 510)")

    assert len(call(service, "list_hq_runs")) == 20
    assert len(call(service, "list_hq_runs", limit=3)) == 3
    assert len(call(service, "list_hq_runs", limit=100_000)) == 500
    assert call(service, "list_hq_runs", limit=-1) == []


def test_one_strange_row_does_not_hide_the_others(database: Database, service: Connection, owner: Connection) -> None:
    call(owner, "insert_hq_run", run_type="OLD_TYPE", detailed_appendix={"attempt": "deux"})
    settle(database.sql, start(database))

    newest, oldest = call(service, "list_hq_runs")

    assert (newest["attempt"], oldest["attempt"], oldest["trigger"]) == (1, None, None)
