"""Time passes by the clock that is handed in, so that tests can hold it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FORBIDDEN = {
    "time.monotonic", "time.perf_counter", "time.time", "time.sleep", "datetime.now", "datetime.utcnow",
    "asyncio.sleep",
}  # fmt: skip
ALLOWED = {
    "workers/clock.py": "it is the clock",
    "workers/cli/doctor.py": "the doctor compares the machine's clock with the database's",
    "workers/schema/migrations.py": "it runs in a command, over a connection that blocks: nothing else waits for it",
    "workers/schema/sessions.py": "so do its connections, and who looks on sits in a thread of its own",
}


def _calls(code: str) -> Iterator[str]:
    """Name each use of the machine's time, whatever it is imported as."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rsplit(".", 1)[-1]
            if f"{owner}.{node.attr}" in FORBIDDEN:
                yield f"line {node.lineno}: {owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if f"{node.module}.{alias.name}" in FORBIDDEN:
                    yield f"line {node.lineno}: {node.module}.{alias.name}"


def test_only_the_clock_reads_the_time_or_sleeps() -> None:
    offenders = [
        f"{path.relative_to(PROJECT)} {call}"
        for folder in ("workers", "shared")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        if str(path.relative_to(PROJECT)) not in ALLOWED
        for call in _calls(path.read_text())
    ]

    assert offenders == []


@pytest.mark.parametrize(
    "code",
    ["time.monotonic()", "asyncio.sleep(1)", "dt.datetime.now(UTC)", "from asyncio import sleep", "read = time.time"],
)
def test_the_lint_sees_every_way_around_the_clock(code: str) -> None:
    assert list(_calls(code))


def test_every_exception_still_needs_to_be_one() -> None:
    assert [path for path in ALLOWED if not list(_calls((PROJECT / path).read_text()))] == []
