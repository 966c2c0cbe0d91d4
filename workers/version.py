"""Which build this is: version (``pyproject.toml``) and commit, for heartbeats, healthz and ``emocare --version``."""

import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).parents[1]
_SHORT: Final = 7
_GIT_TIMEOUT_SECONDS: Final = 5


@cache
def read_version() -> str:
    """Return the version and the commit of the running code.

    Shape: ``0.2.0+abc1234``; ``+unknown`` where neither the wheel nor a Git checkout knows the commit.
    Cost: one call of git per process in a checkout, none in an installed wheel.
    """
    try:
        number = version("emocare-hq-workers")
    except PackageNotFoundError:  # run from a folder that was never installed
        number = "0.0.0"
    return f"{number}+{(_recorded_commit() or _git_commit() or 'unknown')[:_SHORT]}"


def _recorded_commit() -> str:
    """Read what setup.py wrote into the wheel; a checkout has no such file."""
    recorded = files("workers").joinpath("commit.txt")
    return recorded.read_text(encoding="utf-8").strip() if recorded.is_file() else ""


def _git_commit() -> str:
    # Only for our own checkout: an installation may be in a folder that belongs to another repository.
    git = shutil.which("git") if (_PROJECT / ".git").exists() else None
    if git is None:
        return ""
    try:
        asked = subprocess.run(  # noqa: S603 - a constant command
            [git, "rev-parse", "HEAD"],
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_GIT_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip()
