"""Many steps are kept in one call, each by itself: an error in one is reported for that one alone."""

from uuid import uuid4

from support.calls import USAGE, call, claim, lease, lose_lease, request, step
from support.database import Connection, Database, Row

TYPES = ("SEO_AUDIT", "CODE_REVIEW", "RGPD_AUDIT")


def _claims(database: Database) -> list[Row]:
    for run_type in TYPES:
        request(database.sql, run_type)
    return claim(database.sql)


def _checkpoint(claimed: Row, **fields: object) -> Row:
    return lease(claimed) | {"step": step(output={"kept": True}), "usage": USAGE} | fields


def _keep(session: Connection, *checkpoints: Row) -> dict[object, tuple[bool | None, str | None]]:
    answers = call(session, "checkpoint_hq_steps", checkpoints=list(checkpoints))
    return {answer["run_id"]: (answer["kept"], answer["error_code"]) for answer in answers}


def _kept(database: Database) -> list[Row]:
    return database.rows("select run_id, name, output from hq.run_steps order by run_id, name")


def test_each_step_is_kept_as_it_would_be_alone(database: Database, service: Connection) -> None:
    claims = _claims(database)

    answers = _keep(service, *map(_checkpoint, claims))

    assert answers == {claimed["run_id"]: (True, None) for claimed in claims}
    assert {row["run_id"] for row in _kept(database)} == set(answers)
    assert database.one("select count(*), sum(cost_eur)::text as sum from hq.run_costs") == {
        "count": 3,
        "sum": "0.037500",
    }


def test_what_is_wrong_with_one_undoes_that_one_alone(database: Database, service: Connection) -> None:
    good, broken, _ = _claims(database)

    answers = _keep(service, _checkpoint(broken, step={"name": "Collecte"}), _checkpoint(good))

    assert answers[good["run_id"]] == (True, None)
    kept, error_code = answers[broken["run_id"]]
    assert kept is None
    assert error_code == "23502"
    assert [row["run_id"] for row in _kept(database)] == [good["run_id"]]
    assert database.one("select run_id from hq.run_costs")["run_id"] == good["run_id"]


def test_a_lost_lease_is_told_as_lost(database: Database, service: Connection) -> None:
    claims = _claims(database)
    lose_lease(database)

    answers = _keep(service, *map(_checkpoint, claims), _checkpoint({"run_id": uuid4(), "lease_token": 1}))

    assert set(answers.values()) == {(False, None)}
    assert len(answers) == 4
    assert _kept(database) == []


def test_repeating_a_batch_changes_nothing_and_answers_the_same(database: Database, service: Connection) -> None:
    checkpoints = [_checkpoint(claimed) for claimed in _claims(database)]
    first = _keep(service, *checkpoints)
    before = _kept(database), database.rows("select * from hq.run_costs order by id")

    assert _keep(service, *checkpoints) == first

    assert (_kept(database), database.rows("select * from hq.run_costs order by id")) == before


def test_nothing_to_keep_is_nothing(service: Connection) -> None:
    assert _keep(service) == {}
