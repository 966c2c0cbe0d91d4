"""How many entries of each index have been read: what a plan costs, whatever the machine."""

from support.database import Database


def count_entries_read(database: Database) -> dict[str, int]:
    """Count the entries read so far of each index of the HQ, by its name."""
    database.rows("select pg_stat_force_next_flush()")
    return {
        row["indexrelname"]: row["idx_tup_read"]
        for row in database.rows("select indexrelname, idx_tup_read from pg_stat_user_indexes where schemaname = 'hq'")
    }
