"""A finished step is kept for the next attempt, by the owner of the run only; what it cost is kept in any case."""

from decimal import Decimal
from uuid import UUID

import pytest
from support.calls import USAGE, call, claim_one, footprint, lease, lose_lease, start, step, value
from support.database import Connection, Database, Row


def _checkpoint(session: Connection, claimed: Row, done: Row, **params: object) -> bool:
    kept: bool = value(session, "checkpoint_hq_step", **lease(claimed), step=done, **params)
    return kept


def _steps(database: Database, run_id: UUID) -> list[Row]:
    return database.rows("select * from hq.run_steps where run_id = %s order by step_order", run_id)


def test_a_checkpoint_keeps_the_step_as_it_was(database: Database, service: Connection) -> None:
    claimed = start(database)
    done = step(1, "Collecte", output={"findings": [{"source": "github"}]})

    assert _checkpoint(service, claimed, done)

    (kept,) = _steps(database, claimed["run_id"])
    assert {name: kept[name] for name in ("step_order", "name", "description", "status", "output")} == {
        name: done[name] for name in ("step_order", "name", "description", "status", "output")
    }
    assert (kept["completed_at"] - kept["started_at"]).total_seconds() == 2


def test_repeating_a_checkpoint_changes_nothing(database: Database) -> None:
    claimed = start(database)
    params = {"step": step(output={"a": 1}), "usage": USAGE}
    call(database.sql, "checkpoint_hq_step", **lease(claimed), **params)
    before = _steps(database, claimed["run_id"]), database.rows("select * from hq.run_costs")

    assert value(database.sql, "checkpoint_hq_step", **lease(claimed), **params)

    assert (_steps(database, claimed["run_id"]), database.rows("select * from hq.run_costs")) == before


def test_a_step_written_again_is_replaced_and_keeps_its_output_when_none_is_given(database: Database) -> None:
    claimed = start(database)
    _checkpoint(database.sql, claimed, step(1, status="running", output={"a": 1}, completed_at=None))
    _checkpoint(database.sql, claimed, step(2, "Rapport du modèle"))

    _checkpoint(database.sql, claimed, step(1, status="completed"))

    first, second = _steps(database, claimed["run_id"])
    assert (first["status"], first["output"], second["output"]) == ("completed", {"a": 1}, None)
    assert first["completed_at"] is not None


@pytest.mark.parametrize(
    "loss",
    [
        "select public.rescue_hq_runs()",
        "select public.cancel_hq_run(id) from hq.runs",
        "update hq.runs set status = 'failed'",
        "update hq.runs set status = 'pending'",
    ],
)
def test_after_the_lease_is_lost_no_step_is_written(loss: str, database: Database) -> None:
    claimed = start(database)
    database.run("update hq.run_queue set leased_until = now() - interval '1 s'")
    database.rows(loss) if loss.startswith("select") else database.run(loss)
    before = footprint(database, claimed["run_id"])

    assert not _checkpoint(database.sql, claimed, step(output={"a": 1}), usage=USAGE)

    assert footprint(database, claimed["run_id"]) == before


def test_the_former_owner_cannot_write_beside_the_new_one(database: Database) -> None:
    former = start(database)
    lose_lease(database)
    current = claim_one(database.sql, "worker-2")

    assert not _checkpoint(database.sql, former, step(output={"by": "former"}))
    assert _checkpoint(database.sql, current, step(output={"by": "current"}))

    (kept,) = _steps(database, former["run_id"])
    assert kept["output"] == {"by": "current"}


def test_a_lease_that_ran_out_unnoticed_is_still_ones_own(database: Database) -> None:
    claimed = start(database)
    database.run("update hq.run_queue set leased_until = now() - interval '1 hour'")

    assert _checkpoint(database.sql, claimed, step())


def test_money_spent_under_a_lost_lease_is_recorded_all_the_same(database: Database) -> None:
    former = start(database)
    lose_lease(database)
    current = claim_one(database.sql, "worker-2")

    _checkpoint(database.sql, former, step(), usage=USAGE)
    _checkpoint(database.sql, current, step(), usage=USAGE | {"cost_eur": "0.02"})

    bill = database.rows("select lease_token, cost_eur from hq.run_costs order by lease_token")
    assert [(row["lease_token"], row["cost_eur"]) for row in bill] == [
        (former["lease_token"], Decimal("0.0125")),
        (current["lease_token"], Decimal("0.02")),
    ]


def test_the_totals_of_a_lease_replace_each_other(database: Database) -> None:
    claimed = start(database, platform_key="nearvity")
    totals = USAGE | {"calls": 3, "tokens_in": 5000, "cost_eur": "0.05", "model": "openai/gpt-5.2"}

    _checkpoint(database.sql, claimed, step(), usage=USAGE)
    _checkpoint(database.sql, claimed, step(), usage=totals)

    row = database.one("select * from hq.run_costs")
    assert {name: row[name] for name in totals} == totals | {"cost_eur": Decimal("0.05")}
    assert (row["run_type"], row["platform_key"]) == ("SEO_AUDIT", "nearvity")


def test_each_model_that_was_asked_has_its_line(database: Database) -> None:
    claimed = start(database, platform_key="nearvity")
    first, second = USAGE | {"model": "one"}, USAGE | {"model": "two", "cost_eur": "0.5"}

    _checkpoint(database.sql, claimed, step(), usage=[first])
    for _ in range(2):
        _checkpoint(database.sql, claimed, step(), usage=[first | {"calls": 2, "cost_eur": "0.03"}, second])

    lines = database.rows("select model, calls, cost_eur from hq.run_costs order by model")
    assert [tuple(line.values()) for line in lines] == [("one", 2, Decimal("0.03")), ("two", 1, Decimal("0.5"))]
    attempts = "select tentatives, round(cout_eur, 2) as eur from hq.costs_by_platform"
    assert database.one(attempts) == {"tentatives": 1, "eur": Decimal("0.53")}


def test_what_the_release_before_bills_as_a_whole_is_never_added_to_its_parts(database: Database) -> None:
    claimed = start(database)
    whole = USAGE | {"model": "two", "calls": 2, "cost_eur": "0.5"}

    _checkpoint(database.sql, claimed, step(), usage=USAGE | {"model": "one"})
    _checkpoint(database.sql, claimed, step(), usage=whole)
    _checkpoint(database.sql, claimed, step(), usage=USAGE | {"model": "one"})

    assert database.rows("select model, cost_eur from hq.run_costs") == [{"model": "two", "cost_eur": Decimal("0.5")}]


@pytest.mark.parametrize("later", [{"calls": 2, "cost_eur": "0.05"}, {"cost_eur": "0.0325", "search_cost_eur": "0.02"}])
def test_a_checkpoint_that_arrives_late_does_not_lower_the_bill(later: Row, database: Database) -> None:
    claimed = start(database)
    _checkpoint(database.sql, claimed, step(1), usage=USAGE | later)
    billed = database.one("select * from hq.run_costs")

    _checkpoint(database.sql, claimed, step(1), usage=USAGE)

    assert database.one("select * from hq.run_costs") == billed


@pytest.mark.parametrize("usage", [{}, USAGE | {"calls": 0, "cost_eur": "0"}])
def test_a_step_that_asked_no_model_has_no_bill(usage: Row, database: Database) -> None:
    _checkpoint(database.sql, start(database), step(), usage=usage)

    assert not database.rows("select * from hq.run_costs")


def test_a_checkpoint_of_a_deleted_run_writes_nothing(database: Database) -> None:
    claimed = start(database)
    database.run("delete from hq.runs")

    assert not _checkpoint(database.sql, claimed, step(), usage=USAGE)
    assert not database.rows("select * from hq.run_costs")
