"""Many attempts end in one call, each by itself: an error in one is reported for that one alone."""

from uuid import uuid4

from support.calls import USAGE, call, claim, lease, logs_of, lose_lease, request, run_of, step
from support.database import Connection, Database, Row

TYPES = ("SEO_AUDIT", "CODE_REVIEW", "RGPD_AUDIT", "ROADMAP_UPDATE")


def _claims(database: Database) -> list[Row]:
    for run_type in TYPES:
        request(database.sql, run_type)
    return claim(database.sql)


def _settlement(claimed: Row, outcome: str = "completed", **fields: object) -> Row:
    given = {"outcome": outcome, "summary": f"## {outcome}", "appendix": {"model_used": "m"}, "usage": USAGE}
    return lease(claimed) | given | {"steps": [step()], "evidence": [], "retry_in_seconds": 0} | fields


def _settle(session: Connection, *settlements: Row) -> dict[object, tuple[str | None, str | None]]:
    answers = call(session, "settle_hq_runs", settlements=list(settlements))
    return {answer["run_id"]: (answer["status"], answer["error_code"]) for answer in answers}


def test_each_attempt_ends_as_it_would_alone(database: Database, service: Connection) -> None:
    completed, failed, retried, _ = _claims(database)

    answers = _settle(
        service,
        _settlement(completed),
        _settlement(failed, "failed"),
        _settlement(retried, "retry", retry_in_seconds=60),
    )

    assert answers == {
        completed["run_id"]: ("completed", None),
        failed["run_id"]: ("failed", None),
        retried["run_id"]: ("pending", None),
    }
    for claimed, end in ((completed, "completed"), (failed, "failed"), (retried, "retried")):
        assert run_of(database, claimed["run_id"])["detailed_appendix"]["cost_estimate"] == 0.0125
        assert len(logs_of(database, claimed["run_id"], f"run.{end}")) == 1


def test_what_is_wrong_with_one_undoes_that_one_alone(database: Database) -> None:
    good, unknown_outcome, broken, _ = _claims(database)

    answers = call(
        database.sql,
        "settle_hq_runs",
        settlements=[
            _settlement(broken, evidence=[{"evidence_type": "github"}]),
            _settlement(unknown_outcome, "finished"),
            _settlement(good),
        ],
    )

    reported = {answer["run_id"]: (answer["status"], answer["error_code"]) for answer in answers}
    assert reported == {
        broken["run_id"]: (None, "23502"),
        unknown_outcome["run_id"]: (None, "22023"),
        good["run_id"]: ("completed", None),
    }
    assert all((answer["error_message"] is None) is (answer["error_code"] is None) for answer in answers)
    for claimed in (broken, unknown_outcome):
        assert run_of(database, claimed["run_id"])["status"] == "running"
    assert database.one("select run_id from hq.run_costs")["run_id"] == good["run_id"]


def test_a_lost_lease_is_told_as_lost(database: Database) -> None:
    claims = _claims(database)
    lose_lease(database)

    answers = _settle(database.sql, *map(_settlement, claims), _settlement({"run_id": uuid4(), "lease_token": 1}))

    assert set(answers.values()) == {("lost", None)}
    assert len(answers) == 5


def test_repeating_a_batch_changes_nothing_and_answers_the_same(database: Database) -> None:
    settlements = [_settlement(claimed) for claimed in _claims(database)]
    first = _settle(database.sql, *settlements)
    before = database.rows("select * from hq.runs order by id"), database.rows("select * from hq.run_costs order by id")

    assert _settle(database.sql, *settlements) == first

    after = database.rows("select * from hq.runs order by id"), database.rows("select * from hq.run_costs order by id")
    assert after == before


def test_only_the_lease_and_the_outcome_are_needed(database: Database) -> None:
    claimed, *_ = _claims(database)

    answers = _settle(database.sql, lease(claimed) | {"outcome": "failed"})

    assert answers == {claimed["run_id"]: ("failed", None)}
    assert run_of(database, claimed["run_id"])["detailed_appendix"]["fallback_used"] is False


def test_nothing_to_settle_is_nothing(database: Database) -> None:
    assert _settle(database.sql) == {}
