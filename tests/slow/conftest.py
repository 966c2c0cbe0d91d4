"""The HQ with everything real, one per test, for harm that takes its time."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support.database import Database
from support.hq import Hq, open_hq


@pytest.fixture
async def hq(database: Database, tmp_path: Path) -> AsyncIterator[Hq]:
    async with open_hq(database, tmp_path) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.path.parent.parts:
            item.add_marker(pytest.mark.slow)


RecordFigure = Callable[[str, object], None]
_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def record_figure(request: pytest.FixtureRequest) -> RecordFigure:
    """Record a figure that was seen; all are printed at the end."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda what, figure: figures.append(f"{request.node.name}: {what} {figure}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(_FIGURES, []):
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
