"""A project that serves everything a page needs, and what the JavaScript tests made of it."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.database import Database
from support.people import VIEWER_EMAIL, VIEWER_PASSWORD, create_viewer
from support.plan import wind_ahead

from devstack.functions import FUNCTIONS
from devstack.postgres import PostgresCluster
from devstack.served import WORKER, Served, serve_functions
from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack, Tuning
from devstack.ways import QUICK

FOLDER = Path(__file__).parent
SECONDS = 180


@pytest.fixture(scope="session")
def project(cluster: PostgresCluster) -> Iterator[dict[str, Any]]:
    """Serve a project, and describe it as the JavaScript tests want it."""
    database = f"screens_{uuid.uuid4().hex[:12]}"
    cluster.clone("head_hq", database)
    with closing(Database(cluster, database)) as hq:
        wind_ahead(hq)
    tuning = Tuning(realtime=QUICK)
    with (
        Stack.start(cluster=cluster, database=database, port=None, vendors=True, tuning=tuning) as stack,
        serve_functions(stack) as served,
    ):
        create_viewer(stack)
        yield {
            "url": stack.url,
            "publishableKey": stack.publishable_key,
            "vendorsUrl": stack.vendors_url,
            "functions": sorted(relayed() & routed(served)),
            "people": {
                "owner": {"email": OWNER_EMAIL, "password": OWNER_PASSWORD},
                "viewer": {"email": VIEWER_EMAIL, "password": VIEWER_PASSWORD},
            },
        }
    cluster.drop(database)


def relayed() -> set[str]:
    """The functions that the relay stands in front of."""
    return {folder.parent.name for folder in FUNCTIONS.glob("*/index.ts")}


def routed(served: Served) -> set[str]:
    """The functions that the worker says it serves."""
    lines = served.log_of(WORKER).read_text().splitlines()
    return set(next(json.loads(line)["functions"] for line in lines if '"event": "http.opened"' in line))


@pytest.fixture(scope="session")
def report(project: dict[str, Any]) -> dict[str, list[str]]:
    """Run every JavaScript test once; return what failed in each, by name."""
    # One file after the other: they share the owner, the vendors and the list of runs.
    options = ["--test", "--test-concurrency=1", f"--test-reporter={FOLDER / 'reporter.mjs'}"]
    done = subprocess.run(
        ["node", *options, *sorted(FOLDER.glob("*.test.mjs"))],
        env={"PATH": os.environ["PATH"], "PROJECT": json.dumps(project)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    return {line["name"]: [] if line["passed"] else line["failures"] or ["failed"] for line in lines}
