"""Keep a project up in the foreground: `python -m devstack [--variant seed|head] [--port N] [--data-dir DIR]`.

Our part of the database is installed and the vendors' stand-ins run, so that `emocare` works at once; `--bare`
leaves both out, which is the HQ as it was before us.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.logging import RichHandler

from devstack.baseline import Variant
from devstack.postgres import PostgresError
from devstack.processes import ServiceError
from devstack.stack import DEFAULT_DATABASE_PORT, DEFAULT_PORT, OWNER_EMAIL, OWNER_PASSWORD, Stack
from devstack.worker import worker_environment
from workers import schema


def print_addresses(console: Console, stack: Stack) -> None:
    """Print what a person needs to use the project, each on one line that can be copied."""
    addresses = {
        "SUPABASE_URL": stack.url,
        "anon key": stack.anon_key,
        "service_role key": stack.service_role_key,
        "publishable key": stack.publishable_key,
        "secret key": stack.secret_key,
        "database": stack.database_url,
        "owner's login": f"{OWNER_EMAIL} / {OWNER_PASSWORD}",
        "functions": f"{stack.url}/functions/v1, served by whoever listens at {stack.functions_upstream}",
        "vendors": stack.vendors_url,
        "logs": stack.data_dir / "logs",
    }
    for name, value in addresses.items():
        if value is not None:
            console.print(f"[bold]{name:<18}[/]{value}", soft_wrap=True, highlight=False)


def print_next_steps(console: Console, stack: Stack) -> None:
    """Write the variables of `emocare` to a file beside the stack's data, and show how to use it."""
    variables = stack.data_dir / "worker.env"
    variables.touch(mode=0o600)
    variables.write_text("".join(f"{name}={value}\n" for name, value in worker_environment(stack).items()))
    shown = variables.relative_to(Path.cwd()) if variables.is_relative_to(Path.cwd()) else variables
    console.print("\nIn another terminal:", highlight=False)
    for command in (
        f"export EMOCARE_ENV_FILE={shown}",
        ".venv/bin/emocare work",
        ".venv/bin/emocare run DAILY_EXECUTIVE_BRIEF --wait",
    ):
        console.print(f"  [bold]{command}[/]", soft_wrap=True, highlight=False)


def main() -> int:
    """Start, say where everything is, and stop at Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description="Supabase on this machine.")
    parser.add_argument("--variant", choices=get_args(Variant), default="head", help="which HQ schema")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--data-dir", type=Path, default=Path(".devstack"))
    parser.add_argument("--functions-port", type=int, help="where the functions are served; default: any")
    parser.add_argument("--bare", action="store_true", help="without our migrations and the vendors' stand-ins")
    options = parser.parse_args()
    console = Console()
    handler = RichHandler(console=console, show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with console.status("Starting…"):
            stack = Stack.start(
                variant=options.variant,
                data_dir=options.data_dir.absolute(),
                port=options.port,
                database_port=DEFAULT_DATABASE_PORT,
                functions_port=options.functions_port,
                vendors=not options.bare,
            )
    except (ServiceError, PostgresError) as error:
        console.print(f"[red]Could not start:[/] {error}")
        return 1
    with stack:
        if not options.bare:
            schema.apply(stack.database_url)
        print_addresses(console, stack)
        if not stack.cluster.has_pg_cron:
            console.print("[yellow]This PostgreSQL has no pg_cron: a stand-in runs the scheduled jobs.[/]")
        if not options.bare:
            print_next_steps(console, stack)
        console.print("Ready. Ctrl-C stops it.")
        stopping.wait()
        console.print("Stopping…")
    return 0


if __name__ == "__main__":
    sys.exit(main())
