"""Our part of the database: applies ``sql/migrations`` then ``sql/rpc``, copies the registry, keeps the ledger.

Two ways in, one content: ``apply`` over a database URL, and ``render`` as one script for the SQL editor of a project
whose database password you do not have. Migrations run once, each in its own transaction; functions, views, their
grants and the registry's rows are written again every time, in one transaction, because the ledger cannot know what
was changed by hand. Indexes on the host's large tables come last, each on its own and outside any transaction, so
that no writer has to wait; whether they exist is read from the catalogue.
"""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import psycopg

from shared.errors import ConfigurationError
from shared.registry import REGISTRY_VERSION, RUN_TYPES
from workers.schema.bridges import BRIDGED_SINCE, BRIDGES
from workers.schema.files import SqlFile, read_files, read_indexes, read_views
from workers.schema.registry_sync import render_registry
from workers.schema.sessions import (
    LONGEST_WAIT,
    Say,
    Session,
    Watch,
    alone,
    open_session,
    refuse_transaction_mode,
)

_LOCK_ATTEMPTS: Final = 20
# How long building an index waits for transactions that began before it.
_INDEX_LOCK_TIMEOUT: Final = timedelta(seconds=60)
# How long each further one waits, once a transaction was found that does not end.
_NEXT_INDEX_LOCK_TIMEOUT: Final = timedelta(seconds=5)
_INDEX: Final = re.compile(r"^create index concurrently if not exists \w+ on (hq\.\w+) \(([^)]+)\)", re.MULTILINE)

# Rather than queue behind a long transaction, with all others queueing behind us, we give up and try again. Callers
# are refused after half a second of waiting for a lock (hq.refuse_held): what we wait for one, and then hold it, must
# stay below that. A migration that sets a longer lock_timeout gets it in such pieces.
_LOCK_TIMEOUT: Final = "set local lock_timeout = '200ms';"
_OWN_LOCK_TIMEOUT: Final = re.compile(r"^set local lock_timeout = '\w+';$", re.MULTILINE)

_LEDGER: Final = """\
create table if not exists hq.worker_migrations (
  kind       text not null check (kind in ('migration', 'function')),
  name       text not null,
  sha256     text not null,
  applied_at timestamptz not null default now(),
  primary key (kind, name)
);
alter table hq.worker_migrations enable row level security;
revoke all on hq.worker_migrations from public, anon, authenticated, service_role;
comment on table hq.worker_migrations is 'Registre de nos migrations (distinct de celui de Supabase).';
"""

_HEAD: Final = """\
-- EMOCARE HQ workers: everything they need in this database. Paste it whole in the SQL editor and run it; running it
-- again is harmless. No table, function or policy of the host changes meaning. Of the host's, this is changed:
--   pg_cron         its daily job purge-old-hq-logs is replaced under the same name: ours purges every ten minutes,
--                   also what pg_cron keeps of its jobs (seven days).
--   hq.runs         what is pending at the first installation is old: it is cancelled, with a sentence. From then on, a
--                   row that is inserted as pending is executed, and what older code left running for over 15 minutes
--                   is closed as failed.
--   hq.runs_dlq     open entries are never due: its retry worker repeats nothing, a person does (hq.retry_run).
--   hq.structured_logs  is vacuumed more often.
-- The rest is added.
--
-- What has to be in force before the rest asks for its locks comes first, in transactions of its own.
--
-- Who may do what afterwards, and why:
--   anon            calls nothing of ours. Six functions of the host stay open, because its policies run them as
--                   whoever asks, or because they answer about nobody but the caller.
--   authenticated   as owner only: request_hq_run_v2 and its older form request_hq_run, get_hq_run, cancel_hq_run,
--                   get_hq_ai_costs, get_hq_autopilot_journal. Reads id, type, status and date of its runs in
--                   hq.runs, because Realtime checks the subscriber's rights. No other table of schema hq.
--   service_role    the workers: our functions in schema public; of the tables, id, type, status and date of hq.runs
--                   only, again for Realtime. A stolen key does what they do, no more.
--   postgres        operators in this editor, and pg_cron: everything.
-- Closed, where the host left them open: what hq.closed_doors lists, line by line with its reason.
-- Every function of ours runs as its owner with an empty search_path, and is revoked from everybody before it is
-- granted to whom needs it; every table of ours has row security and no grant.
"""

_AFTER: Final = """\
select hq.close_doors();
select hq.hold_dead_letters();
select hq.register_cron_jobs();
notify pgrst, 'reload schema';
"""


@dataclass
class Report:
    """What was new to the database, and the notices that our own SQL raised about what it repaired."""

    migrations: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    registry: bool = False
    indexes: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Return whether the database was behind."""
        return bool(self.migrations or self.functions or self.registry or self.indexes)


def render(files: Iterable[SqlFile] | None = None) -> str:
    """Render everything as one text that can be pasted in the SQL editor, any number of times."""
    files = tuple(read_files() if files is None else files)
    parts = [
        _HEAD,
        *(_render_bridge(file.name) for file in files if file.kind == "migration" and file.name in BRIDGES),
        _LEDGER,
    ]
    parts += [
        _render_migration(file) if file.kind == "migration" else f"{file.text}\n{_ledger_entry(file)}" for file in files
    ]
    parts += [*_view_statements(), render_registry(), _AFTER, _render_indexes()]
    return "\n".join(parts)


def apply(
    database_url: str,
    files: Iterable[SqlFile] | None = None,
    *,
    index_lock_timeout: timedelta = _INDEX_LOCK_TIMEOUT,
    wait: timedelta = LONGEST_WAIT,
    say: Say = lambda _: None,
) -> Report:
    """Bring a database up to date; repair what was changed by hand in our functions, grants and run types.

    ``say`` receives a line when something keeps it waiting for five seconds.
    Concurrency: callers wait for one another; workers may go on running meanwhile.
    Raises: ConfigurationError when the database is not the HQ's, a merged migration was edited, or the address is
    a pooler in transaction mode; BackendUnavailable when another migration does not end, or a pooler has no place.
    """
    files = tuple(read_files() if files is None else files)
    report = Report()
    with open_session(database_url, say) as connection, open_session(database_url, say) as guard:
        refuse_transaction_mode(connection, guard)
        if connection.execute("select to_regclass('hq.runs') as runs").fetchone() == {"runs": None}:
            raise ConfigurationError(
                "This database has no table hq.runs: give the URL of the HQ's database, or start `emocare dev`."
            )
        connection.add_notice_handler(lambda notice: _keep(notice, report))
        with alone(guard, say, within=wait), Watch(database_url, connection, say) as watch:
            try:
                _apply(connection, files, report, index_lock_timeout)
            except psycopg.errors.LockNotAvailable as error:
                if watch.latest is not None:
                    error.add_note(watch.latest)
                raise
    return report


def _apply(connection: Session, files: Iterable[SqlFile], report: Report, index_lock_timeout: timedelta) -> None:
    connection.execute(_LEDGER.encode())
    known = _read_ledger(connection)
    for file in files:
        _refuse_edited(file, known)
    in_use = any(kind == "function" for kind, _ in known)
    for file in files:
        if file.kind == "migration" and (file.kind, file.name) not in known:
            if in_use and (bridge := BRIDGES.get(file.name)) is not None:
                _run(connection, [_LOCK_TIMEOUT, bridge])
            _run(connection, [_OWN_LOCK_TIMEOUT.sub(_LOCK_TIMEOUT, file.text), _ledger_entry(file)])
            report.migrations.append(file.name)
    functions = [f for f in files if f.kind == "function"]
    changed = [f for f in functions if known.get((f.kind, f.name)) != f.sha256]
    copied = connection.execute("select registry_version, count(*) from hq.run_types group by 1").fetchall()
    texts = [*(f.text for f in functions), *_view_statements()]
    _run(connection, [_LOCK_TIMEOUT, *texts, *map(_ledger_entry, changed), render_registry(), _AFTER])
    report.functions = [f.name for f in changed]
    report.registry = copied != [{"registry_version": REGISTRY_VERSION, "count": len(RUN_TYPES)}]
    try:
        _build_indexes(connection, report, index_lock_timeout)
    finally:
        connection.execute("reset lock_timeout")  # a pooler may give this session to another client


def _run(connection: Session, statements: Iterable[str]) -> None:
    """Run statements in one transaction; try again when a busy table refuses a lock."""
    text = "\n".join(statements)
    for attempt in range(1, _LOCK_ATTEMPTS + 1):
        try:
            with connection.transaction():
                connection.execute(text.encode())
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if attempt == _LOCK_ATTEMPTS:
                raise
            time.sleep(0.2 * attempt)
        else:
            return


def _build_indexes(connection: Session, report: Report, lock_timeout: timedelta) -> None:
    """Build the missing indexes; report those that an open transaction blocks."""
    blocked = []
    for name, text in read_indexes().items():
        connection.execute(f"set lock_timeout = {lock_timeout // timedelta(milliseconds=1)}".encode())
        try:
            if _build(connection, name, text):
                report.indexes.append(name)
        except psycopg.errors.LockNotAvailable:
            blocked.append(name)
            lock_timeout = min(lock_timeout, _NEXT_INDEX_LOCK_TIMEOUT)
    if blocked:
        report.notices.append(
            f"not built, because an open transaction blocks it: index {', '.join(blocked)}; run emocare migrate again"
        )


def _build(connection: Session, name: str, text: str) -> bool:
    """Build an index unless it exists, its table does not, or the host's own suffices; return whether it was built."""
    match = _INDEX.search(text)
    assert match is not None, f"sql/indexes/{name}.sql is not one statement that builds an index on a table of hq"
    table, columns = match[1], [column.split()[0] for column in match[2].split(",")]
    found = connection.execute(
        "select to_regclass(%(table)s) is not null as has_table,"
        " (select i.indisvalid from pg_index as i where i.indexrelid = to_regclass(%(index)s)) as is_valid,"
        " hq.has_index(%(table)s, %(columns)s, %(index)s) as is_served",
        {"table": table, "index": f"hq.{name}", "columns": columns},
    ).fetchone()
    assert found is not None
    if found["is_valid"] is False:  # left behind by an interrupted build: maintained, but useless
        connection.execute(f"drop index concurrently hq.{name}".encode())
    if found["is_valid"] or found["is_served"] or not found["has_table"]:
        return False
    connection.execute(text.encode())
    return True


def _render_indexes() -> str:
    """Render the indexes as comments: they cannot be built in one transaction with the rest."""
    lines = ["-- Last, and each alone (it cannot be part of a transaction): copy each without the dashes and run it."]
    lines += [f"-- {line}" for text in read_indexes().values() for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def _keep(notice: psycopg.errors.Diagnostic, report: Report) -> None:
    # PostgreSQL's own notices, such as "already exists, skipping", have a code; those that we raise have none.
    if notice.sqlstate == "00000" and notice.message_primary:
        report.notices.append(notice.message_primary)


def _read_ledger(connection: Session) -> dict[tuple[str, str], str]:
    rows = connection.execute("select kind, name, sha256 from hq.worker_migrations").fetchall()
    return {(row["kind"], row["name"]): row["sha256"] for row in rows}


def _refuse_edited(file: SqlFile, known: dict[tuple[str, str], str]) -> None:
    applied = known.get((file.kind, file.name))
    if file.kind == "migration" and applied is not None and applied != file.sha256:
        raise ConfigurationError(
            f"sql/migrations/{file.name}.sql differs from what this database applied: "
            "a merged migration is never edited; add a new one."
        )


def _render_bridge(migration: str) -> str:
    """Render a bridge so that it is committed even where the text is sent, and thereby executed, as one transaction."""
    return (  # names and texts of our own
        f"begin;\nset local lock_timeout = '5s';\ndo $ours$\nbegin\n"  # noqa: S608
        "  if to_regclass('hq.worker_migrations') is null then\n    return;\n  end if;\n"
        f"  if exists (select from hq.worker_migrations where kind = 'migration' and name = '{BRIDGED_SINCE}')\n"
        f"    and not exists (select from hq.worker_migrations where kind = 'migration' and name = '{migration}')\n"
        f"  then\n    execute $bridge$\n{BRIDGES[migration]}$bridge$;\n  end if;\nend\n$ours$;\ncommit;\n"
    )


def _render_migration(file: SqlFile) -> str:
    tag = f"$migration_{file.name[:4]}$"
    return (
        f"do $ledger$\nbegin\n"
        f"  if not exists (select from hq.worker_migrations where kind = 'migration' and name = '{file.name}') then\n"
        f"    execute {tag}\n{file.text}\n{tag};\n    {_ledger_entry(file)}  end if;\nend\n$ledger$;\n"
    )


def _view_statements() -> Iterator[str]:
    """Replace each view in place; if its columns changed, which PostgreSQL refuses, drop it first."""
    for name, text in read_views().items():
        yield (
            f"do $ours$\ndeclare\n  v_text constant text := $view$\n{text}$view$;\nbegin\n  execute v_text;\n"
            f"exception when invalid_table_definition then\n  drop view hq.{name};\n  execute v_text;\nend\n$ours$;\n"
        )


def _ledger_entry(file: SqlFile) -> str:
    return (  # names and digests of our own files
        f"insert into hq.worker_migrations (kind, name, sha256) values ('{file.kind}', '{file.name}', '{file.sha256}') "  # noqa: S608
        "on conflict (kind, name) do update set sha256 = excluded.sha256, applied_at = now();\n"
    )
