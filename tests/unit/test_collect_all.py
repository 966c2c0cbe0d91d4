"""Asking all sources: at the same time, each for itself, never at the price of the run."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from support.clock import FakeClock

from shared.errors import SourceRejected
from shared.findings import Collected, Finding, GapReason
from shared.registry import SourceName, find_run_type
from workers.ports import Subject
from workers.sources import collect_all
from workers.sources.gaps import LABELS

SUBJECT = Subject(run_type=find_run_type("DAILY_EXECUTIVE_BRIEF"), platforms=())
SECOND = timedelta(seconds=1)


class Fake:
    """A source that does what a test says."""

    def __init__(self, name: str, act: Callable[[], Awaitable[Collected]]) -> None:
        self.name = name
        self._act = act

    async def collect(self, subject: Subject) -> Collected:
        assert subject is SUBJECT
        return await self._act()


def answering(name: str, clock: FakeClock) -> Fake:
    async def act() -> Collected:
        return Collected(findings=(Finding(source=name, label=name, text="x", read_at=clock.now()),))

    return Fake(name, act)


def failing(name: str, error: BaseException) -> Fake:
    async def act() -> Collected:
        raise error

    return Fake(name, act)


async def hang() -> Collected:
    await asyncio.Event().wait()
    raise AssertionError


async def collect(clock: FakeClock, *sources: Fake, wanted: tuple[str, ...], within: timedelta = SECOND) -> Collected:
    return await collect_all(sources, SUBJECT, names_wanted=wanted, timeout=within, clock=clock)


async def test_findings_come_in_the_wanted_order_and_only_from_wanted_sources(clock: FakeClock) -> None:
    sources = (answering("github", clock), answering("stripe", clock), answering("platforms", clock))

    collected = await collect(clock, *sources, wanted=("platforms", "github", "platforms"))

    assert [finding.source for finding in collected.findings] == ["platforms", "github"]
    assert collected.gaps == ()


async def test_sources_are_asked_at_the_same_time(clock: FakeClock) -> None:
    both_there = asyncio.Barrier(2)

    async def meet() -> Collected:
        await both_there.wait()
        return Collected()

    collected = await collect(clock, Fake("github", meet), Fake("stripe", meet), wanted=("github", "stripe"))

    assert collected == Collected()


async def test_a_wanted_source_that_nobody_implements_is_a_gap(clock: FakeClock) -> None:
    collected = await collect(clock, wanted=("perplexity", "runes"))

    assert [(gap.source, gap.reason) for gap in collected.gaps] == [
        ("perplexity", GapReason.NOT_IMPLEMENTED),
        ("runes", GapReason.NOT_IMPLEMENTED),
    ]
    assert "Perplexity" in collected.gaps[0].sentence


async def test_a_slow_source_is_a_gap_and_the_others_are_kept(clock: FakeClock) -> None:
    collected = await collect(
        clock,
        Fake("github", hang),
        answering("platforms", clock),
        wanted=("github", "platforms"),
        within=timedelta(milliseconds=20),
    )

    assert [finding.source for finding in collected.findings] == ["platforms"]
    assert [(gap.source, gap.reason) for gap in collected.gaps] == [("github", GapReason.TIMED_OUT)]
    assert "0.02 s" in collected.gaps[0].sentence


async def test_a_source_error_that_slips_out_is_a_gap_with_its_sentence(clock: FakeClock) -> None:
    error = SourceRejected("no", sentence="Refusé : vérifiez les droits.")

    collected = await collect(clock, failing("stripe", error), wanted=("stripe",))

    assert [(gap.reason, gap.sentence) for gap in collected.gaps] == [(GapReason.REJECTED, error.sentence)]


@pytest.mark.parametrize("error", [RuntimeError("boom"), TimeoutError(), ZeroDivisionError()], ids=repr)
async def test_an_error_nobody_foresaw_is_a_gap_and_is_logged(clock: FakeClock, error: Exception) -> None:
    with capture_logs() as logs:
        collected = await collect(
            clock, failing("github", error), answering("platforms", clock), wanted=("github", "platforms")
        )

    assert len(collected.findings) == 1
    assert [(gap.source, gap.reason) for gap in collected.gaps] == [("github", GapReason.UNAVAILABLE)]
    assert "boom" not in collected.gaps[0].sentence
    assert [(log["event"], log["log_level"], log["source"]) for log in logs] == [("source.failed", "error", "github")]


async def test_cancellation_passes_through_and_stops_every_source(clock: FakeClock) -> None:
    entered, left = asyncio.Event(), []

    async def hold() -> Collected:
        entered.set()
        try:
            return await hang()
        finally:
            left.append(True)

    collecting = asyncio.create_task(
        collect(clock, Fake("github", hold), Fake("stripe", hold), wanted=("github", "stripe"))
    )
    await entered.wait()
    await asyncio.sleep(0)
    collecting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert left == [True, True]


def test_every_source_of_the_registry_has_a_french_name() -> None:
    assert set(LABELS) == set(SourceName)
