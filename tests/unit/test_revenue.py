"""When the figures are read again, when they are told as they are, and what is told when Stripe is silent."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from shared.errors import BackendUnavailable, SourceError, SourceNotConfigured
from workers.finance.revenue import KEPT, Treasury
from workers.finance.stripe import StripeReader
from workers.ports import FinanceSnapshot
from workers.settings import StripeSettings


class Shelf:
    """A history that a test can look at, and take away."""

    def __init__(self) -> None:
        self.days: dict[date, FinanceSnapshot] = {}
        self.is_away = False

    async def read(self, since: date) -> Sequence[FinanceSnapshot]:
        self._fail()
        return sorted((each for each in self.days.values() if each.day >= since), key=lambda each: each.day)

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


def open_treasury(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf, **more: object
) -> Treasury:
    fields = {"base_url": f"{vendors.base_url}/stripe", "key": SecretStr("rk_test")} | more
    settings = StripeSettings.model_validate(fields)
    return Treasury(StripeReader(http, settings, clock=clock), shelf, settings, clock=clock)


@pytest.fixture
def treasury(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf) -> Treasury:
    return open_treasury(vendors, http, clock, shelf)


async def readings(vendors: VendorsClient) -> int:
    firsts = [call for call in await vendors.calls("stripe") if "starting_after" not in call["query"]]
    return sum(call["path"] == "/v1/subscriptions" for call in firsts)


async def test_fresh_figures_are_told_without_reading_again(
    treasury: Treasury, vendors: VendorsClient, clock: FakeClock
) -> None:
    first = await treasury.tell()
    clock.advance(timedelta(minutes=4))
    assert (await treasury.tell()).figures == first.figures
    assert await readings(vendors) == 1

    clock.advance(timedelta(minutes=2))
    assert (await treasury.tell()).figures.read_at == clock.now()
    assert await readings(vendors) == 2


async def test_many_who_ask_at_once_share_one_reading(treasury: Treasury, vendors: VendorsClient) -> None:
    told = await asyncio.gather(*(treasury.tell() for _ in range(20)))

    assert await readings(vendors) == 1
    assert len({each.figures.model_dump_json() for each in told}) == 1


async def test_the_first_reading_fills_sixty_days_and_today(treasury: Treasury, shelf: Shelf) -> None:
    figures = (await treasury.tell()).figures

    today = shelf.days[max(shelf.days)]
    assert len(shelf.days) == 61
    assert (today.measured, today.mrr, today.figures) == (True, figures.mrr, figures.model_dump(mode="json"))
    assert {each.measured for each in shelf.days.values() if each is not today} == {False}


async def test_a_later_reading_leaves_the_days_before_as_they_are(
    treasury: Treasury, shelf: Shelf, clock: FakeClock
) -> None:
    await treasury.tell()
    first = dict(shelf.days)
    clock.advance(timedelta(days=1))
    await treasury.tell()

    assert len(shelf.days) == 62
    assert {day: shelf.days[day] for day in first} == first


async def test_silent_stripe_costs_the_freshness_and_not_the_figures(
    treasury: Treasury, vendors: VendorsClient, clock: FakeClock
) -> None:
    first = (await treasury.tell()).figures
    clock.advance(timedelta(hours=3))
    await vendors.script("stripe", {"status": 503}, repeat=True)

    told = await treasury.tell()

    assert told.figures == first
    assert told.why_old is not None


async def test_the_last_good_figures_are_anybodys(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf
) -> None:
    """Also another machine's, or this one's before it was started anew."""
    first = (await open_treasury(vendors, http, clock, shelf).tell()).figures
    await vendors.script("stripe", {"status": 503}, repeat=True)

    told = await open_treasury(vendors, http, clock, shelf).tell()

    assert told.figures == first


async def test_figures_that_are_too_old_are_not_told(
    treasury: Treasury, vendors: VendorsClient, clock: FakeClock
) -> None:
    await treasury.tell()
    await vendors.script("stripe", {"status": 503}, repeat=True)
    clock.advance(KEPT)

    with pytest.raises(SourceError):
        await treasury.tell()


async def test_after_a_failure_stripe_is_left_alone_for_a_minute(
    treasury: Treasury, vendors: VendorsClient, clock: FakeClock
) -> None:
    await vendors.script("stripe", {"status": 403}, repeat=True)
    for _ in range(10):
        with pytest.raises(SourceError):
            await treasury.tell()
    assert await readings(vendors) == 1

    clock.advance(timedelta(seconds=61))
    with pytest.raises(SourceError):
        await treasury.tell()
    assert await readings(vendors) == 2


async def test_accounts_that_take_too_long_are_given_up(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf
) -> None:
    treasury = open_treasury(vendors, http, clock, shelf, timeout=0.2)
    await vendors.script("stripe", default_delay_ms=5_000)

    with pytest.raises(SourceError) as caught:
        await treasury.tell()

    assert "trop de temps" in caught.value.sentence
    await vendors.wait_for("stripe", aborted=3)


async def test_without_a_database_the_figures_are_still_told(treasury: Treasury, shelf: Shelf) -> None:
    shelf.is_away = True

    assert (await treasury.tell()).figures.customers == 140


async def test_whose_key_was_taken_away_sees_no_figures(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, shelf: Shelf, treasury: Treasury
) -> None:
    await treasury.tell()

    with pytest.raises(SourceNotConfigured):
        await open_treasury(vendors, http, clock, shelf, key=None).tell()


async def test_a_reading_for_the_history_serves_the_screens_too(treasury: Treasury, vendors: VendorsClient) -> None:
    await treasury.keep_history(timedelta(minutes=1))
    await treasury.tell()

    assert await readings(vendors) == 1


async def test_a_reading_for_the_history_that_fails_comes_again(
    treasury: Treasury, vendors: VendorsClient, shelf: Shelf
) -> None:
    await vendors.script("stripe", {"match": "/subscriptions", "status": 403})
    await treasury.keep_history(timedelta(minutes=1))
    assert shelf.days == {}

    await treasury.keep_history(timedelta(minutes=1))
    assert len(shelf.days) == 61
