"""The stack as a program: it says where it is, survives a taken port, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from clients import QUICK

from devstack.processes import Processes, ServiceError
from devstack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from devstack.postgres import PostgresCluster


def processes_about(folder: Path) -> list[str]:
    """The living processes whose command or environment names a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            about = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if state != "Z" and str(folder).encode() in about and process.name != str(os.getpid()):
            found.append(about.decode(errors="replace"))
    return found


async def start_program(folder: Path, *arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start `python -m devstack` and wait until it is ready; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devstack", "--data-dir", str(folder), *arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    printed = (await process.stdout.readuntil(b"Ready.")).decode()
    return process, printed


async def test_the_program_says_where_everything_is_and_stops_cleanly(tmp_path: Path) -> None:
    process, printed = await start_program(tmp_path / "data")
    alive = processes_about(tmp_path / "data")

    process.send_signal(signal.SIGINT)
    await process.communicate()

    for word in ("SUPABASE_URL", "sb_secret_", "sb_publishable_", "postgresql://", "presidente@emocare.test"):
        assert word in printed
    assert len(alive) >= 3
    assert process.returncode == 0
    assert processes_about(tmp_path / "data") == []


async def test_nothing_survives_a_killed_program(tmp_path: Path) -> None:
    process, printed = await start_program(tmp_path / "data")
    database = next(line.split()[-1] for line in printed.splitlines() if line.startswith("database"))

    process.kill()
    await process.communicate()

    async with asyncio.timeout(20):
        while processes_about(tmp_path / "data"):  # noqa: ASYNC110 - they are other processes
            await asyncio.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database).close()


def test_a_taken_port_is_replaced_by_the_next_free_one(
    open_stack: Callable[..., AbstractContextManager[Stack]], caplog: pytest.LogCaptureFixture
) -> None:
    with open_stack() as other, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Stack.start(cluster=other.cluster, database=other.database, port=port, tuning=QUICK) as stack:
            assert stack.url != f"http://127.0.0.1:{port}"
            assert stack.sign_in()

    assert f"port {port} is taken by another program" in caplog.text


def test_the_vendors_stand_in_when_they_are_asked_for(cluster: PostgresCluster) -> None:
    with Stack.start(cluster=cluster, port=None, vendors=True) as stack:
        assert httpx.get(f"{stack.vendors_url}/_health").status_code == 204


def test_a_folder_from_an_earlier_start_keeps_its_keys_and_its_rows(tmp_path: Path) -> None:
    with Stack.start(data_dir=tmp_path / "data", port=None, tuning=QUICK) as first:
        with psycopg.connect(first.database_url, autocommit=True) as connection:
            connection.execute("create table public.kept ()")
        token, keys = first.sign_in(), (first.anon_key, first.secret_key)

    with Stack.start(data_dir=tmp_path / "data", port=None, tuning=QUICK) as second:
        with psycopg.connect(second.database_url) as connection:
            kept = connection.execute("select to_regclass('public.kept') is not null").fetchone()
        assert kept == (True,)
        assert (second.anon_key, second.secret_key) == keys
        assert httpx.get(f"{second.url}/auth/v1/user", headers={"authorization": f"Bearer {token}"}).status_code == 200

    with pytest.raises(ServiceError, match="holds the schema `head`, not `seed`"):
        Stack.start(data_dir=tmp_path / "data", variant="seed", port=None)


def test_a_service_that_cannot_start_is_named_with_its_reason(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start("lame", ["sh", "-c", "echo I am lame; exit 3"], {})

    with pytest.raises(ServiceError, match=r"lame ended with status 3:\nI am lame"):
        processes.wait_until("lame", lambda: False)
    processes.close()
