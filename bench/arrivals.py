"""Requests that come at a fixed rate whatever happens, and what became of them."""

import itertools
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, NamedTuple, Self
from uuid import UUID

import psycopg

from bench.rig import Rig

_SLICE: Final = timedelta(seconds=5)
_PAUSE_SECONDS: Final = 0.2
_HELD: Final = "HQ008"  # another session holds what is asked for
# The key makes a request whose answer was lost the same request: asked for again, it is answered with its run.
_REQUEST: Final = """
select run_id from public.request_hq_run_v2(
  p_run_type => %s, p_platform_key => %s, p_context => jsonb_build_object('n', %s::bigint),
  p_idempotency_key => %s, p_force => true
)
"""

# What has vanished has no row: the accepted runs are looked for by the ids that were returned.
_OUTCOME: Final = """
select
  (select count(*) from unnest(%s::uuid[]) as asked (id) where not exists (
    select from hq.runs as r where r.id = asked.id and r.status in ('completed', 'failed')))
  + count(*) filter (where r.id not in (select unnest(%s::uuid[])) and r.status not in ('completed', 'failed')) as lost,
  count(*) filter (where r.status = 'failed') as failed,
  count(*) filter (where e.ends > 1) as ended_again,
  (select count(*) - count(distinct q.idempotency_key) from hq.run_requests as q
    where q.idempotency_key = any (%s)) as asked_again,
  coalesce(sum((r.detailed_appendix ->> 'attempt')::integer - 1), 0) as wasted
from hq.runs as r cross join lateral (
  select count(*) as ends from hq.structured_logs as l
  where l.run_id = r.id and l.message in ('run.completed', 'run.failed')) as e
"""


class Outcome(NamedTuple):
    """What became of the accepted requests, and of all other runs beside them."""

    accepted: int
    lost: int  # without an end, or without a row
    failed: int
    doubled: int  # ended more than once, or two runs of one request
    wasted: int  # attempts beyond the first


class Arrivals:
    """Asks for runs at a fixed rate, from a thread of its own, until the block ends."""

    def __init__(self, rig: Rig, rate: float, kinds: Sequence[tuple[str, str | None]], *, name: str) -> None:
        self.rate = rate
        self.accepted: dict[str, UUID] = {}  # the run that each idempotency key was answered with
        self._rig = rig
        self._kinds = itertools.cycle(kinds)
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arrivals")
        self._failure: psycopg.Error | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._ask_on()
        except psycopg.Error as error:
            self._failure = error

    def _ask_on(self) -> None:
        session: psycopg.Connection | None = None
        began = time.monotonic()
        for number in itertools.count():
            # Late ones are made up for: arrivals do not wait for who answers them.
            if self._stop.wait(max(0.0, began + number / self.rate - time.monotonic())):
                break
            key = f"{self._name}-{number}"
            wanted = (*next(self._kinds), number, key)
            while not self._stop.is_set():
                try:
                    if session is None or session.closed:
                        session = psycopg.connect(self._rig.stack.database_url, autocommit=True, connect_timeout=5)
                    answer = session.execute(_REQUEST.encode(), wanted).fetchone()
                    assert answer is not None
                    self.accepted[key] = answer[0]
                    break
                except (
                    psycopg.Error
                ) as error:  # the server is away, or somebody holds a lock: ask again, as a page does
                    if not (isinstance(error, psycopg.OperationalError) or error.sqlstate == _HELD):
                        raise
                    self._stop.wait(_PAUSE_SECONDS)
        if session is not None:
            session.close()


def rate_between(rig: Rig, start: datetime, end: datetime) -> float:
    """Return the median rate at which runs were completed, in runs per second, over the slices of a window."""
    counts = []
    for number in range(int((end - start) / _SLICE)):
        first = start + number * _SLICE
        counts.append(
            rig.number(
                "select count(*) from hq.runs where status = 'completed' and completed_at >= %s and completed_at < %s",
                first,
                first + _SLICE,
            )
        )
    return statistics.median(counts) / _SLICE.total_seconds()


def read_outcome(rig: Rig, accepted: Mapping[str, UUID]) -> Outcome:
    """Count what was lost, failed, doubled and wasted: of the accepted requests, and of all runs."""
    run_ids = set(accepted.values())
    (counted,) = rig.rows(_OUTCOME, list(run_ids), list(run_ids), list(accepted))
    given_twice = len(accepted) - len(run_ids)
    doubled = counted["ended_again"] + counted["asked_again"] + given_twice
    return Outcome(len(accepted), int(counted["lost"]), int(counted["failed"]), int(doubled), int(counted["wasted"]))


def now() -> datetime:
    """Return the time, as the database's rows have it: both are on this machine."""
    return datetime.now(UTC)
