"""A transaction that somebody left open keeps every dead row of the queue: no call may read them all."""

from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from typing import TypeVar

import pytest
from support.calls import USAGE, call, claim_one, lease, request, settle, step
from support.database import Connection, Database, Row, rows
from support.index_reads import count_entries_read

T = TypeVar("T")

# So many that the index of what is leased is lower than the one by id: of one worker's leases it needs a page, as it
# does for the thousands that a night leaves behind.
KEPT = 400
# After five plans made for their parameters, a session keeps one.
ROUNDS_UNTIL_KEPT = 8
ANALYZE = "analyze hq.runs, hq.run_queue, hq.run_requests"


@pytest.mark.parametrize("is_known", [False, True])
def test_no_call_of_a_runs_path_reads_what_an_old_transaction_keeps(*, is_known: bool, database: Database) -> None:
    """Neither by plans made while the queue was known to be short, nor once hardly any run is known to be leased."""
    with database.connect() as forgotten, ExitStack() as sessions:
        path = RunPath(database, sessions)
        database.run(ANALYZE)
        forgotten.execute("begin isolation level repeatable read; select from hq.run_queue")
        for _ in range(ROUNDS_UNTIL_KEPT):
            path.take()
        _leave_behind(database)
        if is_known:
            database.run(ANALYZE)

        found = path.take()

    # A claim passes over what waited before: it goes by the order in which runs wait. Nothing else does.
    nothing = dict.fromkeys(("whole", "by_worker", "by_status", "by_id", "by_turn"), 0)
    assert found == {
        "request_hq_run": nothing,
        "claim_hq_runs": nothing | {"by_turn": 1},
        "renew_hq_leases": nothing,
        "checkpoint_hq_step": nothing,
        "settle_hq_run": nothing,
        "lease_runs": nothing,
        "release_hq_runs": nothing,
    }


@pytest.mark.parametrize("statement", ["select hq.adopt_runs()", "select public.claim_hq_runs('worker-1', 2, 30)"])
def test_what_is_kept_is_not_read_for_each_run_that_waits(statement: str, database: Database) -> None:
    """Nor by the index of the ids at all, of a queue that was empty when it was vacuumed and analysed."""
    with database.connect() as forgotten, database.connect() as session:
        forgotten.execute("begin isolation level repeatable read; select from hq.run_queue")
        _leave_behind(database)
        database.run(f"vacuum {ANALYZE}")
        database.run("insert into hq.runs (run_type) select 'CODE_REVIEW' from generate_series(1, 20)")
        before = _reads(database)

        for _ in range(ROUNDS_UNTIL_KEPT):
            session.execute(statement)

        session.execute("select pg_stat_force_next_flush()")
        assert _reads(database)["by_id"] - before["by_id"] < KEPT


class RunPath:
    """A run's path, each function in a session that calls no other: they share helpers, and these keep a plan."""

    def __init__(self, database: Database, sessions: ExitStack) -> None:
        self._database = database
        self._sessions = sessions
        self._opened: dict[str, Connection] = {}
        self._numbers = count()

    def take(self) -> dict[str, Row]:
        """Take two runs along it; return how often each function read what only the old transaction can see."""
        found: dict[str, Row] = {}
        others = self._database.sql
        self._read(found, "request_hq_run", lambda session: request(session, "CODE_REVIEW", context=self._context()))
        claimed = self._read(found, "claim_hq_runs", claim_one)
        self._read(
            found,
            "renew_hq_leases",
            lambda session: call(
                session,
                "renew_hq_leases",
                worker_id="worker-1",
                leases=[lease(claimed)],
                lease_seconds=30,
                heartbeat=None,
            ),
        )
        self._read(
            found,
            "checkpoint_hq_step",
            lambda session: call(session, "checkpoint_hq_step", **lease(claimed), step=step(), usage=USAGE),
        )
        self._read(found, "settle_hq_run", lambda session: settle(session, claimed, usage=USAGE))

        asked = request(others, "CODE_REVIEW", force=True)
        leased = self._read(found, "lease_runs", lambda session: _lease(session, asked))
        self._read(found, "release_hq_runs", lambda session: call(session, "release_hq_runs", leases=[lease(leased)]))
        settle(others, _lease(others, asked), usage=USAGE)
        return found

    def _context(self) -> Row:
        """Ask for something else each time: who asks the same again is given the report that was just settled."""
        return {"n": next(self._numbers)}

    def _read(self, found: dict[str, Row], function: str, do: Callable[[Connection], T]) -> T:
        if function not in self._opened:
            self._opened[function] = self._sessions.enter_context(self._database.connect())
        session = self._opened[function]
        before = _reads(self._database)
        done = do(session)
        session.execute("select pg_stat_force_next_flush()")
        after = _reads(self._database)
        # A look-up reads the few versions of a row, and not a part of what is kept.
        found[function] = {name: (after[name] - before[name]) // KEPT for name in after}
        return done


def _lease(session: Connection, asked: Row) -> Row:
    (leased,) = rows(session, "select * from hq.lease_runs('worker-1', 30, array[%s]::uuid[])", asked["run_id"])
    return leased


def _leave_behind(database: Database) -> None:
    """Let many runs wait, be leased and end, each in a transaction of its own."""
    for statement in (
        f"insert into hq.runs (run_type) select 'SEO_AUDIT' from generate_series(1, {KEPT})",
        "update hq.run_queue set worker_id = 'worker-1', leased_until = now(), lease_token = 1",
        "update hq.runs set status = 'running' where status = 'pending'",
        "delete from hq.run_queue",
        "update hq.runs set status = 'completed', completed_at = now() where status = 'running'",
    ):
        database.run(statement)


def _reads(database: Database) -> Row:
    """Count the queue's reads from its beginning to its end, and the entries read of each index that keeps the dead."""
    entries = count_entries_read(database)
    scans = database.one("select seq_scan from pg_stat_user_tables where relid = 'hq.run_queue'::regclass")["seq_scan"]
    return {
        "whole": scans * KEPT,
        "by_worker": entries["run_queue_leased"],
        "by_status": entries["idx_runs_status_created"],
        "by_id": entries["run_queue_pkey"],
        "by_turn": entries["run_queue_waiting"],
    }
