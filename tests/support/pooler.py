"""The real PgBouncer of Debian between a test and its database."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg

from devstack.postgres import HOST, PASSWORD
from devstack.processes import choose_port
from devstack.programs import Account
from support.database import Database

Mode = Literal["transaction", "session"]

_START_SECONDS = 20


@contextmanager
def pooled(database: Database, mode: Mode, **settings: object) -> Iterator[str]:
    """Start PgBouncer in front of a database; return the address that leads through it."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert program, "pgbouncer is missing: devstack/install.sh installs it"
    account = Account.for_server()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    port = choose_port()
    users = folder / "users.txt"
    users.write_text(f'"postgres" "{PASSWORD}"\n')
    config = folder / "pgbouncer.ini"
    given = {
        "listen_addr": HOST,
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "plain",
        "auth_file": users,
        "pool_mode": mode,
        "query_wait_timeout": 20,
    } | settings
    lines = [f"{name} = {value}" for name, value in given.items()]
    target = f"* = host={HOST} port={database.cluster.port}"
    config.write_text("\n".join(["[databases]", target, "[pgbouncer]", *lines]) + "\n")
    for path in (folder, users, config):
        shutil.chown(path, account.uid, account.gid)
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [program, str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **account.popen_options()
    )
    url = f"postgresql://postgres:{PASSWORD}@{HOST}:{port}/{database.name}"
    try:
        _await(url, process, folder / "log")
        yield url
    finally:
        process.kill()
        process.wait()
        log.close()
        shutil.rmtree(folder)


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise AssertionError(f"PgBouncer did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
