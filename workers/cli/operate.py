"""Commands for operating the workers: serve, work, migrate, sql, env, dev."""

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import psycopg
import structlog
import typer

from shared.errors import BackendRejected, BackendUnavailable, ConfigurationError
from shared.registry import REGISTRY_VERSION
from workers import schema
from workers.bootstrap import open_service, open_worker
from workers.cli.context import (
    EnvFile,
    database_url_from,
    run_async,
    settings_from,
)
from workers.cli.terminal import console, print_line, print_marked
from workers.logs import configure_logs
from workers.settings import render_env_example
from workers.web import server

_PROJECT: Final = Path(__file__).parents[2]  # of a checkout; an installed wheel has no devstack/ there
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
            gc.freeze()
            await worker.run(_stop_on_signals())

    run_async(body())


def serve(env_file: EnvFile = None) -> None:
    """Execute runs and answer the screens over HTTP until SIGTERM or Ctrl-C; then drain, and exit 0."""
    settings = settings_from(env_file)
    configure_logs(settings.logs)

    async def body() -> None:
        async with open_service(settings) as service:
            gc.freeze()  # what was imported stays: each full collection would visit those half a million objects
            structlog.get_logger(__name__).info("http.opened", functions=service.functions)
            await server.serve(service.app, service.worker, service.launcher, settings.http, _stop_on_signals())

    run_async(body())


def _stop_on_signals() -> asyncio.Event:
    # Not earlier: until there is something to finish or hand back, a signal may end the process as usual.
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
        raise ConfigurationError(
            "DATABASE_URL: missing. Pass --database-url, or set it in the environment or in the --env-file."
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
        print_marked("amber", notice)
    if not report.changed:
        console.print("The database is up to date; functions, grants and run types were written again.")
        return
    for kind, names in (("migration", report.migrations), ("function", report.functions), ("index", report.indexes)):
        for name in names:
            print_marked("green", f"{kind} {name}")
    if report.registry:
        print_marked("green", f"run types of registry {REGISTRY_VERSION}")


def _first_line(error: psycopg.Error) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def print_sql() -> None:
    """Print everything `migrate` would apply, as one text for the SQL editor; pasting it twice is harmless."""
    typer.echo(schema.render())


def print_env() -> None:
    """Print every variable with its default, as a file to fill in."""
    typer.echo(render_env_example(), nl=False)


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
