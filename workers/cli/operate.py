"""Commands for whoever operates the workers: serve, work, migrate, sql, doctor, dev."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import psycopg
import structlog
import typer
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

from shared.errors import BackendError, BackendRejected, BackendUnavailable, ConfigurationError, WorkersError
from shared.registry import REGISTRY_VERSION, RUN_TYPES
from workers import schema
from workers.backend.client import ask_auth, open_client
from workers.backend.inspection import SchemaState, SupabaseInspection
from workers.backend.wakeups import try_realtime
from workers.bootstrap import find_differences, open_service, open_worker
from workers.cli.context import (
    AsJson,
    EnvFile,
    database_url_from,
    print_json,
    run_async,
    settings_from,
)
from workers.cli.terminal import console, print_line
from workers.clock import SystemClock
from workers.logs import configure_logs
from workers.ports import Check, CheckState
from workers.settings import Settings, SupabaseSettings, render_env_example, without_user
from workers.web import server

_MARKS: Final = {"green": ("✓", "green"), "amber": ("!", "yellow"), "red": ("✗", "red")}
_SKEW_SECONDS: Final = 5
_PROJECT: Final = Path(__file__).parents[2]  # of a checkout; an installed wheel has no devstack/ there
_PRIVATE_ONLY: Final = (
    "this project admits private channels only: switch on « Allow public access » in its Realtime settings, or runs "
    "start 4 s late and open pages receive no announcement"
)
_UNREADABLE_URL: Final = (
    "--database-url cannot be read: copy the whole postgresql:// address from the dashboard (Connect), put the "
    "password in it, and write its special characters as %XX."
)


def work(env_file: EnvFile = None) -> None:
    """Execute runs until SIGTERM or Ctrl-C; then finish or hand back what runs, and exit 0."""
    settings = settings_from(env_file)
    configure_logs(settings.logs)

    async def body() -> None:
        async with open_worker(settings) as worker:
            await worker.run(_stop_on_signals())

    run_async(body())


def serve(env_file: EnvFile = None) -> None:
    """Execute runs and answer the screens over HTTP until SIGTERM or Ctrl-C; then drain, and exit 0."""
    settings = settings_from(env_file)
    configure_logs(settings.logs)

    async def body() -> None:
        async with open_service(settings) as service:
            structlog.get_logger(__name__).info("http.opened", functions=service.functions)
            await server.serve(service.app, service.worker, service.launcher, settings.http, _stop_on_signals())

    run_async(body())


def _stop_on_signals() -> asyncio.Event:
    # Not before: until there is something to finish or hand back, a signal may end the process as usual.
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def migrate(
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            envvar="DATABASE_URL",
            help="postgresql://… of the HQ database: the direct connection or the session pooler, both on port 5432.",
            show_envvar=True,
        ),
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Bring the database up to date: tables, functions, grants, cron jobs and the registry's run types."""
    url = database_url or database_url_from(env_file)
    if url is None:
        raise typer.BadParameter(
            "pass it, or set DATABASE_URL in the environment or in the --env-file", param_hint="--database-url"
        )
    try:
        report = schema.apply(url, say=lambda line: print_line(line, err=True))
    except psycopg.errors.LockNotAvailable as error:
        who = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        raise BackendUnavailable(f"An open transaction holds hq.runs{who}: end it, then migrate again.") from error
    except psycopg.OperationalError as error:
        reason = _first_line(error)
        if error.sqlstate is not None:  # it answered: a full disk, a statement that timed out
            raise BackendUnavailable(f"The database gave up: {error.sqlstate} {reason}.") from error
        raise BackendUnavailable(f"No connection to the database: {reason}. Check --database-url.") from error
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:  # libpq quotes what it cannot read, and a password is in it
            raise ConfigurationError(_UNREADABLE_URL) from None
        raise BackendRejected(f"The database refused: {error.sqlstate} {_first_line(error)}") from error
    _print_report(report)


def _print_report(report: schema.Report) -> None:
    for notice in report.notices:
        _print_marked("amber", notice)
    if not report.changed:
        console.print("The database is up to date; functions, grants and run types were written again.")
        return
    for kind, names in (("migration", report.migrations), ("function", report.functions), ("index", report.indexes)):
        for name in names:
            _print_marked("green", f"{kind} {name}")
    if report.registry:
        _print_marked("green", f"run types of registry {REGISTRY_VERSION}")


def _print_marked(state: CheckState, line: str) -> None:
    console.print(Text.assemble(_MARKS[state], " ", line), highlight=False)


def _first_line(error: psycopg.Error) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def print_sql() -> None:
    """Print everything `migrate` would apply, as one text for the SQL editor; pasting it twice is harmless."""
    typer.echo(schema.render())


def print_env() -> None:
    """Print every variable with its default, as a file to fill in."""
    typer.echo(render_env_example(), nl=False)


def doctor(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Check settings, reachability, schema, grants, workers, publication, cron jobs, clock (exit 1 on a red line)."""
    checks = [_examine_database_url(database_url_from(env_file)), *run_async(_examine(settings_from(env_file)))]
    if as_json:
        print_json([check.model_dump(mode="json") for check in checks])
    else:
        table = Table(box=None, show_header=False, padding=(0, 1))
        for check in checks:
            table.add_row(Text(*_MARKS[check.state]), check.name, check.detail)
        console.print(table)
    if any(check.state == "red" for check in checks):
        raise typer.Exit(1)


def dev(
    variant: Annotated[str, typer.Option("--variant", help="Schema to start from: seed or head.")] = "head",
    port: Annotated[
        int, typer.Option("--port", min=1024, max=65532, help="The one address; the next three are taken too.")
    ] = 54321,
    dist: Annotated[
        Path | None,
        typer.Option("--dist", help="A built frontend to serve at the same address.", resolve_path=True),
    ] = None,
) -> None:
    """Keep a local Supabase up with a worker, the relay and stand-ins for the vendors (needs the project's folder)."""
    command = [sys.executable, "-m", "devstack", "--variant", variant, "--port", str(port)]
    if not (_PROJECT / "devstack").is_dir():
        raise ConfigurationError(
            "The development stack is not part of this installation: clone the project and run `make dev` there."
        )
    os.chdir(_PROJECT)
    # Not a child: Ctrl-C would end the parent, which would not wait for it.
    os.execv(sys.executable, [*command, *(["--dist", str(dist)] if dist else [])])  # noqa: S606 - our own module


async def _examine(settings: Settings) -> list[Check]:
    checks = list(_examine_settings(settings))
    address = without_user(settings.supabase.url)
    async with open_client(settings.supabase) as client:
        inspection = SupabaseInspection(client)
        try:
            state = await inspection.read_schema()
        except BackendError as error:
            return [*checks, Check(code="supabase", name="supabase", state="red", detail=f"{address}: {error}")]
        checks.append(Check(code="supabase", name="supabase", state="green", detail=f"{address} answers"))
        checks.append(await _examine_auth(settings.supabase))
        checks.append(_examine_schema(state))
        checks.append(_examine_clock(state.server_time))
        checks.append(await _examine_realtime(settings))
        try:
            checks += await inspection.check_backend(REGISTRY_VERSION, len(RUN_TYPES))
        except BackendError as error:
            checks.append(Check(code="database", name="database", state="red", detail=str(error)))
    return checks


def _examine_settings(settings: Settings) -> list[Check]:
    checks = [
        _examine_key("LOVABLE_API_KEY", settings.gateway.api_key, if_absent="red"),
        _examine_key("GITHUB_TOKEN", settings.github.token, if_absent="amber"),
        _examine_key("STRIPE_SECRET_KEY", settings.stripe.key, if_absent="amber"),
        _examine_key("PERPLEXITY_API_KEY", settings.perplexity.key, if_absent="amber"),
        _examine_key("FIRECRAWL_API_KEY", settings.firecrawl.key, if_absent="amber"),
    ]
    return [
        *checks,
        Check(code="LLM_BASE_URL", name="LLM_BASE_URL", state="green", detail=without_user(settings.gateway.base_url)),
    ]


def _examine_database_url(url: str | None) -> Check:
    name = "DATABASE_URL"
    if url is None:
        detail = f"absent; only emocare migrate needs it: {schema.RIGHT_URLS}"
        return Check(code=name, name=name, state="green", detail=detail)
    try:
        parts = conninfo_to_dict(url)
        host, port = str(parts.get("host") or "localhost"), int(str(parts.get("port") or 5432).split(",")[0])
    except (psycopg.ProgrammingError, ValueError):  # which would quote what they cannot read, password and all
        return Check(
            code=name, name=name, state="red", detail=f"cannot be read; emocare migrate needs {schema.RIGHT_URLS}"
        )
    if schema.is_transaction_pooler(host, port):
        detail = f"{host}:{port} is the transaction pooler; emocare migrate needs {schema.RIGHT_URLS}"
        return Check(code=name, name=name, state="amber", detail=detail)
    return Check(code=name, name=name, state="green", detail=f"{host}:{port}, for emocare migrate")


def _examine_key(name: str, key: SecretStr | None, *, if_absent: CheckState) -> Check:
    state, detail = ("green", "present") if key else (if_absent, "absent")
    return Check(code=name, name=name, state=state, detail=detail)


async def _examine_auth(settings: SupabaseSettings) -> Check:
    try:
        await ask_auth(settings)
    except BackendError as error:
        return Check(code="auth", name="auth", state="red", detail=f"callers cannot be identified: {error}")
    return Check(code="auth", name="auth", state="green", detail="answers")


async def _examine_realtime(settings: Settings) -> Check:
    """Subscribe once as a worker does."""
    fault = await try_realtime(settings.supabase, settings.realtime, clock=SystemClock())
    if fault is None:
        return Check(code="realtime", name="realtime", state="green", detail="a subscription to hq.runs is confirmed")
    meaning = _PRIVATE_ONLY if fault.code == "PrivateOnly" else "runs start 4 s late"
    return Check(code="realtime", name="realtime", state="amber", detail=f"{fault.reason}: {meaning}")


def _examine_schema(state: SchemaState) -> Check:
    try:
        differing = find_differences(state)
    except WorkersError as error:
        return Check(code="our_schema", name="our schema", state="red", detail=str(error))
    if differing:
        detail = f"{', '.join(differing)}: defined differently from this version; run emocare migrate"
        return Check(code="our_schema", name="our schema", state="amber", detail=detail)
    return Check(
        code="our_schema", name="our schema", state="green", detail=f"{len(state.migrations)} migrations, all there"
    )


def _examine_clock(server_time: datetime) -> Check:
    skew = abs((datetime.now(UTC) - server_time).total_seconds())
    state: CheckState = "green" if skew < _SKEW_SECONDS else "amber"
    return Check(code="clock", name="clock", state=state, detail=f"{skew:.1f} s from the database's")
