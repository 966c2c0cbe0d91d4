"""The part of the build that pyproject.toml cannot express.

The folder ``sql/`` is installed as the package ``workers.schema.sql``, so that ``importlib.resources`` finds the same
files in a checkout and in an installed wheel. A wheel records the commit that it was built from, because an
installation has no Git history to ask.
"""

import os
import subprocess
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def read_commit() -> str | None:
    """Return the commit being built: EMOCARE_COMMIT where .git is not at hand (an image build), else Git's answer."""
    given = os.environ.get("EMOCARE_COMMIT")
    if given or not (ROOT / ".git").exists():
        return given or None
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


class BuildWithCommit(build_py):
    """Copy the packages, then write the commit beside them; an editable installation asks Git each time."""

    def run(self) -> None:
        """Build as usual."""
        super().run()
        commit = read_commit()
        if commit and not self.editable_mode:
            (Path(self.build_lib) / "workers" / "commit.txt").write_text(f"{commit}\n", encoding="utf-8")


setup(
    packages=[*find_packages(include=["workers*", "shared*"]), "workers.schema.sql"],
    package_dir={"workers.schema.sql": "sql"},
    package_data={"shared": ["prompts/*.md"], "workers.schema.sql": ["*/*.sql"]},
    cmdclass={"build_py": BuildWithCommit},
)
