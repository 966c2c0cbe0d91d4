"""Events of the business that no run bears."""

import pytest
from support.calls import call, refused
from support.database import Connection, Database


@pytest.mark.parametrize(("variant", "source"), [("head_hq", "autopilot"), ("seed_hq", "scheduler")])
def test_an_event_is_kept_under_a_source_that_the_schema_knows(variant: str, source: str, clone: object) -> None:
    database: Database = clone(variant)  # type: ignore[operator]

    with database.as_caller("service_role") as service:
        metadata = {"reasoning": "Rien à lancer.", "jobs_to_run": ["a"]}
        call(service, "write_hq_log", level="info", source="autopilot", message="autopilot.decision", metadata=metadata)

    line = database.one("select * from hq.structured_logs where message = 'autopilot.decision'")
    assert (line["level"], line["source"], line["run_id"]) == ("info", source, None)
    assert line["metadata"].items() >= metadata.items()


def test_nested_metadata_which_the_screens_cannot_print_are_refused(database: Database, service: Connection) -> None:
    with refused("22023"):
        call(service, "write_hq_log", level="info", source="autopilot", message="x", metadata={"a": {"b": 1}})

    assert not database.rows("select from hq.structured_logs where message = 'x'")
