"""The figures, for any caller: fresh enough, read again, or the last good ones with their own date."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import structlog
from pydantic import ValidationError

from shared.errors import BackendError, SourceError, SourceNotConfigured, SourceUnavailable
from workers.finance.figures import HISTORY, RULES, WINDOW, Figures, RevenueReport, day_of, missing_days
from workers.finance.stripe import StripeReader
from workers.finance.stripe_objects import Accounts
from workers.ports import Clock, FinanceHistory, FinanceSnapshot
from workers.runtime.shared_read import SharedRead
from workers.settings import StripeSettings

log = structlog.get_logger(__name__)

# How far back the days go that a report shows; the figures behind them are needed for sixty days only.
SERIES: Final = timedelta(days=400)
# Older figures would mislead rather than help.
KEPT: Final = timedelta(hours=48)
# A read that has just failed is not repeated for every screen that polls.
_PAUSE: Final = timedelta(seconds=60)
# How far another worker's clock may be ahead of ours.
_AHEAD: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class DatedFigures:
    """Figures, the days before as they are stored, and why the figures are not current, if they are not."""

    figures: Figures
    stale_because: SourceError | None = None
    days: Sequence[FinanceSnapshot] = ()


class RevenueService:
    """Reads, stores and dates the figures.

    Concurrency: any number of callers, which share one reading; the reading for the history is separate.
    """

    def __init__(
        self, reader: StripeReader, history: FinanceHistory, settings: StripeSettings, *, clock: Clock
    ) -> None:
        self._reader = reader
        self._history = history
        self._settings = settings
        self._clock = clock
        self._shared = SharedRead[DatedFigures](settings.fresh, clock, failure_ttl=_PAUSE)
        self._latest: Figures | None = None

    @property
    def configured(self) -> bool:
        """Whether there is anything to read."""
        return self._reader.configured

    async def read(self) -> DatedFigures:
        """Return the figures: at most as old as the settings allow, or the last good ones if Stripe does not answer.

        Raises: SourceError when there are none.
        """
        try:
            return await self._shared.get(lambda: self._read(self._settings.timeout))
        except SourceError as error:
            return await self._read_last(error)

    async def keep_history(self, within: timedelta) -> None:
        """Read the accounts for the history, even if nobody looks; nobody waits for it, so a failure is only logged."""
        began = self._clock.monotonic()
        try:
            self._shared.keep(await self._read(within), as_of=began)
        except SourceError as error:
            log.warning("finance.unread", error_code=error.code, error_message=str(error))

    async def _read(self, within: timedelta) -> DatedFigures:
        history = await self._read_history(self._clock.now()) if self._reader.configured else ()
        latest = self._find_latest(history)
        try:
            async with asyncio.timeout(within.total_seconds()):
                accounts = await self._reader.read(None if latest is None else latest.remembered)
        except TimeoutError as error:
            raise SourceUnavailable(
                f"Stripe's accounts were not read in {within.total_seconds():g} s",
                sentence="La lecture des comptes Stripe prend trop de temps ; elle se poursuit en tâche de fond.",
            ) from error
        current = await self._keep(accounts, history)
        self._latest = current.figures
        return current

    async def _keep(self, accounts: Accounts, history: Sequence[FinanceSnapshot]) -> DatedFigures:
        """Compare with the history, and add today to it. If the database is away, only the history suffers."""
        # In a thread: thousands of subscriptions, on each of sixty days, would block the event loop.
        figures, found = await asyncio.to_thread(_compute, accounts, history)
        today = day_of(accounts.read_at)
        measured = FinanceSnapshot(
            day=today,
            taken_at=figures.read_at,
            measured=True,
            currency=figures.currency,
            mrr=figures.mrr,
            active_subscriptions=figures.active_subscriptions,
            churn_rate=figures.churn_rate or Decimal(0),
            figures=figures.model_dump(mode="json"),
        )
        try:
            await self._history.record([measured, *found])
        except BackendError as error:
            log.warning("finance.not_recorded", error_code=error.code, error_message=str(error))
        days = {each.day: each for each in (*found, *history)} | {today: measured}
        # Without the figures behind each day, which would stay in memory.
        kept = [days[day].model_copy(update={"figures": None}) for day in sorted(days, reverse=True)]
        return DatedFigures(figures, days=tuple(kept))

    async def _read_history(self, now: datetime) -> Sequence[FinanceSnapshot]:
        try:
            today = day_of(now)
            return await self._history.read(today - SERIES, figures_since=today - HISTORY)
        except BackendError as error:
            log.warning("finance.history_unread", error_code=error.code, error_message=str(error))
            return ()

    async def _read_last(self, error: SourceError) -> DatedFigures:
        """Return the last good figures, this process's or another's, unless they are too old. Raises: SourceError."""
        log.warning("finance.unread", error_code=error.code, error_message=str(error))
        now = self._clock.now()
        if isinstance(error, SourceNotConfigured):
            raise error  # once the key has been removed, nothing is shown
        history = await self._read_history(now)
        latest = self._find_latest(history)
        if latest is None or now - latest.read_at >= KEPT:
            raise error
        return DatedFigures(latest, error, tuple(each.model_copy(update={"figures": None}) for each in history))

    def _find_latest(self, history: Sequence[FinanceSnapshot]) -> Figures | None:
        """Find the last good figures, this process's or another's; those of a day that cannot be read are left out.

        So are those ahead of the clock: they were read before it was corrected, and would outlive all others.
        """
        candidates = [] if self._latest is None else [self._latest]
        for each in history:
            if not each.figures:
                continue
            try:
                candidates.append(Figures.model_validate(each.figures))
            except ValidationError:
                log.warning("finance.kept_unreadable", day=each.day.isoformat())
        latest = self._clock.now() + _AHEAD
        return max((each for each in candidates if each.read_at <= latest), key=lambda each: each.read_at, default=None)


def _compute(accounts: Accounts, history: Sequence[FinanceSnapshot]) -> tuple[Figures, list[FinanceSnapshot]]:
    """Compute the figures, and the days of the history about which nothing was known."""
    report = RevenueReport(accounts)
    today = day_of(accounts.read_at)
    known = {each.day: each for each in history}
    found = [report.reconstruct(day) for day in missing_days(known, today)]
    before = known.get(today - WINDOW)
    if before is None or not _is_comparable(before) or before.currency != report.currency:
        before = report.reconstruct(today - WINDOW)  # the same day, in today's currency and by today's rules
    return report.compute_figures(before), found


def _is_comparable(day: FinanceSnapshot) -> bool:
    """Return whether a day was measured, by today's rules."""
    return day.measured and (day.figures or {}).get("rules") == RULES
