"""One odd row of a table that we read costs itself: the rest is served, and somebody learns which row it is."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Final
from uuid import UUID

import pytest
from support.hq import Hq

from shared.runs import RunId
from workers.backend.client import open_client
from workers.backend.decisions import SupabaseDecisions
from workers.backend.finance_history import SupabaseFinanceHistory
from workers.backend.inspection import SupabaseInspection
from workers.backend.journal import SupabaseJournal
from workers.backend.plan import SupabasePlan
from workers.backend.reader import SupabaseReader
from workers.backend.run_requests import SupabaseRunRequests
from workers.backend.runs import SupabaseRunStore
from workers.clock import SystemClock
from workers.settings import SupabaseSettings, WorkerSettings

RUN: Final = "00000000-0000-4000-8000-00000000000{}"
ODD: Final = RUN.format(9)

# One odd row per table, beside rows as they should be.
ROWS: Final = f"""
insert into hq.runs (id, run_type, status, created_at, started_at, completed_at, executive_summary) values
  ('{RUN.format(1)}', 'SEO_AUDIT', 'completed', now() - interval '2 h', now() - interval '2 h', now(), 'Bilan'),
  ('{RUN.format(2)}', 'CODE_REVIEW', 'failed', now() - interval '1 h', now() - interval '1 h', now(), 'Panne'),
  ('{ODD}', 'SEO_AUDIT', 'completed', now(), '20260-01-01', '20260-01-01', 'Bilan'),
  ('{RUN.format(8)}', 'SEO_AUDIT', 'failed', '20260-01-01', 'infinity', '-infinity', 'Panne');
update hq.runs set detailed_appendix = '1' where id = '{RUN.format(8)}';
update hq.platforms set last_release_at = '20260-01-15' where key = 'nearvity';
update hq.scheduled_jobs set priority = 'urgent' where key = 'daily_brief';
insert into hq.incidents (platform_key, severity, title, created_at) values
  ('nearvity', 'high', 'Panne', now()), ('nearvity', 'high', 'Panne lointaine', '20260-01-01');
insert into hq.actions (action_type, title, created_at) values
  ('publish', 'Publier', now()), ('publish', 'Publier plus tard', '20260-01-01');
insert into hq.finance_snapshots (day, taken_at, measured, currency, mrr, active_subscriptions, churn_rate, figures)
values
  (current_date, now(), true, 'EUR', 100, 1, 0, '{{"read_at": "2026-01-01"}}'),
  (current_date - 1, now(), true, 'EUR', 100, 1, 0, '{{"x": 1}}'),
  (current_date - 2, now(), true, 'EUR', 100, 1, 0, '[1]'),
  (current_date - 3, 'infinity', true, 'EUR', 100, 1, 0, null);
insert into hq.structured_logs (level, source, message, created_at) values
  ('info', 'system', 'here', now()), ('info', 'system', 'far', '20260-01-01');
"""


@pytest.fixture
async def read(hq: Hq) -> Any:
    """Plant the rows, and open what reads them: each of our lists, by its name."""
    hq.database.sql.execute(ROWS.encode())
    settings = SupabaseSettings.model_validate(
        {"SUPABASE_URL": hq.stack.url, "SUPABASE_SERVICE_ROLE_KEY": hq.stack.service_role_key}
    )
    async with open_client(settings) as client:
        reader, plan, requests = SupabaseReader(client), SupabasePlan(client), SupabaseRunRequests(client)
        store = SupabaseRunStore(client, worker_id="w", settings=WorkerSettings.model_validate({}), clock=SystemClock())
        reads: dict[str, Callable[[], Awaitable[Any]]] = {
            "runs": lambda: requests.list_latest(50, None),
            "platforms": lambda: store.read_platforms(None),
            "jobs": plan.read_jobs,
            "last runs": lambda: plan.read_last_runs(["SEO_AUDIT", "CODE_REVIEW"]),
            "slots": plan.fire_due,
            "catalogue": reader.read_catalogue,
            "history": lambda: reader.read_run_history(30),
            "matters": lambda: reader.read_open_matters(None),
            "costs": reader.read_costs,
            "snapshots": lambda: SupabaseFinanceHistory(client).read(date(2020, 1, 1), figures_since=date(2020, 1, 1)),
            "logs": lambda: SupabaseJournal(client).list_latest(limit=50, run_id=None, level=None, after=None),
            "decisions": lambda: SupabaseDecisions(client, clock=SystemClock()).read_journal(50),
            "checks": lambda: SupabaseInspection(client).check_backend("x", 1),
            "odd run": lambda: requests.read(RunId(UUID(ODD))),
            "undated run": lambda: requests.read(RunId(UUID(RUN.format(8)))),
            "ended run": lambda: store.read_ended(RunId(UUID(RUN.format(8)))),
        }
        yield reads


async def test_one_odd_row_of_each_table_costs_that_row(read: dict[str, Callable[[], Awaitable[Any]]]) -> None:
    found = {name: await call() for name, call in read.items()}

    assert {str(run.run_id) for run in found["runs"]} == {RUN.format(1), RUN.format(2), ODD}
    assert (found["odd run"].started_at, found["odd run"].completed_at) == (None, None)
    assert found["undated run"].created_at.year < 9999
    assert found["ended run"].appendix == {}
    released = {platform.key: platform.last_release_at for platform in found["platforms"]}
    assert (len(released), released["nearvity"]) == (7, None)
    assert [key for key, at in released.items() if at is not None]
    assert len(found["jobs"]) == 5
    assert {job.key: job.priority.value for job in found["jobs"]}["daily_brief"] == "low"
    assert {key: str(run.run_id) for key, run in found["last runs"].items()} == {
        "SEO_AUDIT": RUN.format(1),
        "CODE_REVIEW": RUN.format(2),
    }
    assert {line.run_type for line in found["history"]} >= {"SEO_AUDIT", "CODE_REVIEW"}
    assert {matter.title for matter in found["matters"]} >= {"Panne", "Publier"}
    assert not [matter.title for matter in found["matters"] if matter.title in {"Panne lointaine", "Publier plus tard"}]
    assert [snapshot.figures for snapshot in found["snapshots"]] == [{"read_at": "2026-01-01"}, {"x": 1}]
    assert "here" in {line.message for line in found["logs"]}
    assert "far" not in {line.message for line in found["logs"]}


async def test_whoever_operates_learns_which_rows_are_odd(
    read: dict[str, Callable[[], Awaitable[Any]]], hq: Hq
) -> None:
    checks = {check.code: check for check in await read["checks"]()}

    assert checks["odd_rows"].state == "amber"
    for named in (f"hq.runs.completed_at of {ODD}", "last_release_at of nearvity", "priority of daily_brief"):
        assert named in checks["odd_rows"].detail
    assert [row["place"] for row in hq.rows("select * from hq.find_odd_rows()")] == [
        "hq.actions.created_at",
        "hq.finance_snapshots.figures",
        "hq.finance_snapshots.figures",
        "hq.incidents.created_at",
        "hq.platforms.last_release_at",
        "hq.runs.completed_at",
        "hq.scheduled_jobs.priority",
    ]
    (health,) = hq.rows("select etat from hq.health where controle = 'Lignes illisibles'")
    assert health["etat"] == "amber"
