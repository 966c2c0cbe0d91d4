"""The HQ with everything real, one per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.database import Database
from support.hq import Hq, open_hq


@pytest.fixture
async def hq(database: Database, tmp_path: Path) -> AsyncIterator[Hq]:
    async with open_hq(database, tmp_path) as running:
        yield running
