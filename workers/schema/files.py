"""Our SQL files: package data, so that they are found both in a checkout and in an installed wheel."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from shared.errors import ConfigurationError

# The folder sql/ of a checkout; setup.py makes it this package.
SQL_FOLDER: Final[Traversable] = files("workers.schema.sql")

_SUFFIX: Final = ".sql"
_MIGRATION_NAME: Final = re.compile(r"^(\d{4})_[a-z]+_[a-z0-9_]+$")


@dataclass(frozen=True)
class SqlFile:
    """One of our files: a migration or the definition of a function."""

    kind: str
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Return the digest that the ledger keeps."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_files(folder: Traversable = SQL_FOLDER) -> tuple[SqlFile, ...]:
    """Read every file, in the order in which they are applied.

    Raises: ConfigurationError when there are no files, or when a migration's number is taken twice or skipped.
    """
    migrations = [SqlFile("migration", *named) for named in _read(folder, "migrations")]
    for expected, migration in enumerate(migrations, start=1):
        match = _MIGRATION_NAME.match(migration.name)
        if match is None or int(match[1]) != expected:
            raise ConfigurationError(
                f"sql/migrations/{migration.name}.sql: expected {expected:04d}_verb_object.sql; "
                "numbers are neither skipped nor taken twice."
            )
    # '_' sorts before letters: private helpers exist before the functions that call them.
    functions = [SqlFile("function", *named) for named in _read(folder, "rpc")]
    return (*migrations, *functions)


def read_indexes(folder: Traversable = SQL_FOLDER) -> dict[str, str]:
    """Read the indexes that are built without blocking writers: name → its one statement."""
    return dict(_read(folder, "indexes"))


def read_views(folder: Traversable = SQL_FOLDER) -> dict[str, str]:
    """Read the operators' views, which no program reads: name → its definition."""
    return dict(_read(folder, "views"))


def _read(folder: Traversable, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file of one kind, by name.

    Raises: ConfigurationError when there is none: with an empty list, an empty database would look complete.
    """
    place = folder.joinpath(kind)
    found = {entry.name: entry for entry in place.iterdir() if entry.name.endswith(_SUFFIX)} if place.is_dir() else {}
    if not found:
        raise ConfigurationError(
            f"No SQL file in {place}: this installation is incomplete. Install the wheel again, "
            "or run `make setup` in the checkout."
        )
    for name in sorted(found):
        yield name.removesuffix(_SUFFIX), found[name].read_text(encoding="utf-8")
