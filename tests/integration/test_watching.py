"""What workers watch without being asked: the sites and the earnings, once for all workers, and true on the screens."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from support.hq import Hq
from support.sites import watch_for_two_days

from workers.bootstrap import open_worker
from workers.clock import SystemClock
from workers.settings import read_settings

LOST = ("401", "403", "429", "500", "503", "Authorization", "Permissions", "Limite", "unavailable")


class HurriedClock(SystemClock):
    """Lets no pause last."""

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(min(delay.total_seconds(), 0.05))


async def test_a_worker_purges_old_logs_where_pg_cron_fell_silent(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.rows(
        "insert into hq.structured_logs (message, created_at) values ('old', now() - interval '31 days') returning 1"
    )
    hq.rows("update hq.maintenance set done_at = now() - interval '27 hours' where task = 'purge' returning 1")
    for name, value in hq.environment().items():
        monkeypatch.setenv(name, value)
    stop = asyncio.Event()

    async with open_worker(read_settings(), clock=HurriedClock()) as worker, asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await hq.until("select where not exists (select from hq.structured_logs where message = 'old')")
        stop.set()


async def test_approvals_of_yesterday_are_announced_by_one_worker_without_anybody_looking(
    hq: Hq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every quarter of an hour; here its clock does not let a worker wait, and the lease keeps to the database's."""
    hq.rows(
        "insert into hq.actions (title, action_type, status, created_at)"
        " values ('Publier', 'DEPLOY_TO_PRODUCTION', 'pending', now() - interval '25 hours') returning 1"
    )
    for name, value in hq.environment().items():
        monkeypatch.setenv(name, value)
    stop = asyncio.Event()

    async with (
        open_worker(read_settings(), clock=HurriedClock()) as one,
        open_worker(read_settings(), clock=HurriedClock()) as other,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(one.run(stop))
        group.create_task(other.run(stop))
        await hq.until("select from hq.announcements where kind = 'stale_approvals'")
        # Another look would happen by now, if a minute had passed for the database.
        hq.rows("update hq.push_look set looked_at = now() - interval '1 hour' returning 1")
        await asyncio.sleep(1)
        stop.set()

    assert hq.rows("select from hq.push_look where looked_at > now() - interval '30 minutes'") == []
    assert len(hq.rows("select from hq.announcements where kind = 'stale_approvals'")) == 1


async def test_of_two_workers_one_looks_at_the_sites_at_a_time(hq: Hq) -> None:
    watch_for_two_days(hq.database)
    for _ in range(2):
        await hq.worker(PLATFORM_CHECK_SECONDS=1)

    await hq.until(
        "select platform_key from hq.platform_checks group by platform_key having count(*) >= 4 "
        "intersect select 'nearvity'"
    )

    gaps = hq.rows(
        "select checked_at - lag(checked_at) over (order by checked_at) as gap from hq.platform_checks "
        "where platform_key = 'nearvity' order by checked_at offset 1"
    )
    assert min(row["gap"].total_seconds() for row in gaps) > 0.5
    assert {row["uptime_percent"] for row in hq.rows("select uptime_percent::int from hq.platforms")} == {100}


async def test_a_site_that_falls_turns_red_with_a_reason_and_green_again_when_it_is_back(hq: Hq) -> None:
    watch_for_two_days(hq.database)
    await hq.vendors.script("sites", {"match": "nearvity", "status": 503}, repeat=True)
    await hq.worker(PLATFORM_CHECK_SECONDS=0.5)

    red = await hq.until("select * from hq.platforms where key = 'nearvity' and status = 'red'")
    assert red[0]["status_reason"] == "Le site répond par une erreur (HTTP 503)."

    await hq.vendors.reset()
    green = await hq.until("select * from hq.platforms where key = 'nearvity' and status = 'green'")
    assert re.fullmatch(r"Répond en \d+ ms, contrôlé à \d\d:\d\d", green[0]["status_reason"])
    assert 0 < green[0]["uptime_percent"] < 100


async def test_an_outage_opens_an_incident_that_the_return_of_the_site_closes(hq: Hq) -> None:
    # Two failures some minutes ago: the third makes it an outage.
    hq.rows(
        "insert into hq.platform_checks (platform_key, status, checked_at) "
        "select 'nearvity', 'red', now() - n * interval '5 minutes' from generate_series(1, 2) as n returning 1"
    )
    await hq.vendors.script("sites", {"match": "nearvity", "status": 503}, repeat=True)
    await hq.worker(PLATFORM_CHECK_SECONDS=0.5)
    await hq.until("select from hq.incidents where platform_key = 'nearvity' and status = 'open'")

    await hq.vendors.reset()
    resolved = await hq.until("select * from hq.incidents where status = 'resolved' and resolved_at is not null")

    assert len(resolved) == 1


async def test_what_is_kept_is_not_reported_as_lost(hq: Hq) -> None:
    """Each of these is written by a function that returns nothing, which PostgREST answers with 204 and no body."""
    worker = await hq.worker(PLATFORM_CHECK_SECONDS=0.5, STRIPE_READ_SECONDS=8)

    await hq.until("select from hq.finance_snapshots where measured")
    await hq.until("select from hq.platform_checks group by platform_key having count(*) >= 3")

    assert worker.events("finance.not_recorded") + worker.events("checks.not_recorded") == []


async def test_what_the_monitor_answers_is_kept(hq: Hq) -> None:
    service = await hq.service()

    answer = await service.post("platform-monitor", {"action": "health"}, token=hq.stack.sign_in())

    assert answer.json()["summary"]["platforms_total"] == 7
    assert len(hq.rows("select from hq.platform_checks")) == 7


async def test_the_earnings_are_read_for_the_history_without_anybody_looking(hq: Hq) -> None:
    await hq.worker(STRIPE_READ_SECONDS=8)

    (today,) = await hq.until("select * from hq.finance_snapshots where measured")

    assert hq.one("select count(*) as n from hq.finance_snapshots")["n"] == 61
    assert today["mrr"] > 0
    assert today["day"] == hq.one("select (now() at time zone 'Europe/Paris')::date as day")["day"]


async def test_the_figures_of_the_screen_are_those_of_the_history(hq: Hq) -> None:
    service = await hq.service()

    kpis = (await service.post("stripe-kpis", token=hq.stack.sign_in())).json()["kpis"]

    (today,) = hq.rows("select * from hq.finance_snapshots where measured")
    assert (kpis["mrr"], kpis["activeSubscriptions"]) == (float(today["mrr"]), today["active_subscriptions"])
    assert kpis["totalCustomers"] == 140


async def _refusal(hq: Hq, **settings: object) -> dict[str, Any]:
    service = await hq.service(**settings)
    answer = await service.post("stripe-kpis", token=hq.stack.sign_in())
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    assert body["success"] is False
    assert set(body) == {"success", "error", "error_code"}
    # The page reads a toast out of such words.
    assert not any(word in body["error"] for word in LOST)
    assert not re.search(r"\d{3}", body["error"])
    return body


async def test_without_a_key_the_screen_says_so_and_shows_no_figure(hq: Hq) -> None:
    body = await _refusal(hq, STRIPE_SECRET_KEY="")

    assert body["error_code"] == "source_not_configured"
    assert "STRIPE_SECRET_KEY" in body["error"]


async def test_when_stripe_was_never_read_its_silence_is_reported(hq: Hq) -> None:
    await hq.vendors.script("stripe", {"status": 500}, repeat=True)

    assert (await _refusal(hq))["error_code"] == "source_unavailable"
    assert hq.rows("select from hq.finance_snapshots") == []
