"""The viewer's list stays as quick as it is on an empty table, however it is filtered."""

import itertools
from collections.abc import Callable

import pytest
from support.database import OWNER, Connection, Database, one, rows

LOGS = 60_000
ASKED = 50


@pytest.fixture(params=["seed", "head"])
def full(request: pytest.FixtureRequest, clone: Callable[[str], Database]) -> Database:
    database = clone(f"{request.param}_hq")
    # Shares as in life: mostly information, few errors; a source that writes all the time and one that seldom does.
    database.run(
        "insert into hq.structured_logs (level, source, message, created_at) select "
        "case when n %% 100 = 0 then 'error' when n %% 10 = 0 then 'warn' else 'info' end, "
        "case when n %% 50 = 7 then 'scheduler' when n %% 2 = 0 then 'edge_function' else 'system' end, "
        "'x', now() - n * interval '30 seconds' from generate_series(1, %s) as n",
        LOGS,
    )
    database.run("vacuum analyze hq.structured_logs")
    return database


def _rows_read(session: Connection) -> dict[str, int]:
    return one(
        session,
        "select seq_scan, seq_tup_read, idx_tup_fetch from pg_stat_xact_user_tables "
        "where relid = 'hq.structured_logs'::regclass",
    )


FILTERS = set(itertools.product([None, "info", "error"], [None, "edge_function", "scheduler"]))


@pytest.mark.parametrize(
    ("level", "source"), sorted(FILTERS - {("error", "scheduler")}, key=str)
)  # of which there is none
def test_the_list_reads_little_more_than_it_shows(level: str | None, source: str | None, full: Database) -> None:
    with full.connect() as session:
        session.execute("begin")
        session.execute(f"""set local request.jwt.claims = '{{"sub": "{OWNER}"}}'""".encode())
        for _ in range(7):  # from the sixth call on a plan for any filter would be taken, if it looked cheaper
            found = rows(session, "select level, source from public.get_hq_logs(%s, %s, %s)", ASKED, level, source)
        read = _rows_read(session)

    assert len(found) == ASKED
    assert all(row["level"] == level or level is None for row in found)
    assert (read["seq_scan"], read["seq_tup_read"]) == (0, 0)
    # One source or level among many is looked for in the index of the other; never in the whole table.
    assert read["idx_tup_fetch"] <= 7 * ASKED * 50


def test_the_unfiltered_list_has_an_index_of_its_own(full: Database) -> None:
    """Without it the whole table is read and sorted."""
    full.run("drop index hq.structured_logs_created")
    full.run("begin")
    full.run(f"""set local request.jwt.claims = '{{"sub": "{OWNER}"}}'""")

    full.rows("select id from public.get_hq_logs(50)")

    assert _rows_read(full.sql)["seq_tup_read"] == LOGS
