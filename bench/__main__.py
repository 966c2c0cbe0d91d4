"""`python -m bench [NAME …]`: measure, print a table for each scenario, exit 1 when one could not be measured."""

import argparse
import asyncio
import logging
import os
import platform
import sys
import time

import structlog
from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from bench.scenarios import LONG, SCENARIOS


def main() -> int:
    """Run the scenarios named on the command line, or all but the long ones."""
    known = SCENARIOS | LONG
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the figures of docs/benchmarks.md.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of: {', '.join(known)}; without any: all but {', '.join(LONG)}"
    )
    names = parser.parse_args().names or list(SCENARIOS)
    if unknown := set(names) - set(known):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    # What is measured must not be the printing of logs.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    console = Console()
    console.print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    failed = []
    for name in names:
        started = time.monotonic()
        try:
            with console.status(name):
                figures = asyncio.run(known[name]())
        except Exception:  # noqa: BLE001 - what the others measured, for half an hour, must not be lost with it
            console.print_exception()
            failed.append(name)
            continue
        console.print(_tabulate(f"{name}, {time.monotonic() - started:.0f} s", figures))
    if failed:
        console.print(f"[red]Failed: {', '.join(failed)}")
    return 1 if failed else 0


def _tabulate(title: str, figures: list[Figure]) -> Table:
    table = Table(title=title, box=None, header_style="bold", title_justify="left")
    for column in ("what", "measured", "target", "how"):
        table.add_column(column)
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.target, figure.detail)
    return table


if __name__ == "__main__":
    sys.exit(main())
