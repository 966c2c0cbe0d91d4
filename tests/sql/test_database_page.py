"""docs/database.md says what the catalogue says."""

from collections.abc import Callable

from support.database import Database

from devstack.describe import PAGE, render


def test_the_page_is_what_the_catalogue_says(database: Database, our_tables: list[str]) -> None:
    assert PAGE.read_text() == render(database.sql, our_tables), "stale: run `make docs`"


def test_the_page_does_not_depend_on_the_hosts_schema(
    clone: Callable[[str], Database], our_tables: list[str], database: Database
) -> None:
    older = clone("seed_hq")

    assert render(older.sql, our_tables) == render(database.sql, our_tables)
