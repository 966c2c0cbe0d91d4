"""Squawk reads every SQL file of ours: what would lock a table for long, or break whoever still runs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / ".squawk.toml"
EXCLUDED = ",".join(tomllib.loads(CONFIG.read_text())["excluded_rules"])
# The migration sets lock_timeout itself, once for everything that is written again and once for each index.
WRITTEN_AGAIN = (f"--exclude={EXCLUDED},require-lock-timeout",)
OPTIONS = {
    "migrations": (),
    "rpc": WRITTEN_AGAIN,
    "views": WRITTEN_AGAIN,
    "indexes": (*WRITTEN_AGAIN, "--no-assume-in-transaction"),
}


def _squawk(files: list[Path], *options: str) -> str:
    command = [str(Path(sys.executable).with_name("squawk")), "--config", str(CONFIG), *options, *map(str, files)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def test_every_sql_file_is_in_a_folder_that_is_read() -> None:
    assert {path.parent for path in (ROOT / "sql").rglob("*.sql")} == {ROOT / "sql" / name for name in OPTIONS}


@pytest.mark.parametrize("folder", OPTIONS)
def test_squawk_has_nothing_to_say(folder: str) -> None:
    assert _squawk(sorted((ROOT / "sql" / folder).glob("*.sql")), *OPTIONS[folder]) == ""


@pytest.mark.parametrize("folder", OPTIONS)
def test_a_breach_is_caught(folder: str, tmp_path: Path) -> None:
    breach = tmp_path / "breach.sql"
    breach.write_text("set local lock_timeout = '1s';\nalter table hq.runs alter column status type varchar(20);\n")

    assert "changing-column-type" in _squawk([breach], *OPTIONS[folder])
