"""A transaction that somebody left open keeps every dead row of the queue: no call may read them all."""

from support.calls import USAGE, call, claim_one, lease, request, settle, step
from support.database import Database

RUNS = 40


def test_no_call_of_a_runs_path_reads_what_an_old_transaction_keeps(database: Database) -> None:
    """The plans are made while the queue is empty, when to read all of it looks cheapest, and are kept."""
    with database.connect() as forgotten:
        forgotten.execute("begin isolation level repeatable read; select from hq.run_queue")
        before = _reads(database)

        for _ in range(RUNS):
            request(database.sql, "CODE_REVIEW", force=True)
            claimed = claim_one(database.sql)
            call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(), usage=USAGE)
            settle(database.sql, claimed, usage=USAGE)

        after = _reads(database)
    assert after["whole"] == before["whole"]
    # What was ever leased is in the index by worker: one entry per run, read by nobody.
    assert after["leased"] - before["leased"] < RUNS


def _reads(database: Database) -> dict[str, int]:
    database.rows("select pg_stat_force_next_flush()")
    return database.one(
        "select t.seq_scan as whole, i.idx_tup_read as leased"
        " from pg_stat_user_tables as t join pg_stat_user_indexes as i using (relid)"
        " where i.indexrelname = 'run_queue_leased'"
    )
