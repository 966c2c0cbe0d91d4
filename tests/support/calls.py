"""Our functions as a test calls them, on the session of whoever calls; what they wrote; sessions that race."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from support.database import Connection, Database, Row, one, rows

T = TypeVar("T")

USAGE: Row = {
    "model": "google/gemini-2.5-pro",
    "calls": 1,
    "tokens_in": 1200,
    "tokens_out": 300,
    "tokens_cached": 0,
    "tokens_reasoning": 20,
    "cost_eur": "0.0125",
    "estimated": False,
}


def call(session: Connection, function: str, /, **params: object) -> list[Row]:
    """Call a function of ours by its parameters' names, without their prefix."""
    arguments = ", ".join(f"p_{name} => %s" for name in params)
    values = [Jsonb(value) if isinstance(value, dict | list) else value for value in params.values()]
    return rows(session, f"select * from public.{function}({arguments})", *values)


def value(session: Connection, function: str, /, **params: object) -> Any:
    """Call a function of ours that answers one value."""
    (row,) = call(session, function, **params)
    return row[function]


def request(session: Connection, run_type: str | None = "SEO_AUDIT", /, **params: object) -> Row:
    """Ask for a run."""
    (ticket,) = call(session, "request_hq_run", run_type=run_type, **params)
    return ticket


def claim(session: Connection, worker_id: str = "worker-1", /, *, limit: int = 100, **params: object) -> list[Row]:
    """Take the due runs."""
    return call(session, "claim_hq_runs", worker_id=worker_id, limit=limit, lease_seconds=30, **params)


def claim_one(session: Connection, worker_id: str = "worker-1", /) -> Row:
    """Take the one due run that there is."""
    (claimed,) = claim(session, worker_id)
    return claimed


def start(database: Database, run_type: str = "SEO_AUDIT", /, **params: object) -> Row:
    """Ask for a run and take it."""
    asked = request(database.sql, run_type, **params)
    claimed = claim_one(database.sql)
    assert claimed["run_id"] == asked["run_id"]
    return claimed


def lease(claimed: Row) -> Row:
    """Name a lease as workers do."""
    return {"run_id": str(claimed["run_id"]), "lease_token": claimed["lease_token"]}


def step(order: int = 1, name: str = "Collecte", /, **fields: object) -> Row:
    """Describe a finished step."""
    return {
        "step_order": order,
        "name": name,
        "description": "Lecture des sources",
        "status": "completed",
        "output": None,
        "started_at": "2026-11-22T10:00:00+00:00",
        "completed_at": "2026-11-22T10:00:02+00:00",
    } | fields


def settle(session: Connection, claimed: Row, outcome: str | None = "completed", /, **params: object) -> str:
    """End an attempt."""
    given = {"summary": "## Rapport", "appendix": {"model_used": "google/gemini-2.5-pro"}} | params
    answer: str = value(
        session,
        "settle_hq_run",
        run_id=claimed["run_id"],
        lease_token=claimed["lease_token"],
        outcome=outcome,
        **given,
    )
    return answer


def rescue(session: Connection) -> Row:
    """Put right what died or was changed by hand."""
    (done,) = call(session, "rescue_hq_runs")
    return done


def expire(database: Database) -> None:
    """Let every lease run out."""
    database.run("update hq.run_queue set leased_until = now() - interval '1 s' where worker_id is not null")


def lose_lease(database: Database) -> None:
    """Let every lease run out, and be rescued."""
    expire(database)
    rescue(database.sql)


def pass_time(database: Database, seconds: int) -> None:
    """Make everything that was asked or ended that much older."""
    for table, columns in {
        "hq.runs": ("created_at", "completed_at"),
        "hq.run_requests": ("created_at",),
    }.items():
        changes = ", ".join(f"{column} = {column} - make_interval(secs => {seconds})" for column in columns)
        database.run(f"update {table} set {changes}")


def run_of(database: Database, run_id: UUID) -> Row:
    """Read a run."""
    return database.one("select * from hq.runs where id = %s", run_id)


def queue_of(database: Database, run_id: UUID) -> Row | None:
    """Read a run's place in the queue, if it has one."""
    found = database.rows("select * from hq.run_queue where run_id = %s", run_id)
    return found[0] if found else None


def request_of(database: Database, run_id: UUID) -> Row:
    """Read what was asked."""
    return database.one("select * from hq.run_requests where run_id = %s", run_id)


def logs_of(database: Database, run_id: UUID, message: str = "%") -> list[Row]:
    """Read a run's log, oldest first."""
    return database.rows(
        "select * from hq.structured_logs where run_id = %s and message like %s order by created_at, ctid",
        run_id,
        message,
    )


def footprint(database: Database, run_id: UUID) -> dict[str, list[Row]]:
    """Read everything that a worker could have written of a run, but its bill."""
    tables = {"runs": "id", "run_steps": "run_id", "run_evidence": "run_id", "structured_logs": "run_id"} | {
        "run_queue": "run_id",
        "run_requests": "run_id",
    }
    return {
        table: database.rows(f"select * from hq.{table} where {column} = %s order by ctid", run_id)
        for table, column in tables.items()
    }


def configure(database: Database, key: str, value: object) -> None:
    """Write a setting as the screens and operators do."""
    database.run(
        "insert into hq.system_config (key, value) values (%s, %s) "
        "on conflict (key) do update set value = excluded.value",
        key,
        Jsonb(value),
    )


def make_owner(database: Database) -> UUID:
    """Give the presidency a second person."""
    user = uuid4()
    database.run("insert into auth.users (id, email) values (%s, %s)", user, f"{user}@emocare.test")
    database.run("insert into public.user_roles (user_id, role) values (%s, 'owner')", user)
    return user


@contextmanager
def refused(*codes: str) -> Iterator[pytest.ExceptionInfo[psycopg.Error]]:
    """Expect a refusal with one of these SQLSTATEs."""
    with pytest.raises(psycopg.Error) as caught:
        yield caught
    assert caught.value.sqlstate in codes, caught.value


def race(
    open_session: Callable[[], AbstractContextManager[Connection]], acts: Sequence[Callable[[Connection], T]]
) -> list[T]:
    """Perform each act in a session of its own, all let go at the same moment."""
    ready = Barrier(len(acts))

    def perform(act: Callable[[Connection], T]) -> T:
        with open_session() as session:
            ready.wait()
            return act(session)

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(perform, acts))


def wait_until_blocked(database: Database, session: Connection) -> None:
    """Return once a session waits for what another one holds."""
    query = "select pg_catalog.pg_blocking_pids(%s) <> '{}' as blocked"
    while not one(database.sql, query, session.info.backend_pid)["blocked"]:
        time.sleep(0.002)
