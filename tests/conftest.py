"""One PostgreSQL for the whole session, one template per schema variant, one clone per test; nothing is shared.

``database`` is the HQ at its newest schema with our part installed. ``bare_database`` and ``seed_database`` are its
siblings: without our part, and at the older schema.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
import structlog
from hypothesis import settings
from support.database import Database, migrate

from devstack import warm
from devstack.baseline import apply_baseline
from devstack.postgres import PostgresCluster
from devstack.programs import Account, Install

if TYPE_CHECKING:
    from devstack.baseline import Variant

# The same examples each time, so that a red test is red again; `--hypothesis-profile search` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    """Fork what tests start from one process that has imported it; the slow proofs start everything for real."""
    if config.getoption("markexpr") == "not slow":
        warm.enable()


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Let no test write, or filter, what another one logs: a command configures logging for its whole process."""
    yield
    structlog.reset_defaults()


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests will use."""
    install = Install.find(Account.for_server())
    return f"PostgreSQL {install.version} ({install.flavour}: {install.bin_dir})"


CloneFactory = Callable[[str], Database]

_numbers = count(1)

_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 4 * 1024**3


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """Start PostgreSQL and build the templates: ``seed`` and ``head`` as the host made them, ``*_hq`` with our part."""
    folder = _memory_folder() or Path(tmp_path_factory.mktemp("postgres"))
    with PostgresCluster.start(folder, ephemeral=True) as running:
        _check_major(running)
        for variant in ("seed", "head"):
            _build_templates(running, variant)
        # The launcher of pg_cron stays connected to its database: a template must not be that one.
        running.set_cron_database("postgres")
        yield running


def _check_major(cluster: PostgresCluster) -> None:
    """Ask the server itself, where a major was asked for: tests on another one would prove nothing."""
    if (wanted := os.environ.get("DEVSTACK_POSTGRES", "")).isdecimal():
        with psycopg.connect(cluster.dsn("template1", "supabase_admin")) as admin:
            number = admin.info.server_version
        assert number // 10000 == int(wanted), f"PostgreSQL {wanted} was asked for, {number // 10000} answers"


def _memory_folder() -> Path | None:
    """Name a folder in memory where there is plenty of it, as there is not in every container.

    A clone is six hundred small files, which a disk's file system takes ten times as long to make and to unlink.
    """
    if not os.access(_MEMORY, os.W_OK | os.X_OK) or shutil.disk_usage(_MEMORY).free < _MEMORY_BYTES:
        return None
    return _MEMORY / f"emocare-tests-{uuid4().hex[:12]}"


def _build_templates(cluster: PostgresCluster, variant: "Variant") -> None:
    with psycopg.connect(cluster.dsn("template1", "supabase_admin"), autocommit=True) as admin:
        admin.execute(f"create database {variant}".encode())
    # pg_cron lets its extension be created in its own database only; clones inherit it.
    cluster.set_cron_database(variant)
    apply_baseline(cluster.dsn(variant, "supabase_admin"), variant)
    cluster.set_cron_database("postgres")
    cluster.clone(variant, f"{variant}_hq")
    migrate(cluster, f"{variant}_hq")


@pytest.fixture
def clone(cluster: PostgresCluster) -> Iterator[CloneFactory]:
    """Make databases from templates by name; they are dropped after the test."""
    made: list[Database] = []

    def make(template: str) -> Database:
        name = f"test_{next(_numbers)}"
        cluster.clone(template, name)
        made.append(Database(cluster, name))
        return made[-1]

    yield make
    for database in made:
        database.close()
        cluster.drop(database.name)


@pytest.fixture
def database(clone: CloneFactory) -> Database:
    """The HQ at its newest schema, with our part installed."""
    return clone("head_hq")


@pytest.fixture
def seed_database(clone: CloneFactory) -> Database:
    """The HQ at its older schema, with our part installed."""
    return clone("seed_hq")


@pytest.fixture(params=["seed", "head"])
def bare_database(request: pytest.FixtureRequest, clone: CloneFactory) -> Database:
    """The HQ without our part, at each schema in turn."""
    return clone(str(request.param))
