"""Keep a project up in the foreground: `python -m devstack` (`--help` lists the options).

Our part of the database is installed, the vendors' stand-ins run, and the functions are served by the relay and a
worker, so that a page can do everything at once; `--bare` leaves all that out, which is the HQ as it was before us.
`--dist` serves a built frontend at the same address: the page's own policy lets it call no other on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import psycopg
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from devstack.baseline import Variant
from devstack.mailbox import Mailbox, serve_mailbox
from devstack.ports import settle_port
from devstack.processes import HOST, ServiceError
from devstack.programs import PostgresError
from devstack.served import RELAY, WORKER, Served, serve_functions
from devstack.stack import (
    DEFAULT_PORT,
    OWNER_EMAIL,
    OWNER_PASSWORD,
    Stack,
)
from devstack.worker import worker_environment
from shared.errors import ConfigurationError
from workers import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_WATCH_SECONDS = 0.5


@contextlib.contextmanager
def started(options: argparse.Namespace) -> Iterator[tuple[Stack, Served | None, Mailbox | None]]:
    """Start what was asked for; stop it when the block ends.

    Every part that is used from outside has its own port, the same at each start, so that what was noted stays true.
    Raises: ServiceError, PostgresError.
    """
    database_port, vendors_port, worker_port, mailbox_port = range(options.port + 1, options.port + 5)
    with Stack.start(
        variant=options.variant,
        data_dir=options.data_dir.absolute(),
        dist=options.dist,
        port=options.port,
        database_port=database_port,
        functions_port=options.functions_port,
        vendors=not options.bare,
        vendors_port=None if options.bare else vendors_port,
    ) as stack:
        if options.bare:
            yield stack, None, None
            return
        try:
            schema.apply(stack.database_url)
        except (ConfigurationError, psycopg.Error) as error:
            raise ServiceError(
                f"the database in {stack.data_dir} cannot be brought up to date ({str(error).splitlines()[0]}). "
                "If another version of this project made it, remove that folder and start again."
            ) from error
        with (
            serve_mailbox(
                stack.data_dir / "mailbox", stack.data_dir / "logs", port=settle_port(mailbox_port)
            ) as mailbox,
            serve_functions(stack, port=settle_port(worker_port), settings={"NOTIFY_URLS": mailbox.url}) as served,
        ):
            yield stack, served, mailbox


def print_addresses(console: Console, stack: Stack, served: Served | None, mailbox: Mailbox | None) -> None:
    """Print what a person needs to use the project, each on one line that can be copied."""
    functions = f"{stack.url}/functions/v1"
    addresses = {
        "SUPABASE_URL": stack.url,
        "anon key": stack.anon_key,
        "service_role key": stack.service_role_key,
        "publishable key": stack.publishable_key,
        "secret key": stack.secret_key,
        "database": stack.database_url,
        "page": f"{stack.url}/ (not by `localhost`; build it with VITE_SUPABASE_URL={stack.url})"
        if stack.dist
        else "none; `emocare dev --dist DIR` serves a built one",
        "owner's login": f"{OWNER_EMAIL} / {OWNER_PASSWORD}",
        "functions": f"{functions}, served by "
        + ("the relay" if served else f"what listens at http://{HOST}:{stack.functions_port}"),
        "worker": f"{served.url}/healthz" if served else None,
        "vendors": stack.vendors_url,
        "mailbox": f"{mailbox.folder}: the president's; each message as a .txt and a .eml" if mailbox else None,
        "logs": stack.data_dir / "logs",
    }
    for name, value in addresses.items():
        if value is not None:
            console.print(f"[bold]{name:<18}[/]{escape(str(value))}", soft_wrap=True, highlight=False)


def print_next_steps(console: Console, stack: Stack, served: Served, mailbox: Mailbox) -> None:
    """Write the variables of `emocare` to a file beside the stack's data, and show how to use it."""
    own = {"HTTP_HOST": HOST, "PORT": str(served.port), "NOTIFY_URLS": mailbox.url}
    variables = worker_environment(stack) | own
    file = stack.data_dir / "worker.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    console.print(f"\nIn another terminal, in {escape(str(Path.cwd()))}:", soft_wrap=True, highlight=False)
    for command in (
        f"export EMOCARE_ENV_FILE={shown}",
        ".venv/bin/emocare run DAILY_EXECUTIVE_BRIEF --wait",
        ".venv/bin/emocare notify --test",
        ".venv/bin/emocare doctor",
    ):
        console.print(f"  [bold]{escape(command)}[/]", soft_wrap=True, highlight=False)
    console.print("A run that fails for good, and its message some fifteen seconds later:")
    fault = '{"vendor": "openai", "steps": [{"status": 402}]}'
    letters = mailbox.folder.relative_to(Path.cwd()) if mailbox.folder.is_relative_to(Path.cwd()) else mailbox.folder
    for command in (
        f"curl {stack.vendors_url}/_script -d '{fault}'",
        ".venv/bin/emocare run SEO_AUDIT --platform nearvity --wait",
        f"tail -n +1 {letters}/*.txt",
    ):
        console.print(f"  [bold]{escape(command)}[/]", soft_wrap=True, highlight=False)


def watch(console: Console, served: Served | None, stopping: threading.Event) -> None:
    """Wait until a signal ends it; print a line if the worker or the relay dies meanwhile."""
    remedies = {WORKER: "`emocare serve` in the other terminal replaces it", RELAY: "start again"}
    while not stopping.wait(_WATCH_SECONDS):
        if served is None:
            continue
        for name in served.find_dead():
            line = f"[red]The {name} died[/]: {escape(str(served.log_of(name)))} says why; {remedies[name]}."
            console.print(line, soft_wrap=True, highlight=False)


def main() -> int:
    """Start, print where everything is, and stop at Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description="Supabase on this machine.")
    parser.add_argument("--variant", choices=get_args(Variant), default="head", help="which HQ schema")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the one address; the next four are taken too")
    parser.add_argument("--data-dir", type=Path, default=Path(".devstack"))
    parser.add_argument("--functions-port", type=int, help="where the functions are served; default: any")
    parser.add_argument("--dist", type=Path, help="a built frontend to serve at the same address")
    parser.add_argument("--bare", action="store_true", help="without our migrations and the vendors' stand-ins")
    options = parser.parse_args()
    console = Console()
    handler = RichHandler(console=console, show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with contextlib.ExitStack() as resources:
        try:
            with console.status("Starting…"):
                stack, served, mailbox = resources.enter_context(started(options))
        except (ServiceError, PostgresError) as error:
            console.print(f"[red]Could not start:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
            return 1
        print_addresses(console, stack, served, mailbox)
        if not stack.cluster.has_pg_cron:
            console.print("[yellow]This PostgreSQL has no pg_cron: a stand-in runs the scheduled jobs.[/]")
        if served and mailbox:
            print_next_steps(console, stack, served, mailbox)
        console.print("Ready. Ctrl-C stops it.")
        watch(console, served, stopping)
        console.print("Stopping…")
    return 0


if __name__ == "__main__":
    sys.exit(main())
