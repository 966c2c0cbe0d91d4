"""What the benchmarks read from the operating system's accounts."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.cpu import describe_cost, read_tree

_BURN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_cpu_of_a_child_that_has_ended_stays_with_the_parent_that_waited_for_it() -> None:
    with _parent_of(_BURN, afterwards="input()") as parent:
        spent = _wait_for(parent, 0.3)
        time.sleep(0.2)
        assert 0.3 <= spent <= read_tree(parent) < 3


def test_cpu_of_a_living_child_is_its_parents_too() -> None:
    with _parent_of(f"{_BURN}\ninput()", afterwards="pass") as parent:
        assert _wait_for(parent, 0.3) >= 0.3


def test_a_run_costs_what_the_service_and_the_database_spent_and_names_everybody() -> None:
    before = {"PostgreSQL": 1.0, "gateway": 0.5, "service": 2.0}
    after = {"PostgreSQL": 1.2, "gateway": 0.6, "service": 2.3}

    figure = describe_cost("10 caller(s)", before, after, 100, "≤ 4.2 ms")

    assert figure.value == "5.0 ms"
    assert figure.detail.startswith("service 3.0, PostgreSQL 2.0, gateway 1.0; all 6.0 ms; 100 runs, load ")


@contextlib.contextmanager
def _parent_of(program: str, *, afterwards: str) -> Iterator[int]:
    """Start a process that starts another and waits for it; both end with the block."""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])\n{afterwards}"
    process = subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE)
    try:
        yield process.pid
    finally:
        process.communicate(b"\n")


def _wait_for(parent: int, seconds: float) -> float:
    deadline = time.monotonic() + 30
    while (spent := read_tree(parent)) < seconds and time.monotonic() < deadline:
        time.sleep(0.02)
    return spent
