"""Migrations through the real PgBouncer, in both modes, and beside one another: nothing waits without a word."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest
from support.database import Connection, Database
from support.pooler import pooled

from shared.errors import BackendUnavailable, ConfigurationError
from workers import schema
from workers.schema import sessions

Clone = Callable[[str], Database]

LEDGER = "hashtextextended('hq.worker_migrations', 0)"
LOCKS = (
    "select l.* from pg_locks as l join pg_database as d on d.oid = l.database "
    "where l.locktype = 'advisory' and d.datname = current_database()"
)


@contextmanager
def held_by_hand(database: Database) -> Iterator[Connection]:
    """Hold the lock of migrations in a session, as the version before this one did and left it in a pool."""
    with database.connect() as holder:
        holder.execute("set application_name = 'an older migrate'")
        holder.execute(f"select pg_advisory_lock({LEDGER})".encode())
        yield holder


def migrate_twice_at_once(*urls: str) -> list[schema.Report]:
    reports: list[schema.Report] = []
    threads = [threading.Thread(target=lambda url=url: reports.append(schema.apply(url))) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reports


@pytest.mark.parametrize("path", ["hosted", "local"])
def test_a_pooler_in_transaction_mode_is_refused_by_name_and_keeps_nothing(path: str, clone: Clone) -> None:
    database = clone("head")
    # As Debian sets it up, and with as few sessions as there can be.
    settings = {"default_pool_size": 20 if path == "hosted" else 2}
    with pooled(database, "transaction", **settings) as url:
        for _ in range(3):
            with pytest.raises(
                ConfigurationError, match=r"transaction mode.*direct connection.*port 5432.*session pooler"
            ):
                schema.apply(url)

        assert database.rows(LOCKS) == []
        assert database.one("select to_regclass('hq.worker_migrations') as ledger") == {"ledger": None}
        with psycopg.connect(url, autocommit=True) as anybody:
            assert anybody.execute("show lock_timeout").fetchone() == ("0",)
            assert anybody.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_a_busy_pooler_in_transaction_mode_is_refused_as_well(clone: Clone) -> None:
    database = clone("head")
    with pooled(database, "transaction", server_round_robin=1) as url:
        stop = threading.Event()

        def be_busy() -> None:
            with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
                while not stop.is_set():
                    other.execute("select pg_sleep(0.001)")

        others = [threading.Thread(target=be_busy) for _ in range(4)]
        for other in others:
            other.start()
        try:
            with pytest.raises(ConfigurationError, match="transaction mode"):
                schema.apply(url)
        finally:
            stop.set()
            for other in others:
                other.join()


def test_a_pooler_in_session_mode_migrates_and_keeps_nothing(clone: Clone) -> None:
    database = clone("head")
    with pooled(database, "session", server_reset_query="") as url:
        assert schema.apply(url).changed
        assert not schema.apply(url).changed

        assert database.rows(LOCKS) == []
        with psycopg.connect(url, autocommit=True) as anybody:
            assert anybody.execute("show lock_timeout").fetchone() == ("0",)
            assert anybody.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_two_at_once_through_a_pooler_or_beside_it_wait_for_one_another(clone: Clone) -> None:
    database = clone("head")
    with pooled(database, "session") as url:
        reports = migrate_twice_at_once(url, url, database.url)

    assert [report.changed for report in reports].count(True) == 1
    assert len(reports) == 3


@pytest.mark.parametrize("through", ["nothing", "session"])
def test_who_is_killed_in_the_middle_is_in_nobodys_way(through: str, clone: Clone, tmp_path: Path) -> None:
    database = clone("head")
    with pooled(database, "session", server_reset_query="") as url:
        target = url if through == "session" else database.url
        with database.connect() as page:
            page.execute("begin; insert into hq.runs (run_type, status) values ('IN_USE', 'completed')")
            with (tmp_path / "log").open("wb") as log:
                dying = subprocess.Popen(
                    [sys.executable, "-m", "workers", "migrate"],
                    env=os.environ | {"DATABASE_URL": target},
                    stdout=log,
                    stderr=log,
                )
                deadline = time.monotonic() + 30
                while not database.rows("select from pg_locks where not granted"):
                    assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                    time.sleep(0.02)
                dying.send_signal(signal.SIGKILL)
                dying.wait()
            page.execute("rollback")

        assert schema.apply(target, wait=timedelta(seconds=20)).changed
        assert database.rows(LOCKS) == []


def test_who_waits_says_so_after_five_seconds() -> None:
    assert timedelta(seconds=5) == sessions.SAYS_AFTER


def test_who_waits_for_another_migration_says_for_whom_and_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SAYS_AFTER", timedelta(seconds=0.2))
    said: list[str] = []

    with held_by_hand(database) as holder:
        pid = holder.info.backend_pid
        with pytest.raises(
            BackendUnavailable, match=f"did not end within 0.6 s: pid {pid}, an older migrate"
        ) as raised:
            schema.apply(database.url, wait=timedelta(seconds=0.6), say=said.append)

    assert "pg_terminate_backend" in str(raised.value)
    (line,) = said
    assert f"pid {pid}, an older migrate, role postgres, idle since 20" in line


def test_a_pooler_with_one_free_place_is_named_after_a_while_and_ends(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SAYS_AFTER", timedelta(seconds=0.5))
    open_patiently = sessions.open_session
    monkeypatch.setattr(schema.migrations, "open_session", partial(open_patiently, within=timedelta(seconds=2)))
    database = clone("head")
    said: list[str] = []
    began = time.monotonic()

    with (
        pooled(database, "session", default_pool_size=1) as url,
        pytest.raises(BackendUnavailable, match=r"No free session within 2 s.*needs two sessions.*direct connection"),
    ):
        schema.apply(url, say=said.append)

    assert time.monotonic() - began < 8
    assert said == ["Waiting for a free session of the database or its pooler, 2 s at most."]


def test_a_place_that_becomes_free_is_taken(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SAYS_AFTER", timedelta(seconds=0.5))
    database = clone("head")
    said: list[str] = []
    with pooled(database, "session", default_pool_size=2) as url, psycopg.connect(url) as other:
        other.execute("select 1")
        leaving = threading.Timer(2, other.close)
        leaving.start()

        assert schema.apply(url, say=said.append).changed

        leaving.join()
    # The third session, which names what a migration waits for, finds no place at all.
    assert said[0].startswith("Waiting for a free session")
    assert set(said[1:]) <= {"The pooler has no free session left: what this migration waits for cannot be named."}


def test_who_waits_for_a_lock_says_for_whom(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SAYS_AFTER", timedelta(seconds=0.2))
    said: list[str] = []

    with database.connect() as editor:
        editor.execute("set application_name = 'an editor'")
        # An index that is built concurrently waits for whoever began before it.
        database.run("drop index hq.structured_logs_created")
        editor.execute("begin isolation level repeatable read; select from public.user_roles")
        report = schema.apply(database.url, index_lock_timeout=timedelta(seconds=3), say=said.append)
        pid = editor.info.backend_pid

    assert report.indexes == []
    assert [line for line in said if f"pid {pid}, an editor, role postgres, idle in transaction" in line]
    assert len(said) == len(set(said))
