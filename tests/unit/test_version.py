"""The version is written in one place, and is shown with the commit that runs."""

import subprocess
import tomllib
from pathlib import Path

from workers.version import read_version

PROJECT = Path(__file__).parents[2]


def test_a_checkout_shows_the_version_of_the_project_and_its_commit() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True, cwd=PROJECT
    ).stdout

    assert read_version() == f"{project['version']}+{commit[:7]}"


def test_no_other_file_repeats_the_version() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    files = [*(PROJECT / "workers").rglob("*.py"), *(PROJECT / "shared").rglob("*.py"), PROJECT / "setup.py"]

    assert [str(path) for path in files if version in path.read_text()] == []
