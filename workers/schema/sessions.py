"""The sessions of a migration: one migration at a time, no pooler that swaps sessions, no silent waiting.

A pooler in transaction mode gives each transaction a different database session, so a setting, a lock or a prepared
statement of the session would end up with another client. Most of a migration could do without them; building an
index concurrently, which cannot be part of a transaction and needs its own lock_timeout, could not: such a pooler is
refused explicitly. The lock that admits one migration at a time nevertheless belongs to a transaction, in a session
that does nothing else: a migration that is killed leaves nothing behind, whatever pooler is in between.
A concurrent index build waits for the end of every transaction that it once saw with a snapshot. So that transaction
runs no further statement, and whoever waits for the lock tries each time in a transaction of its own.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Final, Self

import psycopg
from psycopg.rows import dict_row

from shared.errors import BackendUnavailable, ConfigurationError

Say = Callable[[str], None]
Session = psycopg.Connection[Any]

LONGEST_WAIT: Final = timedelta(minutes=5)
"""How long a migration waits for another one."""

LONGEST_WAIT_FOR_PLACE: Final = timedelta(minutes=1)
"""How long it waits for a session that a pooler has no free place for."""

SAYS_AFTER: Final = timedelta(seconds=5)
"""How long it waits for anything before it reports what it waits for."""

RIGHT_URLS: Final = (
    "the direct connection (db.PROJECT.supabase.co, port 5432) or the session pooler "
    "(….pooler.supabase.com, port 5432; it also has IPv4)"
)
_TRANSACTION_MODE: Final = (
    "This is a pooler in transaction mode, which gives every statement another session, and a migration needs one "
    f"of its own. Take {RIGHT_URLS}, not port 6543."
)
_PLACES: Final = (
    "A migration needs two sessions, and a third one to name what it waits for: end other clients of the pooler, "
    "give it a larger pool, or take the direct connection (db.PROJECT.supabase.co, port 5432)."
)
_TRANSACTION_PORT: Final = 6543
_HOSTED: Final = (".supabase.co", ".supabase.com")
_PROBES: Final = 3

_LOOK_SECONDS: Final = 0.5
# A session that blocks repeated lock attempts shows up as blocking only now and then.
_FORGET_SECONDS: Final = 5.0

_WHO: Final = (
    "select a.pid, coalesce(nullif(a.application_name, ''), 'no name') as name, a.usename as role, a.state, "
    "date_trunc('second', coalesce(a.xact_start, a.state_change, a.backend_start)) as since from pg_stat_activity as a "
)
_BLOCKING: Final = _WHO + "where a.pid = any(pg_blocking_pids(%s))"
_LOCKING: Final = "select pg_try_advisory_xact_lock(hashtextextended('hq.worker_migrations', 0)) as locked"
_HOLDING: Final = (  # our own texts
    _WHO + "join pg_locks as l on l.pid = a.pid where l.locktype = 'advisory' and l.granted and l.objsubid = 1 "  # noqa: S608
    "and l.database = (select d.oid from pg_database as d where d.datname = current_database()) "
    "and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('hq.worker_migrations', 0)"
)


def is_transaction_pooler(host: str, port: int) -> bool:
    """Return whether an address is the hosted platform's pooler in transaction mode."""
    return port == _TRANSACTION_PORT and host.endswith(_HOSTED)


def open_session(
    database_url: str, say: Say = lambda _: None, *, within: timedelta = LONGEST_WAIT_FOR_PLACE
) -> Session:
    """Open a session that leaves nothing behind: no prepared statement, and within a transaction no snapshot.

    A pooler lets a client in at once and finds a session for it at its first statement, which is therefore sent here:
    ``say`` is told after a while that it waits.
    Raises: BackendUnavailable when no session becomes free in time; psycopg.Error.
    """
    began = time.monotonic()
    session: Session | None = None
    with _limited(lambda: session, say, within):
        try:
            session = _connect(database_url, within)
            session.execute("select")
        except psycopg.OperationalError as error:
            if session is not None:
                session.close()
            if time.monotonic() - began < SAYS_AFTER.total_seconds():
                raise
            reason = str(error).partition("\n")[0]
            raise BackendUnavailable(
                f"No free session within {within.total_seconds():g} s ({reason}). {_PLACES}"
            ) from error
    return session


@contextmanager
def _limited(session: Callable[[], Session | None], say: Say, within: timedelta) -> Iterator[None]:
    """Report the wait inside the block after a while, and cut the session's connection when it lasts too long."""
    ended = threading.Event()

    def watch() -> None:
        if ended.wait(SAYS_AFTER.total_seconds()):
            return
        say(f"Waiting for a free session of the database or its pooler, {within.total_seconds():g} s at most.")
        if not ended.wait((within - SAYS_AFTER).total_seconds()) and (waiting := session()) is not None:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(waiting.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    watcher = threading.Thread(target=watch, name="session", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _connect(database_url: str, within: timedelta) -> Session:
    return psycopg.connect(
        database_url,
        autocommit=True,
        connect_timeout=max(2, round(within.total_seconds())),
        application_name="emocare migrate",
        prepare_threshold=None,
        row_factory=dict_row,
        # Parameters are written into the statement: bound by the server, they leave a portal that keeps its snapshot
        # until the transaction ends, and a concurrent index build would wait for that.
        cursor_factory=psycopg.ClientCursor,
    )


def refuse_transaction_mode(session: Session, other: Session) -> None:
    """Refuse a pooler that swaps its clients' sessions. Raises: ConfigurationError that names the right address."""
    if is_transaction_pooler(session.info.host, session.info.port):
        raise ConfigurationError(_TRANSACTION_MODE)
    if _pid(session) == session.info.backend_pid:
        return  # the server itself: a pooler reports process ids of its own
    for _ in range(_PROBES):
        mine = _pid(session)
        other.execute("begin")
        try:
            # Two clients never get the same session, nor one client two, unless sessions are shared.
            shared = _pid(other) == mine or _pid(session) != mine
        finally:
            other.execute("rollback")
        if shared:
            raise ConfigurationError(_TRANSACTION_MODE)


@contextmanager
def alone(guard: Session, say: Say, *, within: timedelta) -> Iterator[None]:
    """Be the only migration inside the block; wait for another one, and after a while report which.

    Raises: BackendUnavailable, which names the holder, when the other one does not end in time.
    """
    began = time.monotonic()
    said = False
    while not _try_lock(guard):
        waited = time.monotonic() - began
        if not said and waited >= SAYS_AFTER.total_seconds():
            said = True
            say(f"Waiting for another migration, {within.total_seconds():g} s at most: {_holder(guard)}.")
        if waited >= within.total_seconds():
            raise BackendUnavailable(
                f"Another migration did not end within {within.total_seconds():g} s: {_holder(guard)}. "
                "If it is dead, end its session with pg_terminate_backend(pid)."
            )
        time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # a session that was ended holds nothing any more
            guard.execute("rollback")


def _try_lock(guard: Session) -> bool:
    """Begin a transaction that holds the lock; end it at once where another one has it."""
    guard.execute("begin")
    guard.execute("set local idle_in_transaction_session_timeout = 0")
    if _one(guard, _LOCKING):
        return True
    guard.execute("rollback")
    return False


class Watch:
    """Watches, from a session of its own, which sessions keep a migration waiting, and reports each once.

    Where a pooler has no free place for it, the migration goes on, and that is reported.
    """

    def __init__(self, database_url: str, session: Session, say: Say) -> None:
        self._url = database_url
        self._pid = _pid(session)
        self._say = say
        self._ended = threading.Event()
        self._seen: dict[int, tuple[float, float]] = {}
        self._said: set[int] = set()
        self.latest: str | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look_until_ended, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=_LOOK_SECONDS)

    def _look_until_ended(self) -> None:
        with suppress(psycopg.Error, BackendUnavailable), self._open() as session:  # the migration itself will notice
            while not self._ended.wait(_LOOK_SECONDS):
                self._note(session.execute(_BLOCKING, [self._pid]).fetchall())

    def _open(self) -> Session:
        def unwatched(_: str) -> None:
            if not self._ended.is_set():
                self._say("The pooler has no free session left: what this migration waits for cannot be named.")

        return open_session(self._url, unwatched)

    def _note(self, found: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        for row in found:
            first, last = self._seen.get(row["pid"], (now, now))
            first = first if now - last < _FORGET_SECONDS else now
            self._seen[row["pid"]] = (first, now)
            self.latest = _describe(row)
            if now - first >= SAYS_AFTER.total_seconds() and row["pid"] not in self._said:
                self._said.add(row["pid"])
                self._say(f"Waiting for a lock: {self.latest}.")


def _holder(guard: Session) -> str:
    rows = guard.execute(_HOLDING).fetchall()
    return "; ".join(map(_describe, rows)) or "nobody any more"


def _describe(row: dict[str, Any]) -> str:
    return (
        f"pid {row['pid']}, {row['name']}, role {row['role']}, {row['state']} since {row['since']:%Y-%m-%d %H:%M:%S%z}"
    )


def _pid(session: Session) -> int:
    return int(_one(session, "select pg_backend_pid() as pid"))


def _one(session: Session, query: str) -> Any:  # noqa: ANN401 - whatever was asked for
    row = session.execute(query.encode()).fetchone()
    assert row is not None
    return next(iter(row.values()))
