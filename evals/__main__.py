"""`python -m evals`: print how well reports are verified; exit 1 when a bar is missed."""

import argparse
import sys
import time
from itertools import chain

from rich.console import Console
from rich.table import Table

from evals.bars import Row, measure_corpus, measure_digits, measure_good, measure_spoiled, measure_time


def main() -> int:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m evals", description="Measure the verification of reports.")
    parser.add_argument("--misses", action="store_true", help="print what was missed or troubled")
    show = parser.parse_args().misses
    begun = time.perf_counter()
    rows = list(chain(measure_time(), measure_corpus(), measure_good(), measure_digits(), measure_spoiled()))
    console = Console()
    table = Table(box=None, header_style="bold")
    for column in ("what", "count", "of", "share", "bar", ""):
        table.add_column(column, justify="right" if column in {"count", "of", "share"} else "left")
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print(f"{time.perf_counter() - begun:.0f} s")
    for row in rows if show else ():
        for miss in row.misses:
            console.print(f"{row.what} | {miss}", markup=False, highlight=False)
    return 0 if all(row.holds for row in rows) else 1


def _cells(row: Row) -> tuple[str, ...]:
    share = f"{row.percent:.1f} %" if row.total else ""
    return row.what, str(row.count), str(row.total or ""), share, row.bar, "" if row.holds else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
