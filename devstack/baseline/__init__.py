"""The database that the workers are installed on: what Supabase brings, and the HQ application, in words of ours.

Two variants frame what may be met in the field: `seed`, the application on 28 February 2026, and `head`, on
3 May 2026. Known defects of its functions are kept, because the workers must live with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import psycopg

__all__ = ["BaselineExistsError", "Variant", "apply_baseline"]

Variant = Literal["seed", "head"]

_FOLDER = Path(__file__).parent
_APPLICATION = {"seed": ("seed.sql",), "head": ("seed.sql", "head.sql", "head_functions.sql")}


class BaselineExistsError(Exception):
    """The database holds an HQ schema already, which is nobody's to overwrite."""


def apply_baseline(dsn_admin: str, variant: Variant, *, demo: bool = True) -> None:
    """Build the baseline in a database as its superuser, all of it or nothing.

    `demo` adds the people, platforms and agents that a live project has and no migration makes.
    pg_cron is created, and the host's jobs are scheduled, only in the server's cron database.
    Raises: BaselineExistsError.
    """
    with psycopg.connect(dsn_admin) as connection:
        if connection.execute("select pg_catalog.to_regnamespace('hq') is not null").fetchone() == (True,):
            raise BaselineExistsError(f"`{connection.info.dbname}` has a schema hq; take an empty database")
        _run_file(connection, "supabase.sql")
        # What follows must be possible for, and belong to, a role that is no superuser.
        connection.execute("set session authorization postgres")
        for name in _APPLICATION[variant]:
            _run_file(connection, name)
        if demo:
            _run_file(connection, "demo.sql")


def _run_file(connection: psycopg.Connection, name: str) -> None:
    connection.execute((_FOLDER / name).read_bytes())
