"""A worker learns what of ours a database has, and what time it is there."""

from datetime import UTC, datetime

from support.calls import call
from support.database import Connection, Database

from shared.registry import REGISTRY_VERSION
from workers import schema


def test_the_state_is_the_files(service: Connection) -> None:
    (state,) = call(service, "get_hq_schema_state")

    files = schema.read_files()
    assert state["migrations"] == {f.name: f.sha256 for f in files if f.kind == "migration"}
    assert state["functions"] == {f.name: f.sha256 for f in files if f.kind == "function"}
    assert state["registry_version"] == REGISTRY_VERSION


def test_the_time_is_the_servers(service: Connection) -> None:
    (state,) = call(service, "get_hq_schema_state")

    assert abs((datetime.now(UTC) - state["server_time"]).total_seconds()) < 60


def test_a_database_that_lacks_a_file_says_so(database: Database, service: Connection) -> None:
    database.run("delete from hq.worker_migrations where name = 'claim_hq_runs'")
    database.run("delete from hq.run_types")

    (state,) = call(service, "get_hq_schema_state")

    assert "claim_hq_runs" not in state["functions"]
    assert state["registry_version"] is None
