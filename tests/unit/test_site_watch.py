"""Every look at the sites is kept, and several pages that ask at once share one."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from shared.errors import BackendUnavailable
from workers.platform_monitor.probe import SiteProbe
from workers.platform_monitor.watch import SiteWatch
from workers.ports import SiteCheck


class Notebook:
    def __init__(self) -> None:
        self.checks: list[SiteCheck] = []
        self.is_away = False

    async def record_checks(self, checks: Sequence[SiteCheck]) -> None:
        if self.is_away:
            raise BackendUnavailable
        self.checks += checks


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def watch(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, notebook: Notebook) -> SiteWatch:
    sites = {key: f"{vendors.base_url}/sites/{key}" for key in ("nearvity", "med-mng")}
    return SiteWatch(SiteProbe(http, sites, clock=clock), notebook, clock=clock)


async def test_pages_that_ask_at_once_share_one_look(watch: SiteWatch, notebook: Notebook, clock: FakeClock) -> None:
    looks = await asyncio.gather(*(watch.look() for _ in range(10)))
    assert len(notebook.checks) == 2
    assert all(look == looks[0] for look in looks)

    clock.advance(timedelta(seconds=10))
    await watch.look()
    assert len(notebook.checks) == 4


async def test_a_look_at_one_site_and_a_patrol_are_kept_each(watch: SiteWatch, notebook: Notebook) -> None:
    await watch.look_at("med-mng")
    await watch.patrol()
    await watch.patrol()

    assert [check.platform_key for check in notebook.checks] == ["med-mng", *["nearvity", "med-mng"] * 2]


async def test_a_database_that_is_away_costs_the_record_and_not_the_answer(
    watch: SiteWatch, notebook: Notebook
) -> None:
    notebook.is_away = True

    assert [check.status for check in await watch.look()] == ["green", "green"]
