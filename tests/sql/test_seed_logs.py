"""On the older schema, which refuses our log source, a settlement still commits and its log is kept."""

import pytest
from support.calls import call, claim_one, logs_of, lose_lease, run_of, settle, start
from support.database import OWNER, Database


@pytest.mark.parametrize(("outcome", "message"), [("completed", "run.completed"), ("failed", "run.failed")])
def test_a_refused_source_undoes_nothing(outcome: str, message: str, seed_database: Database) -> None:
    claimed = start(seed_database)

    assert settle(seed_database.sql, claimed, outcome) == outcome

    assert run_of(seed_database, claimed["run_id"])["status"] == outcome
    logs = logs_of(seed_database, claimed["run_id"])
    assert [(log["message"], log["source"], log["metadata"]["source"]) for log in logs] == [
        ("run.started", "edge_function", "executive-run"),
        (message, "edge_function", "executive-run"),
    ]
    assert logs[1]["metadata"]["run_type"] == "SEO_AUDIT"


def test_the_autopilots_logs_are_kept_as_the_schedulers(seed_database: Database) -> None:
    seed_database.rows("select hq.write_log('info', 'autopilot', 'autopilot.decision', '{\"job\": \"x\"}', null)")

    (log,) = seed_database.rows("select * from hq.structured_logs")
    assert (log["source"], log["metadata"]) == ("scheduler", {"job": "x", "source": "autopilot"})


def test_the_newest_schema_keeps_the_wanted_source(database: Database) -> None:
    claimed = start(database)

    (log,) = logs_of(database, claimed["run_id"])
    assert log["source"] == "executive-run"
    assert "source" not in log["metadata"]


def test_a_log_that_no_source_can_save_is_still_an_error(seed_database: Database) -> None:
    with pytest.raises(Exception, match="structured_logs_level_check"):
        seed_database.rows("select hq.write_log('loud', 'executive-run', 'x', '{}', null)")


def test_the_whole_life_of_a_run_works_on_the_older_schema(seed_database: Database) -> None:
    first = start(seed_database, platform_key="nearvity")
    lose_lease(seed_database)
    second = claim_one(seed_database.sql)

    assert settle(seed_database.sql, second) == "completed"

    with seed_database.as_caller("authenticated", OWNER) as owner:
        (run,) = call(owner, "get_hq_recent_runs")
    assert (run["id"], run["status"]) == (first["run_id"], "completed")
