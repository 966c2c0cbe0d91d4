"""Own one local PostgreSQL: create it, start it, break it, clone its databases and never leave it behind.

Tests and the development stack need a real server in a folder of their own.
All of it is for throw-away data on the loopback interface: every password is `postgres`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import psycopg
from psycopg import sql

from devstack.programs import Account, Flavour, Install, PostgresError, temporary_stand_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

SUPERUSER = "supabase_admin"
PASSWORD = "postgres"
HOST = "127.0.0.1"

StopMode = Literal["smart", "fast", "immediate"]

_log = logging.getLogger("devstack.postgres")

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_DYING_SECONDS = 10.0
_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

# Below the range from which Linux takes the ports of outgoing connections: while the server is down, a client
# that keeps reconnecting must neither be given its port nor end up connected to itself.
_PORTS = range(20000, 32000)

# What a socket address can hold, less the name that PostgreSQL adds to the folder.
_SOCKET_FOLDER_CHARS = 107 - len("/.s.PGSQL.65535")

# Reads from a pipe which postmaster runs, and goes on when the only holder of the other end is gone, in whatever
# way. It names a process and not a folder, because a successor may have started there meanwhile.
_WATCHDOG = """
while read -r line; do pid=$line; done
for signal in INT QUIT KILL; do
  kill -s "$signal" "$pid" || break
  for tenth in $(seq 100); do
    sleep 0.1
    [ "$(head -n 1 "$1/postmaster.pid")" = "$pid" ] || break 2
  done
done
if [ -n "$2" ] && ! [ -e "$1/postmaster.pid" ]; then rm -rf "$1"; fi
"""


class PortTakenError(PostgresError):
    """Another program listens on the wanted port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} of {HOST} is taken by another program")
        self.port = port


class FolderInUseError(PostgresError):
    """The data folder belongs to a running PostgreSQL, or to something that is no PostgreSQL."""


class PostgresCluster:
    """One running PostgreSQL and its data folder.

    The folder is created at the first start and found again at the next.
    When this process ends without `stop()`, even by SIGKILL, a watchdog stops the server.
    """

    def __init__(
        self, install: Install, account: Account, data_dir: Path, settings: dict[str, str], *, ephemeral: bool
    ) -> None:
        self._install = install
        self._account = account
        self._settings = settings
        self._ephemeral = ephemeral
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self.data_dir = data_dir
        self.port = 0

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *,
        port: int | None = None,
        cron_database: str = "postgres",
        settings: Mapping[str, str] = {},
        durable: bool = False,
        ephemeral: bool = False,
    ) -> Self:
        """Start the server on the folder, creating it if needed, and wait until it takes connections.

        As root, a folder out of reach of the server's account is replaced by one under the system's temporary
        folder; see `data_dir`. `port=None` picks a free one. `durable` brings back the disk synchronisation
        that throw-away data does without.
        An `ephemeral` folder starts empty and is removed when the server stops for good.
        Raises: PortTakenError (choose another), FolderInUseError, PostgresError.
        """
        account = Account.for_server()
        install = Install.find(account)
        folder = _reachable_folder(data_dir.absolute(), account)
        base = _base_settings(install, folder, cron_database=cron_database, durable=durable)
        cluster = cls(install, account, folder, base | dict(settings), ephemeral=ephemeral)
        cluster._prepare_folder(sync=durable)
        try:
            cluster._start_watchdog()
            cluster._boot_on(port)
        except BaseException:
            cluster.stop("immediate")
            raise
        return cluster

    @property
    def flavour(self) -> Flavour:
        """Where the programs come from."""
        return self._install.flavour

    @property
    def version(self) -> str:
        """The full version, such as 15.18."""
        return self._install.version

    @property
    def has_pg_cron(self) -> bool:
        """Whether the extension pg_cron can be created, in the cron database only."""
        return self._install.has_pg_cron

    def has_extension(self, name: str) -> bool:
        """Whether an extension can be created."""
        return self._install.has_extension(name)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None while it is down."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log_file(self) -> Path:
        """What the server has to say."""
        return self.data_dir / "server.log"

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Address of a database for libpq, psycopg and PostgREST."""
        return f"postgresql://{user}:{PASSWORD}@{HOST}:{self.port}/{database}"

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server for good; harmless when it is down."""
        self._halt(mode)
        if self._watchdog is not None:
            # Before anybody can start another server on the folder, which the watchdog would then stop.
            os.killpg(self._watchdog.pid, signal.SIGKILL)
            self._watchdog.communicate()
            self._watchdog = None
        if self._ephemeral:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def restart(self, mode: Literal["fast", "immediate"] = "fast", *, away_seconds: float = 0) -> None:
        """Stop the server, unless it is down already, and start it on the same port, after a while."""
        self._halt(mode)
        time.sleep(away_seconds)
        self._boot()

    def kill(self) -> None:
        """Kill the postmaster as a crash would, with no chance to say goodbye; `restart()` brings it back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._tell_watchdog(None)

    def clone(self, template: str, name: str) -> None:
        """Copy a database, to which nobody may be connected, under a new name and the same owner."""
        with self._connect() as connection:
            owner = connection.execute(
                "select pg_catalog.pg_get_userbyid(datdba) from pg_catalog.pg_database where datname = %s",
                [template],
            ).fetchone()
            if owner is None:
                raise PostgresError(f"there is no database `{template}` to clone")
            # Copying files beats logging every page, for small databases without disk synchronisation.
            statement = sql.SQL("create database {} template {} owner {} strategy file_copy")
            connection.execute(
                statement.format(sql.Identifier(name), sql.Identifier(template), sql.Identifier(owner[0]))
            )

    def drop(self, name: str) -> None:
        """Drop a database, even while it is in use."""
        with self._connect() as connection:
            # `with (force)` ends sessions, but refuses while one of them holds a replication slot.
            connection.execute(
                "select pg_catalog.pg_terminate_backend(active_pid, 5000)"
                " from pg_catalog.pg_replication_slots where database = %s and active",
                [name],
            )
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def set_cron_database(self, name: str) -> None:
        """Let pg_cron live in another database from now on, which restarts the server.

        Only there may the extension be created and do its jobs run, and that database cannot be cloned,
        because pg_cron stays connected to it. So a template with pg_cron in it is built while it is the cron
        database, and cloned after another one took its place.
        """
        if not self.has_pg_cron:
            return
        self._settings["cron.database_name"] = name
        self.restart()
        with self._connect(name) as connection:
            if connection.execute("select pg_catalog.to_regclass('cron.job')").fetchone() != (None,):
                # Jobs that came with a template still name another database as the place to run in.
                connection.execute(
                    "update cron.job set database = pg_catalog.current_database()"
                    " where database <> pg_catalog.current_database()"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _connect(self, database: str = "template1") -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.dsn(database, SUPERUSER), autocommit=True, connect_timeout=5)

    def _prepare_folder(self, *, sync: bool) -> None:
        """Make the folder one that this release can start on."""
        folder = self.data_dir
        if folder.exists() and any(folder.iterdir()):
            if not (folder / "PG_VERSION").exists() and not (folder / "pg_wal").exists():
                raise FolderInUseError(f"{folder} holds files that are no PostgreSQL database; choose another folder")
            self._clear_stale_pid()
            flaw = self._flaw()
            if flaw is None:
                return
            _log.warning("%s %s: creating it again for PostgreSQL %s", folder, flaw, self._install.major)
            # Renamed first: a removal that is cut short must not leave half a folder under the real name.
            condemned = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            folder.rename(condemned)
            shutil.rmtree(condemned)
        self._initialise(sync=sync)

    def _flaw(self) -> str | None:
        """Say why the database in the folder cannot be used, or None if it can."""
        folder = self.data_dir
        if not all((folder / name).exists() for name in ("PG_VERSION", "pg_hba.conf", "global/pg_control")):
            return "was never finished"
        if (made_by := (folder / "PG_VERSION").read_text().strip()) != str(self._install.major):
            return f"was made by PostgreSQL {made_by}"
        return "was left behind by an earlier run" if self._ephemeral else None

    def _initialise(self, *, sync: bool) -> None:
        """Run initdb beside the folder and rename the result, so that the folder is complete or absent."""
        parent = self.data_dir.parent
        staging = Path(tempfile.mkdtemp(prefix=f".{self.data_dir.name}-", dir=parent))
        try:
            with tempfile.NamedTemporaryFile("w", prefix="devstack-") as password:
                password.write(PASSWORD)
                password.flush()
                for path in (staging, password.name):
                    os.chown(path, self._account.uid, self._account.gid)
                self._account.run(
                    self._install.bin_dir / "initdb",
                    *("-D", staging, "-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={password.name}"),
                    *("--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C"),
                    *([] if sync else ["--no-sync"]),
                )
            staging.rename(self.data_dir)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _clear_stale_pid(self) -> None:
        """Remove the trace of a dead server; give a dying one, whose owner was killed, the time to finish."""
        pid_file = self.data_dir / "postmaster.pid"
        deadline = time.monotonic() + _DYING_SECONDS
        while (pid := _recorded_pid(pid_file)) and _is_server_of(pid, self.data_dir):
            if time.monotonic() > deadline:
                raise FolderInUseError(
                    f"another PostgreSQL (process {pid}) runs on {self.data_dir}: "
                    "stop what started it, most often another `make dev`"
                )
            time.sleep(0.1)
        pid_file.unlink(missing_ok=True)

    def _start_watchdog(self) -> None:
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, "watchdog", str(self.data_dir), "remove" if self._ephemeral else ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for Python, which stops things in order
            **self._account.popen_options(),
        )

    def _tell_watchdog(self, pid: int | None) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # somebody killed it, which is no reason to fail
                self._watchdog.stdin.write(f"{pid or ''}\n".encode())
                self._watchdog.stdin.flush()

    def _boot_on(self, port: int | None) -> None:
        """Boot on the given port, or on a free one, again if somebody is faster."""
        if port is not None:
            self.port = port
            self._boot()
            return
        for attempt in range(10):
            self.port = _free_port()
            try:
                self._boot()
            except PortTakenError:
                if attempt == 9:
                    raise
            else:
                return

    def _boot(self) -> None:
        """Start the postmaster and wait until it takes connections."""
        deadline = time.monotonic() + _START_SECONDS
        while (complaint := self._try_boot(deadline)) is not None:
            if "Address already in use" in complaint:
                raise PortTakenError(self.port)
            # Sessions of a killed postmaster need a moment to notice.
            if "pre-existing shared memory block" not in complaint or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start on {self.data_dir}:\n{complaint}")
            time.sleep(0.1)

    def _try_boot(self, deadline: float) -> str | None:
        """Start the postmaster once; return None when it is ready, else what its log says."""
        arguments = [f"--{name}={value}" for name, value in self._settings.items()]
        with self.log_file.open("ab") as log:
            log_start = log.tell()
            self._process = subprocess.Popen(
                [self._install.bin_dir / "postgres", "-D", self.data_dir, f"--port={self.port}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._account.popen_options(),
            )
        self._tell_watchdog(self._process.pid)
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._is_ready(self._process.pid):
                return None
            time.sleep(0.01)
        self._halt("immediate")
        return self.log_file.read_bytes()[log_start:].decode(errors="replace") or "(it said nothing)"

    def _is_ready(self, pid: int) -> bool:
        """Whether this very postmaster, and not another program on the port, takes connections."""
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        if len(lines) < 8 or lines[0] != str(pid) or lines[7].strip() != "ready":
            return False
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _halt(self, mode: StopMode) -> None:
        """Stop the postmaster, with more force if it does not obey."""
        process, self._process = self._process, None
        if process is None:
            return
        for signum in (_STOP_SIGNALS[mode], signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(signum)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _log.warning("PostgreSQL (process %s) did not heed signal %s", process.pid, signum)
            else:
                break
        self._tell_watchdog(None)


def _base_settings(install: Install, folder: Path, *, cron_database: str, durable: bool) -> dict[str, str]:
    settings = {
        "listen_addresses": HOST,
        "unix_socket_directories": str(folder) if len(str(folder)) <= _SOCKET_FOLDER_CHARS else "",
        "wal_level": "logical",
        "max_replication_slots": "20",
        "max_wal_senders": "20",
        "max_slot_wal_keep_size": "1GB",  # a forgotten slot must not fill the disk
        "max_connections": "300",
        "max_worker_processes": "32",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",  # we read the log
        "log_line_prefix": "%m [%p] %u@%d ",
    }
    if not durable:
        # Only a crash of the whole machine can lose anything by these two: a killed server has handed its
        # writes to the kernel. `synchronous_commit` stays on: without it, a killed server forgets commits.
        settings |= {"fsync": "off", "full_page_writes": "off"}
    if install.has_pg_cron:
        settings |= {
            "shared_preload_libraries": "pg_cron",
            "cron.database_name": cron_database,
            "cron.use_background_workers": "on",  # else it would connect to localhost without a password
        }
    return settings


def _reachable_folder(data_dir: Path, account: Account) -> Path:
    """Take the folder itself if the server's account can get there, else a temporary stand-in for it."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    if account.is_ours or account.can_enter(data_dir.parent):
        return data_dir
    return temporary_stand_in(data_dir)


def _free_port() -> int:
    for port in random.sample(_PORTS, k=200):
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise PostgresError(f"no free port between {_PORTS.start} and {_PORTS.stop}")


def _recorded_pid(pid_file: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        return int(pid_file.read_text().splitlines()[0])
    return None


def _is_server_of(pid: int, folder: Path) -> bool:
    """Whether the process lives and was started on the folder: process ids are given out again."""
    try:
        # The command line, unlike the working folder, may be read whichever account the process belongs to.
        return str(folder) in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        pass
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(pid, 0)  # no /proc: any living process of ours must be taken for it
    except OSError:
        return False
    return True
