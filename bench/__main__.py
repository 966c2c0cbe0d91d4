"""`python -m bench [NAME …]`: measure, print a table, exit 1 when a scenario could not be measured."""

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
    table = Table(box=None, header_style="bold")
    for column in ("what", "measured", "target", "how"):
        table.add_column(column)
    for name in names:
        started = time.monotonic()
        with console.status(name):
            for figure in asyncio.run(known[name]()):
                table.add_row(figure.what, figure.value, figure.target, figure.detail)
        # Figures come at the end, minutes later where several were named.
        console.print(f"{name}: {time.monotonic() - started:.0f} s")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
