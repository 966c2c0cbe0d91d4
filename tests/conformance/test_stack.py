"""The stack as a program: it says where it is, survives a taken port, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import multiprocessing.util
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from support.clients import QUICK

from devstack.clean import remove_stand_ins
from devstack.postgres import PostgresCluster
from devstack.processes import Processes, ServiceError, choose_port, is_port_free
from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


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


def kill_who_listens(port: int) -> None:
    """Kill the process that was told to listen on this port."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"PORT={port}".encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


async def start_program(folder: Path, *arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start `python -m devstack` and wait until it is ready; return what it printed."""
    port = [] if "--port" in arguments else ["--port", str(choose_port())]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devstack", "--data-dir", str(folder), *port, *arguments),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    printed = (await process.stdout.readuntil(b"Ready.")).decode()
    return process, printed


async def refused_program(folder: Path, *arguments: str) -> str:
    """Start `python -m devstack` where it cannot; return all that it printed, as one line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devstack", "--data-dir", str(folder), "--port", str(choose_port()), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
    )
    printed, _ = await process.communicate()
    assert process.returncode == 1
    return " ".join(printed.decode().split())


def address(printed: str, name: str) -> str:
    """What the program printed beside this name."""
    return next(line.removeprefix(name).split()[0] for line in printed.splitlines() if line.startswith(name))


def port_of(printed: str, name: str) -> int:
    """The port of an address that the program printed."""
    port = urlsplit(address(printed, name)).port
    assert port is not None
    return port


async def stop_program(process: asyncio.subprocess.Process) -> None:
    """End the program as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


async def test_the_program_says_where_everything_is_and_stops_cleanly(folder: Path) -> None:
    process, printed = await start_program(folder)
    alive = processes_about(folder)

    await stop_program(process)

    assert f"In another terminal, in {Path(__file__).parents[2]}:" in printed
    assert address(printed, "mailbox") == f"{folder}/mailbox:"
    for word in ("SUPABASE_URL", "sb_secret_", "sb_publishable_", "postgresql://", "presidente@emocare.test"):
        assert word in printed
    assert len(alive) >= 3
    assert processes_about(folder) == []
    assert is_port_free(port_of(printed, "worker"))


async def test_the_program_serves_the_functions_with_a_worker_and_says_when_it_dies(folder: Path) -> None:
    process, printed = await start_program(folder)
    assert process.stdout is not None
    url, key = address(printed, "SUPABASE_URL"), address(printed, "publishable key")
    login = {"email": OWNER_EMAIL, "password": OWNER_PASSWORD}
    async with httpx.AsyncClient(base_url=url, headers={"apikey": key}, timeout=30) as page:
        token = (await page.post("/auth/v1/token?grant_type=password", json=login)).json()["access_token"]
        page.headers["authorization"] = f"Bearer {token}"
        run = (await page.post("/functions/v1/executive-run", json={"run_type": "DAILY_EXECUTIVE_BRIEF"})).json()
        assert (run["run_type"], run.get("error")) == ("DAILY_EXECUTIVE_BRIEF", None)

        kill_who_listens(port_of(printed, "worker"))

        assert "The worker died" in (await process.stdout.readuntil(b"died")).decode()
        assert (await page.post("/functions/v1/check-api-status")).status_code == 503
    await stop_program(process)


async def test_a_second_start_is_at_the_same_addresses(folder: Path) -> None:
    known, port = [], str(choose_port())
    for _ in range(2):
        process, _printed = await start_program(folder, "--port", port)
        known.append((folder / "worker.env").read_text())
        await stop_program(process)

    assert known[0] == known[1]
    assert {"SUPABASE_URL", "LLM_BASE_URL", "GITHUB_API_URL", "DATABASE_URL", "PORT"} <= {
        line.partition("=")[0] for line in known[0].splitlines()
    }


async def test_a_folder_that_another_version_made_is_refused_with_the_remedy(folder: Path) -> None:
    process, printed = await start_program(folder)
    with psycopg.connect(address(printed, "database")) as connection:
        connection.execute("drop function public.get_hq_run(uuid)")
        connection.execute("create function public.get_hq_run(p_run_id uuid) returns text return 'another'")
    await stop_program(process)

    reported = await refused_program(folder)

    assert "remove that folder" in reported
    assert "Traceback" not in reported
    assert processes_about(folder) == []


async def test_what_cannot_be_is_refused_in_a_line(folder: Path) -> None:
    page = "/nowhere/[red]/[/]"  # rich's own notation, which must not eat the name

    assert await refused_program(folder, "--dist", page) == (
        f"Could not start: {page} holds no index.html: build the frontend there first"
    )
    assert "Could not start: no free port" in await refused_program(folder, "--port", "65534")


async def test_bare_is_the_project_alone(folder: Path, http: httpx.AsyncClient) -> None:
    process, printed = await start_program(folder, "--bare")
    answer = await http.post(f"{address(printed, 'SUPABASE_URL')}/functions/v1/executive-run")

    assert answer.status_code == 503
    assert "vendors" not in printed
    assert not (folder / "worker.env").exists()
    await stop_program(process)


async def test_nothing_survives_a_killed_program(folder: Path) -> None:
    process, printed = await start_program(folder)

    process.kill()
    await process.communicate()

    async with asyncio.timeout(20):
        while processes_about(folder):  # noqa: ASYNC110 - they are other processes
            await asyncio.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address(printed, "database")).close()
    assert is_port_free(port_of(printed, "worker"))


def test_a_project_of_its_own_leaves_no_folder(
    cluster: PostgresCluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    multiprocessing.util.get_temp_dir()  # made once per process, for whatever is forked later: not here
    monkeypatch.setattr(tempfile, "tempdir", str(folder.parent))
    assert cluster.port

    Stack.start(port=None, tuning=QUICK).stop()

    assert list(folder.parent.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for PostgreSQL")
def test_what_stands_in_for_an_unreachable_folder_is_removed_by_clean(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with PostgresCluster.start(tmp_path / ".devstack" / "postgres") as server:
        kept = server.data_dir
    assert kept.exists()
    assert not kept.is_relative_to(tmp_path)

    remove_stand_ins(tmp_path)

    assert not kept.exists()


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


def test_a_folder_from_an_earlier_start_keeps_its_keys_and_its_rows(folder: Path) -> None:
    with Stack.start(data_dir=folder, port=None, tuning=QUICK) as first:
        with psycopg.connect(first.database_url, autocommit=True) as connection:
            connection.execute("create table public.kept ()")
        token, keys = first.sign_in(), (first.anon_key, first.secret_key)

    with Stack.start(data_dir=folder, port=None, tuning=QUICK) as second:
        with psycopg.connect(second.database_url) as connection:
            kept = connection.execute("select to_regclass('public.kept') is not null").fetchone()
        assert kept == (True,)
        assert (second.anon_key, second.secret_key) == keys
        headers = {"apikey": second.anon_key, "authorization": f"Bearer {token}"}
        assert httpx.get(f"{second.url}/auth/v1/user", headers=headers).status_code == 200

    with pytest.raises(ServiceError, match="holds the schema `head`, not `seed`"):
        Stack.start(data_dir=folder, variant="seed", port=None)


def test_a_service_that_cannot_start_is_named_with_its_reason(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start("lame", ["sh", "-c", "echo I am lame; exit 3"], {})

    with pytest.raises(ServiceError, match=r"lame ended with status 3:\nI am lame"):
        processes.wait_until("lame", lambda: False)
    processes.close()
