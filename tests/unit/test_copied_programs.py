"""PostgreSQL's programs, copied to where its account can run them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.programs import Account, _reachable, temporary_stand_in


class Shut(Account):
    """An account that cannot reach our folder."""

    def can_enter(self, folder: Path) -> bool:
        del folder
        return False


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "native" / "bin"
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(temporary_stand_in(folder), ignore_errors=True)


def test_another_version_at_the_same_place_is_copied_again(programs: Path, tmp_path: Path) -> None:
    copies = []
    for version in ("17.10", "17.10", "17.11"):
        (programs / "postgres").write_text(version)
        os.utime(programs / "postgres", (0, 0))  # as npm does
        copies.append(_reachable(programs, tmp_path, ("native",), Shut(1, 1)) / "postgres")

    assert copies[0] == copies[1]
    assert [copy.read_text() for copy in copies[1:]] == ["17.10", "17.11"]
