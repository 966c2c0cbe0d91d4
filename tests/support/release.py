"""An earlier release beside the working tree: its own files, from this clone's history."""

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Self

import pytest

PROJECT: Final = Path(__file__).parents[2]
RELEASES: Final[dict[str, str]] = json.loads((PROJECT / "docs" / "releases.json").read_text())


@dataclass(frozen=True)
class Release:
    """The files of a release; its dependencies are those of this environment."""

    name: str
    folder: Path

    @classmethod
    def latest_to_migrate(cls, folder: Path) -> Self:
        """Unpack the latest release whose database our migrations change."""
        ours = [path.name for path in sorted((PROJECT / "sql" / "migrations").glob("*.sql"))]
        for name in reversed(RELEASES):
            listed = _git(name, "ls-tree", "--name-only", RELEASES[name], "sql/migrations/").decode().split()
            if [Path(path).name for path in listed] != ours:
                return cls.unpack(name, folder)
        raise AssertionError("every release has all of our migrations")

    @classmethod
    def unpack(cls, name: str, folder: Path) -> Self:
        """Unpack a release by its name; where the clone lacks its commit, the test fails."""
        with tarfile.open(fileobj=BytesIO(_git(name, "archive", "--format=tar", RELEASES[name]))) as files:
            files.extractall(folder, filter="data")
        release = cls(name, folder)
        found = release.run("-c", "import shared, workers; print(shared.__file__, workers.__file__)")
        assert found.split() == [str(folder / package / "__init__.py") for package in ("shared", "workers")]
        return release

    def run(self, *arguments: str) -> str:
        """Run its Python, as ``python -m workers …`` in its folder would; return what it printed."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder), "NO_COLOR": "1"}
        ended = subprocess.run(
            [sys.executable, *arguments], check=False, capture_output=True, text=True, cwd="/", env=environment
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def migrate(self, database_url: str) -> None:
        """Install its part in a database, as its operator did."""
        self.run("-m", "workers", "migrate", "--database-url", database_url)


def _git(name: str, *arguments: str) -> bytes:
    ended = subprocess.run(["git", *arguments], cwd=PROJECT, check=False, capture_output=True)
    if ended.returncode != 0:
        said = ended.stderr.decode().strip()
        pytest.fail(f"this clone lacks commit {RELEASES[name]} of release {name}: git fetch --unshallow ({said})")
    return ended.stdout
