"""The vendors' stand-ins, started once as their own process; a fake clock; one HTTP client per test."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from workers import outbound
from workers.logs import never_show


@pytest.fixture(autouse=True)
def _no_values_named() -> Iterator[None]:
    """Let no test redact what another one named."""
    yield
    never_show(())


@pytest.fixture(scope="session")
def vendors_url() -> Iterator[str]:
    command = [sys.executable, "-m", "devstack.vendors", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("vendors ready on "), line
        yield line.split()[-1]
        process.terminate()


@pytest.fixture
async def vendors(vendors_url: str) -> AsyncIterator[VendorsClient]:
    async with VendorsClient(vendors_url) as client:
        await client.reset()
        yield client


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with outbound.open_http() as client:
        yield client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
