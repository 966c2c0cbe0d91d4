"""Extensions that not every PostgreSQL has: where ours should have them, a test is not skipped but red."""

import os

import pytest

from devstack.postgres import PostgresCluster


def has_extension(cluster: PostgresCluster, name: str) -> bool:
    """Report whether an extension can be created; fail in CI, unless programs that have none were asked for."""
    there = cluster.has_pg_cron if name == "pg_cron" else cluster.has_extension(name)
    asked_for = cluster.flavour != "system" and os.environ.get("DEVSTACK_POSTGRES")
    if not there and os.environ.get("CI") and not asked_for:
        pytest.fail(f"{name} is missing: devstack/install.sh installs it")
    return there


def need_extension(cluster: PostgresCluster, name: str) -> None:
    """Skip the test where the extension cannot be had; fail it where it should have been."""
    if not has_extension(cluster, name):
        pytest.skip(f"this PostgreSQL has no {name}")
