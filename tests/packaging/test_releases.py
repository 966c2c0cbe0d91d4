"""Every release names a commit that this history holds, and has its section in the changelog."""

import json
import re
import subprocess
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]
RELEASES: Final[dict[str, str]] = json.loads((PROJECT / "docs" / "releases.json").read_text())


def _is_ancestor(commit: str) -> bool:
    command = ["git", "merge-base", "--is-ancestor", commit, "HEAD"]
    return subprocess.run(command, cwd=PROJECT, check=False, capture_output=True).returncode == 0


def test_every_release_names_a_whole_commit_of_this_history() -> None:
    assert RELEASES
    assert [release for release in RELEASES.items() if not re.fullmatch(r"[0-9a-f]{40}", release[1])] == []
    missing = [release for release in RELEASES.items() if not _is_ancestor(release[1])]
    assert missing == [], "not in this history; a shallow clone needs: git fetch --unshallow"


def test_every_release_has_a_dated_section_in_the_changelog() -> None:
    sections = re.findall(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert sections == list(RELEASES)
