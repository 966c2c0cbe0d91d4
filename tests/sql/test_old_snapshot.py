"""A transaction that somebody left open keeps every dead row of the queue: no call may read them all."""

from support.calls import USAGE, call, claim_one, lease, request, settle, step
from support.database import Database

RUNS = 40


def test_no_call_of_a_runs_path_reads_what_an_old_transaction_keeps(database: Database) -> None:
    """Neither by plans made of an empty queue, nor by those made once it is known that hardly any run is running."""
    with database.connect() as forgotten:
        forgotten.execute("begin isolation level repeatable read; select from hq.run_queue")
        before = _reads(database)

        for number in range(RUNS):
            if number == RUNS // 2:
                database.run("analyze hq.runs, hq.run_queue, hq.run_requests")
            request(database.sql, "CODE_REVIEW", force=True)
            claimed = claim_one(database.sql)
            call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(), usage=USAGE)
            settle(database.sql, claimed, usage=USAGE)

        after = _reads(database)
    assert after["whole"] == before["whole"]
    # What was ever leased is in the index by worker: one entry per run, read by nobody.
    assert after["leased"] - before["leased"] < RUNS
    assert after["by_status"] - before["by_status"] < RUNS


def _reads(database: Database) -> dict[str, int]:
    database.rows("select pg_stat_force_next_flush()")
    return database.one(
        "select t.seq_scan as whole, i.idx_tup_read as leased, s.idx_tup_read as by_status"
        " from pg_stat_user_tables as t join pg_stat_user_indexes as i using (relid)"
        " join pg_stat_user_indexes as s on s.indexrelname = 'idx_runs_status_created'"
        " where i.indexrelname = 'run_queue_leased'"
    )
