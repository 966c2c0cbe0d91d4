"""The figures that reports were written from are kept as long as they hold, and no odd one costs a settlement."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.calls import call, claim_one, lease, request, settle, start
from support.database import Connection, Database, Row


def _fact(value: object = "3046.46", *, minutes_ago: float = 0, **fields: object) -> Row:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    given = {"name": "mrr", "subject": None, "value": value, "unit": "EUR", "source": "stripe", "at": at.isoformat()}
    return given | fields


def _evidence(*facts: object) -> list[Row]:
    return [
        {"evidence_type": "stripe", "data": {"mrr": 1}, "source_url": None},
        {"evidence_type": "facts", "data": {"facts": list(facts)}, "source_url": None},
    ]


def _settle(database: Database, *facts: object, outcome: str = "completed") -> Row:
    request(database.sql, "SEO_AUDIT", force=True)
    claimed = claim_one(database.sql)
    assert settle(database.sql, claimed, outcome, evidence=_evidence(*facts)) == outcome
    return claimed


def _kept(database: Database) -> list[Row]:
    return database.rows("select * from hq.report_facts order by name, subject, since")


def _age(database: Database, interval: str) -> None:
    database.run(
        "update hq.report_facts set since = since - %s::interval, seen_at = seen_at - %s::interval", interval, interval
    )


@pytest.mark.parametrize("variant", ["seed", "head"])
def test_a_fact_is_kept_with_the_settlement_and_stays_in_its_evidence(
    variant: str, clone: Callable[[str], Database]
) -> None:
    database = clone(f"{variant}_hq")

    claimed = _settle(
        database,
        _fact(),
        _fact("12", name="open_issues", subject="nearvity", unit="count", source="github", scope="0a1b"),
    )

    mrr, issues = _kept(database)
    assert (mrr["run_id"], str(mrr["value"]), mrr["subject"], mrr["scope"]) == (claimed["run_id"], "3046.46", "", "")
    assert mrr["since"] == mrr["seen_at"]
    assert (issues["name"], issues["subject"], issues["unit"], issues["scope"]) == (
        "open_issues",
        "nearvity",
        "count",
        "0a1b",
    )
    written = database.rows("select evidence_type from hq.run_evidence order by created_at")
    assert [row["evidence_type"] for row in written] == ["stripe", "facts"]


def test_a_value_that_did_not_change_moves_the_date_of_its_row_and_writes_none(database: Database) -> None:
    first = _settle(database, _fact(minutes_ago=600))
    _settle(database, _fact("3046.4600", minutes_ago=300))
    _settle(database, _fact(minutes_ago=0.1))

    (kept,) = _kept(database)
    assert kept["run_id"] == first["run_id"]
    assert kept["seen_at"] - kept["since"] > timedelta(minutes=599)


def test_a_value_that_changes_writes_a_row_also_when_it_comes_back(database: Database) -> None:
    for value, minutes_ago in (("1", 50), ("2", 40), ("2", 30), ("1", 20)):
        _settle(database, _fact(value, minutes_ago=minutes_ago))

    assert [str(row["value"]) for row in _kept(database)] == ["1", "2", "1"]


def test_another_set_of_platforms_writes_a_row(database: Database) -> None:
    for scope, minutes_ago in (("a1", 50), ("b2", 40)):
        _settle(database, _fact("7", minutes_ago=minutes_ago, scope=scope))

    assert [row["scope"] for row in _kept(database)] == ["a1", "b2"]


def test_each_source_has_a_series_of_its_own(database: Database) -> None:
    for source, minutes_ago in (("stripe", 50), ("other", 40), ("stripe", 30), ("other", 20)):
        _settle(database, _fact("1" if source == "stripe" else "2", minutes_ago=minutes_ago, source=source))

    assert sorted((row["source"], str(row["value"])) for row in _kept(database)) == [("other", "2"), ("stripe", "1")]


def test_what_is_older_than_the_newest_rewrites_nothing(database: Database) -> None:
    _settle(database, _fact("1", minutes_ago=10))
    _settle(database, _fact("2", minutes_ago=60))

    assert [str(row["value"]) for row in _kept(database)] == ["1"]


def test_several_settlements_at_once_keep_their_facts(database: Database) -> None:
    settlements = []
    for number in range(3):
        request(database.sql, "SEO_AUDIT", force=True)
        settlements.append(
            lease(claim_one(database.sql))
            | {
                "outcome": "completed",
                "summary": "## Bref",
                "evidence": _evidence(_fact(str(number), minutes_ago=9 - number)),
            }
        )

    answers = call(database.sql, "settle_hq_runs", settlements=settlements)

    assert [answer["status"] for answer in answers] == ["completed"] * 3
    assert 1 <= len(_kept(database)) <= 3


def test_at_most_200_facts_are_kept_of_a_run_and_each_once(database: Database) -> None:
    many = [_fact(str(n), subject=f"p{n}") for n in range(300)]

    _settle(database, _fact("1", subject="p0"), *many)

    kept = _kept(database)
    assert len(kept) == 199  # the double counts among the 200 that are looked at
    assert [str(row["value"]) for row in kept if row["subject"] == "p0"] == ["1"]


ODD: list[Any] = [
    "NaN", "Infinity", "-Infinity", "1e999", "1e25", "", "12 345", "0x10", True, None, [], {"value": 1}, "9" * 30,
]  # fmt: skip


@pytest.mark.parametrize("value", ODD, ids=map(str, ODD))
def test_a_value_that_is_no_number_costs_itself(value: object, database: Database) -> None:
    _settle(database, _fact(value, name="odd"), _fact())

    assert [row["name"] for row in _kept(database)] == ["mrr"]


@pytest.mark.parametrize(
    "odd",
    [
        {"at": "2026-02-31T10:00:00+00:00"},
        {"at": "20260-01-01T10:00:00+00:00"},
        {"at": "infinity"},
        {"at": "2099-01-01T10:00:00+00:00"},
        {"at": "1999-01-01T10:00:00+00:00"},
        {"at": None},
        {"at": "9999-12-31T99:99:99Z"},
        {"name": "Robert'); drop table hq.runs;--"},
        {"name": None},
        {"name": "n" * 64},
        {"unit": "€ par mois"},
        {"unit": None},
        {"source": "../etc"},
        {"subject": "a\nb"},
        {"subject": "s" * 101},
        {"scope": "UPPER"},
        {"scope": {"a": 1}},
    ],
    ids=str,
)
def test_an_odd_fact_costs_itself_and_never_the_settlement(odd: Row, database: Database) -> None:
    claimed = _settle(database, _fact("1", name="first"), _fact() | {"name": "odd"} | odd, _fact())

    assert [row["name"] for row in _kept(database)] == ["first", "mrr"]
    evidence = database.one(
        "select data from hq.run_evidence where run_id = %s and evidence_type = 'facts'", claimed["run_id"]
    )
    assert len(evidence["data"]["facts"]) == 3


SHAPES: list[Any] = [
    1, "facts", [], {}, {"facts": None}, {"facts": 3}, {"facts": {"a": 1}}, {"facts": [1, None, "x", [[]]]},
]  # fmt: skip


@pytest.mark.parametrize("data", SHAPES, ids=json.dumps)
def test_facts_of_any_other_shape_are_none(data: object, database: Database) -> None:
    claimed = start(database)
    evidence = [{"evidence_type": "facts", "data": data, "source_url": None}]

    assert settle(database.sql, claimed, evidence=evidence) == "completed"
    assert _kept(database) == []


def test_an_attempt_that_is_tried_again_or_failed_keeps_what_it_read(database: Database) -> None:
    """A figure is as true without a report."""
    _settle(database, _fact(), outcome="failed")

    assert len(_kept(database)) == 1


def test_a_settlement_whose_answer_was_lost_keeps_nothing_twice(database: Database) -> None:
    claimed = start(database)
    given = {"evidence": _evidence(_fact())}
    settle(database.sql, claimed, **given)

    assert settle(database.sql, claimed, **given) == "completed"
    assert len(_kept(database)) == 1


def test_settlements_never_wait_for_a_row_that_somebody_holds(database: Database, other: Connection) -> None:
    _settle(database, _fact(minutes_ago=60))
    with other.transaction():
        other.execute("select from hq.report_facts for update")

        _settle(database, _fact())  # the same value: its row is passed over
        _settle(database, _fact("2"))

    first, second = _kept(database)
    assert first["since"] == first["seen_at"]
    assert str(second["value"]) == "2"


def test_facts_go_400_days_after_they_were_last_seen(database: Database) -> None:
    _settle(database, _fact("1", name="gone"), _fact("1", name="holds"), _fact("1", name="young"))
    _age(database, "401 days")
    database.run("update hq.report_facts set seen_at = now() where name = 'holds'")
    database.run("update hq.report_facts set since = now(), seen_at = now() where name = 'young'")

    database.run("call hq.purge_expired()")

    assert [row["name"] for row in _kept(database)] == ["holds", "young"]


def test_a_run_that_is_deleted_takes_its_facts_along(database: Database) -> None:
    claimed = _settle(database, _fact())

    database.run("delete from hq.runs where id = %s", claimed["run_id"])

    assert _kept(database) == []
