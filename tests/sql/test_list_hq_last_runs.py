"""The latest finished run of each type: what the scheduler's panel shows."""

from support.calls import request, settle, start
from support.database import Connection, Database, rows

TYPES = ["SEO_AUDIT", "CODE_REVIEW", "RGPD_AUDIT"]


def test_the_latest_finished_run_of_each_type_is_listed(database: Database, service: Connection) -> None:
    settle(database.sql, start(database, "SEO_AUDIT", force=True))
    latest = start(database, "SEO_AUDIT", force=True)
    settle(database.sql, latest, "failed")
    reviewed = start(database, "CODE_REVIEW")
    settle(database.sql, reviewed)
    request(database.sql, "SEO_AUDIT", force=True)
    request(database.sql, "RGPD_AUDIT")

    listed = {row["run_type"]: row for row in rows(service, "select * from public.list_hq_last_runs(%s)", TYPES)}

    assert {key: row["run_id"] for key, row in listed.items()} == {
        "SEO_AUDIT": latest["run_id"],
        "CODE_REVIEW": reviewed["run_id"],
    }
    assert listed["SEO_AUDIT"]["status"] == "failed"
    assert all(row["completed_at"] for row in listed.values())
