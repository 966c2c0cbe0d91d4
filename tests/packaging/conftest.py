"""A wheel of the working tree, installed alone: what is deployed, without the checkout beside it."""

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """An environment that holds our wheel and, of this one, only the dependencies."""

    folder: Path
    wheel: Path

    @property
    def emocare(self) -> Path:
        return self.folder / "bin" / "emocare"

    def run(self, *arguments: str, cwd: Path, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command as an operator would, from any folder."""
        environment = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8", "COLUMNS": "200", **variables}
        ended = subprocess.run(
            [self.emocare, *arguments], check=False, capture_output=True, text=True, cwd=cwd, env=environment
        )
        assert ended.returncode == code, ended.stderr
        return ended


def copy_working_tree(target: Path) -> None:
    """Copy what Git knows or would add: neither caches nor an older build comes along."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file() and name.split("/")[0] not in {"tests", "docs", "bench", "devstack"}:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target / name)


def build_wheel(source: Path, target: Path, commit: str) -> Path:
    """Build without the network, as the image does: the commit is given, because the build context has no .git."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run(
        [*command, "--no-deps", "--no-build-isolation", "--wheel-dir", target, source],
        check=True,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "EMOCARE_COMMIT": commit},
    )
    (wheel,) = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Build the wheel and install it alone in a clean environment; dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("installation")
    copy_working_tree(folder / "source")
    wheel = build_wheel(folder / "source", folder / "dist", commit="c0ffee1" + "0" * 33)
    shutil.rmtree(folder / "source")
    return Installation(install(wheel, folder / "venv", Path(sysconfig.get_path("purelib"))), wheel)


@pytest.fixture
def installation_without_traces(installation: Installation, tmp_path: Path) -> Installation:
    """Install the same wheel where nothing of its extra `traces` is installed."""
    dependencies = tmp_path / "dependencies"
    dependencies.mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith("opentelemetry"):
            (dependencies / package.name).symlink_to(package)
    return Installation(install(installation.wheel, tmp_path / "venv", dependencies), installation.wheel)


def install(wheel: Path, folder: Path, dependencies: Path) -> Path:
    """Make an environment of the wheel, and of what it depends on, found in a folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    # A path that comes from a .pth file is searched last, and its own .pth files, ours for the checkout among them,
    # are not read.
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", "--ignore-installed", wheel], check=True)
    return folder
