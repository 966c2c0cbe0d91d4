"""One reader of the write-ahead log that sends every subscriber what it may see.

It honours what the hosted service honours: the publication, the role's SELECT privilege per column, and row level
security, asked in the subscriber's name for each inserted or updated row.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from devstack.replication import ReplicationStream
from devstack.subscriptions import (
    Binding,
    ColumnRights,
    Subscriber,
    Subscription,
    SubscriptionError,
    TableRights,
    render_change,
    shorten_change,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from devstack.pgoutput import Change, Relation, Transaction

PUBLICATION = "supabase_realtime"

_RIGHTS_SECONDS = 1.0
_MAX_BACKOFF_SECONDS = 5.0

_log = logging.getLogger("devstack.realtime")

_RIGHTS_SQL = """
select
  c.relrowsecurity,
  r.rolbypassrls or r.rolsuper,
  a.attname,
  t.typname,
  a.attnum = any (coalesce(i.indkey::smallint[], '{}')),
  has_schema_privilege(r.oid, c.relnamespace, 'usage') and has_column_privilege(r.oid, c.oid, a.attnum, 'select')
from pg_catalog.pg_class c
join pg_catalog.pg_roles r on r.rolname = %s
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
where c.oid = %s
order by a.attnum
"""

_PUBLISHED_SQL = """
select count(*) from pg_catalog.pg_publication_tables
where pubname = %s and %s in ('*', schemaname::text) and %s in ('*', tablename::text)
"""


class ChangeFeed:
    """Reads committed changes while anybody listens, and starts again when PostgreSQL comes back."""

    def __init__(
        self, dsn: str, *, draw_pause: Callable[[], float], on_lost: Callable[[list[Subscriber]], None]
    ) -> None:
        self._dsn = dsn
        self._draw_pause = draw_pause
        self._on_lost = on_lost
        self._subscriptions: dict[Subscriber, Subscription] = {}
        self._interested: set[Subscriber] = set()
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()
        # Held while the log is read or a subscriber added, so that "committed after this position" is exact.
        self._lock = asyncio.Lock()
        self._rights: dict[tuple[int, str], TableRights] = {}
        self.losing_until = 0.0
        self._database: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def subscribe(self, subscriber: Subscriber, bindings: list[Binding]) -> None:
        """Send a subscriber what commits from now on; one that is subscribed already misses nothing.

        Raises: SubscriptionError, psycopg.OperationalError.
        """
        self._interested.add(subscriber)
        self._wanted.set()
        await self._ready.wait()
        async with self._lock:
            if self._database is None:
                raise psycopg.OperationalError("PostgreSQL is away")
            for binding in bindings:
                await self._check_published(self._database, binding)
            position = await self._database.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
            (since,) = await position.fetchone() or (0,)
            known = self._subscriptions.get(subscriber)
            self._rights.clear()
            self._subscriptions[subscriber] = Subscription(subscriber, bindings, known.since if known else int(since))

    async def _check_published(self, database: psycopg.AsyncConnection[tuple[Any, ...]], binding: Binding) -> None:
        cursor = await database.execute(_PUBLISHED_SQL, [PUBLICATION, binding.schema, binding.table])
        if await cursor.fetchone() == (0,):
            raise SubscriptionError(
                "Unable to subscribe to changes with given parameters. Please check Realtime is enabled"
                f" for the given connect parameters: [{binding.describe()}]"
            )

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Send a subscriber nothing more."""
        self._subscriptions.pop(subscriber, None)
        self._interested.discard(subscriber)
        if not self._interested:
            self._wanted.clear()

    async def run(self) -> None:
        """Read for ever."""
        backoff = 0.1
        while True:
            await self._wanted.wait()
            try:
                async with contextlib.AsyncExitStack() as resources:
                    stream = await asyncio.to_thread(ReplicationStream.open, self._dsn, PUBLICATION)
                    resources.callback(stream.close)
                    self._database = await resources.enter_async_context(await self._connect())
                    backoff = 0.1
                    await self._read(stream)
            except psycopg.Error as error:
                _log.warning("lost PostgreSQL, trying again: %s", str(error).strip())
                await asyncio.sleep(random.uniform(backoff / 2, backoff))
                backoff = min(backoff * 2, _MAX_BACKOFF_SECONDS)

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        return await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, connect_timeout=5, options="-c statement_timeout=5s"
        )

    async def _read(self, stream: ReplicationStream) -> None:
        """Read until nobody listens or the stream breaks."""
        self._ready.set()
        try:
            while self._wanted.is_set():
                async with self._lock:
                    found = False
                    for transaction in stream.read():
                        found = True
                        self._forget_rights(stream.decoder.new_relations)
                        await self._deliver(transaction)
                # The pause is the hosted poller's; like it, go on at once while there is something to send.
                await asyncio.sleep(0 if found else self._draw_pause())
        finally:
            self._ready.clear()
            self._database = None
            lost, self._subscriptions = list(self._subscriptions), {}
            self._on_lost(lost)

    def _forget_rights(self, tables: set[int]) -> None:
        """PostgreSQL describes a table again after a grant on it."""
        for key in [key for key in self._rights if key[0] in tables]:
            del self._rights[key]
        tables.clear()

    async def _deliver(self, transaction: Transaction) -> None:
        if time.monotonic() < self.losing_until:
            return  # as when the hosted poller gives up on what it read: nobody is told
        for change in transaction.changes:
            interested = defaultdict(list)
            for subscription in self._subscriptions.values():
                wanted = [binding for binding in subscription.bindings if binding.wants(change)]
                if wanted and subscription.since <= transaction.lsn:
                    interested[subscription.subscriber.claims["role"]].append((subscription.subscriber, wanted))
            for role, listeners in interested.items():
                try:
                    await self._send_to_role(transaction, change, role, listeners)
                except psycopg.OperationalError:
                    raise
                except psycopg.Error as error:
                    _log.warning("an event of %s was dropped: %s", change.relation.table, error)

    async def _send_to_role(
        self,
        transaction: Transaction,
        change: Change,
        role: str,
        listeners: Iterable[tuple[Subscriber, list[Binding]]],
    ) -> None:
        rights = await self._look_up_rights(change.relation, role)
        head: dict[str, Any] = {
            "schema": change.relation.schema,
            "table": change.relation.table,
            "type": change.kind,
            "commit_timestamp": None,
        }
        visible: dict[str, bool] = {}
        for subscriber, bindings in listeners:
            if change.kind != "DELETE" and rights.refusal:
                _send(subscriber, bindings, {**head, "columns": [], "record": {}, "errors": [rights.refusal]})
                continue
            row = change.new if change.kind != "DELETE" else change.old
            matching = [
                binding
                for binding in bindings
                if binding.filter is None or binding.filter.accepts(change.relation, row)
            ]
            claims = json.dumps(subscriber.claims)
            if matching and claims not in visible:
                visible[claims] = await self._is_visible(change, rights, role, claims)
            if not matching or not visible[claims]:
                continue
            committed_at = transaction.committed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            for select in {binding.select for binding in matching}:
                data = {**head, **shorten_change(render_change(change, rights, select))}
                data["commit_timestamp"] = committed_at
                _send(subscriber, [binding for binding in matching if binding.select == select], data)

    async def _look_up_rights(self, relation: Relation, role: str) -> TableRights:
        """Ask for the rights of a role, at most once a second: a grant on the schema is announced by nothing."""
        known = self._rights.get((relation.oid, role))
        if known is None or time.monotonic() - known.known_since > _RIGHTS_SECONDS:
            assert self._database is not None
            cursor = await self._database.execute(_RIGHTS_SQL, [role, relation.oid])
            rows = await cursor.fetchall()
            known = TableRights(
                has_row_security=any(row[0] for row in rows),
                bypasses_row_security=any(row[1] for row in rows),
                columns=[ColumnRights(*row[2:]) for row in rows],
                known_since=time.monotonic(),
            )
            self._rights[relation.oid, role] = known
        return known

    async def _is_visible(self, change: Change, rights: TableRights, role: str, claims: str) -> bool:
        """Ask row level security, as the subscriber, whether the row is there."""
        if change.kind == "DELETE" or not rights.has_row_security or rights.bypasses_row_security:
            return True
        assert self._database is not None
        table = sql.Identifier(change.relation.schema, change.relation.table)
        conditions = [sql.SQL("{} = {}").format(sql.Identifier(key), _literal(change, key)) for key in rights.keys]
        query = sql.SQL("select 1 from {} where {}").format(table, sql.SQL(" and ").join(conditions))
        async with self._database.pipeline(), self._database.transaction(force_rollback=True):
            await self._database.execute(
                "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)", [role, claims]
            )
            cursor = await self._database.execute(query)
            return await cursor.fetchone() is not None


def _literal(change: Change, column: str) -> sql.Composable:
    """A value of the changed row, of unknown type, so that PostgreSQL compares it as the column's own."""
    raw = change.new[column]
    return sql.Literal(None if raw is None else raw.decode())


def _send(subscriber: Subscriber, bindings: list[Binding], data: dict[str, Any]) -> None:
    subscriber.send("postgres_changes", {"ids": [binding.id for binding in bindings], "data": data})
