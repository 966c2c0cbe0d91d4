"""When the figures are read again, when they are returned as they are, and what is returned when Stripe is silent."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from shared.errors import BackendUnavailable, SourceError, SourceNotConfigured
from workers.finance.revenue import KEPT, RevenueService
from workers.finance.stripe import StripeReader
from workers.ports import FinanceSnapshot
from workers.settings import StripeSettings


class Shelf:
    """A history that a test can look at, and take away."""

    def __init__(self) -> None:
        self.days: dict[date, FinanceSnapshot] = {}
        self.is_away = False

    async def read(self, since: date, *, figures_since: date) -> Sequence[FinanceSnapshot]:
        self._fail()
        days = sorted((each for each in self.days.values() if each.day >= since), key=lambda each: each.day)
        return [each if each.day >= figures_since else each.model_copy(update={"figures": None}) for each in days]

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        self._fail()
        for each in snapshots:
            if each.measured or each.day not in self.days:
                self.days[each.day] = each

    def _fail(self) -> None:
        if self.is_away:
            raise BackendUnavailable


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def open_revenue(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf, **more: object
) -> RevenueService:
    fields = {"base_url": f"{vendors.base_url}/stripe", "key": SecretStr("rk_test")} | more
    settings = StripeSettings.model_validate(fields)
    return RevenueService(StripeReader(http, settings, clock=clock), shelf, settings, clock=clock)


@pytest.fixture
def revenue(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf) -> RevenueService:
    return open_revenue(vendors, http, clock, shelf)


async def readings(vendors: VendorsClient) -> int:
    firsts = [call for call in await vendors.calls("stripe") if "starting_after" not in call["query"]]
    return sum(call["path"] == "/v1/subscriptions" for call in firsts)


async def test_fresh_figures_are_told_without_reading_again(
    revenue: RevenueService, vendors: VendorsClient, clock: FakeClock
) -> None:
    first = await revenue.read()
    clock.advance(timedelta(minutes=4))
    assert (await revenue.read()).figures == first.figures
    assert await readings(vendors) == 1

    clock.advance(timedelta(minutes=2))
    assert (await revenue.read()).figures.read_at == clock.now()
    assert await readings(vendors) == 2


async def test_many_who_ask_at_once_share_one_reading(revenue: RevenueService, vendors: VendorsClient) -> None:
    current = await asyncio.gather(*(revenue.read() for _ in range(20)))

    assert await readings(vendors) == 1
    assert len({each.figures.model_dump_json() for each in current}) == 1


async def test_the_first_reading_fills_sixty_days_and_today(revenue: RevenueService, shelf: Shelf) -> None:
    figures = (await revenue.read()).figures

    today = shelf.days[max(shelf.days)]
    assert len(shelf.days) == 61
    assert (today.measured, today.mrr, today.figures) == (True, figures.mrr, figures.model_dump(mode="json"))
    assert {each.measured for each in shelf.days.values() if each is not today} == {False}


async def test_a_later_reading_leaves_the_days_before_as_they_are(
    revenue: RevenueService, shelf: Shelf, clock: FakeClock
) -> None:
    await revenue.read()
    first = dict(shelf.days)
    clock.advance(timedelta(days=1))
    await revenue.read()

    assert len(shelf.days) == 62
    assert {day: shelf.days[day] for day in first} == first


async def test_silent_stripe_costs_the_freshness_and_not_the_figures(
    revenue: RevenueService, vendors: VendorsClient, clock: FakeClock
) -> None:
    first = (await revenue.read()).figures
    clock.advance(timedelta(hours=3))
    await vendors.script("stripe", {"status": 503}, repeat=True)

    current = await revenue.read()

    assert current.figures == first
    assert current.stale_because is not None


async def test_the_last_good_figures_are_anybodys(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf
) -> None:
    """Also another machine's, or this one's before its restart."""
    first = (await open_revenue(vendors, http, clock, shelf).read()).figures
    await vendors.script("stripe", {"status": 503}, repeat=True)

    current = await open_revenue(vendors, http, clock, shelf).read()

    assert current.figures == first


async def test_figures_that_are_ahead_of_the_clock_are_not_returned(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf
) -> None:
    """A worker whose clock was once half a year ahead left them behind."""
    first = (await open_revenue(vendors, http, clock, shelf).read()).figures
    yesterday = clock.now().date() - timedelta(days=1)
    ahead = first.model_copy(update={"read_at": clock.now() + timedelta(days=180), "mrr": first.mrr + 1})
    shelf.days[yesterday] = shelf.days[yesterday].model_copy(update={"figures": ahead.model_dump(mode="json")})
    await vendors.script("stripe", {"status": 503}, repeat=True)

    current = await open_revenue(vendors, http, clock, shelf).read()

    assert current.figures == first


async def test_figures_that_are_too_old_are_not_returned(
    revenue: RevenueService, vendors: VendorsClient, clock: FakeClock
) -> None:
    await revenue.read()
    await vendors.script("stripe", {"status": 503}, repeat=True)
    clock.advance(KEPT)

    with pytest.raises(SourceError):
        await revenue.read()


async def test_after_a_failure_stripe_is_left_alone_for_a_minute(
    revenue: RevenueService, vendors: VendorsClient, clock: FakeClock
) -> None:
    await vendors.script("stripe", {"status": 403}, repeat=True)
    for _ in range(10):
        with pytest.raises(SourceError):
            await revenue.read()
    assert await readings(vendors) == 1

    clock.advance(timedelta(seconds=61))
    with pytest.raises(SourceError):
        await revenue.read()
    assert await readings(vendors) == 2


async def test_accounts_that_take_too_long_are_given_up(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf
) -> None:
    revenue = open_revenue(vendors, http, clock, shelf, timeout=0.2)
    await vendors.script("stripe", default_delay_ms=5_000)

    with pytest.raises(SourceError) as caught:
        await revenue.read()

    assert "trop de temps" in caught.value.sentence
    await vendors.wait_for("stripe", aborted=3)


async def test_without_a_database_the_figures_are_still_returned(revenue: RevenueService, shelf: Shelf) -> None:
    shelf.is_away = True

    assert (await revenue.read()).figures.customers == 140


async def test_whose_key_was_taken_away_sees_no_figures(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf, revenue: RevenueService
) -> None:
    await revenue.read()

    with pytest.raises(SourceNotConfigured):
        await open_revenue(vendors, http, clock, shelf, key=None).read()


async def test_a_reading_for_the_history_serves_the_screens_too(
    revenue: RevenueService, vendors: VendorsClient
) -> None:
    await revenue.keep_history(timedelta(minutes=1))
    await revenue.read()

    assert await readings(vendors) == 1


async def test_a_reading_for_the_history_that_fails_comes_again(
    revenue: RevenueService, vendors: VendorsClient, shelf: Shelf
) -> None:
    await vendors.script("stripe", {"match": "/subscriptions", "status": 403})
    await revenue.keep_history(timedelta(minutes=1))
    assert shelf.days == {}

    await revenue.keep_history(timedelta(minutes=1))
    assert len(shelf.days) == 61
