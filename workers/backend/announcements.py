"""Broadcasts to the pages that are open, on a public channel of Realtime.

Anybody who has the page's key can read that channel, and forge its messages: so only constants and run types
are sent, and no worker ever listens. Sending needs no socket: it is one request for any number of messages, where the
official client would open a connection for each.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import httpx
import structlog
from pydantic import JsonValue, TypeAdapter
from supabase import AsyncClient

from shared.errors import BackendError, BackendUnavailable
from shared.registry import RUN_TYPES
from shared.runs import RunId, RunStatus
from workers.backend.client import key_headers
from workers.backend.http import SupabaseHttp
from workers.backend.rpc import Rows, call
from workers.backend.translate import quote_answer, translated
from workers.outbound import open_get_transport
from workers.ports import Announcement, Clock
from workers.settings import SupabaseSettings

log = structlog.get_logger(__name__)

TOPIC: Final = "hq-notifications"

_PAUSE: Final = timedelta(seconds=1)
_TIMEOUT: Final = timedelta(seconds=5)
_CONNECTIONS: Final = httpx.Limits(max_connections=4)
# Longer than it takes to send them; what is not sent by then is taken again, here or by another worker.
_TAKEN_FOR: Final = timedelta(seconds=30)
_AT_ONCE: Final = 200
# While the database is away, answers are not: whatever is not noted here is announced as well.
_ANSWERED_AT_MOST: Final = 1_000

_ANNOUNCEMENTS = Rows(TypeAdapter(Announcement), key="key")


@asynccontextmanager
async def open_announcer(
    supabase: SupabaseSettings, client: AsyncClient, *, clock: Clock, look_every: timedelta
) -> AsyncIterator["RealtimeAnnouncer"]:
    """Open an announcer over a connection of its own: if Realtime hangs, the runs lose none of theirs."""
    key = supabase.service_key.get_secret_value()
    async with SupabaseHttp(
        within=_TIMEOUT,
        base_url=f"{str(supabase.url).rstrip('/')}/realtime/v1/",
        headers=key_headers(key),
        transport=open_get_transport(_CONNECTIONS),
    ) as http:
        yield RealtimeAnnouncer(client, http, clock=clock, look_every=look_every)


class RealtimeAnnouncer:
    """Broadcasts which types of run were completed, and the announcements that the database holds.

    Completed runs are hints, held in memory and sent at most once. What must not be lost waits in
    ``hq.announcements`` and is sent at least once, unless it is a failure that was given as an answer.
    Cost: at most one broadcast a second; one database call now and then, none for a completed run.
    Concurrency: one ``run`` at a time.
    """

    def __init__(
        self,
        client: AsyncClient,
        http: httpx.AsyncClient,
        *,
        clock: Clock,
        look_every: timedelta,
        pause: timedelta = _PAUSE,
    ) -> None:
        self._client = client
        self._http = http
        self._clock = clock
        self._look_every = look_every.total_seconds()
        self._pause = pause
        self._wanted = asyncio.Event()
        # By type, however many the runs: the registry bounds its size.
        self._completed: set[str] = set()
        self._sent: list[str] = []
        # Runs whose failure somebody was answered; noted with the next call, and kept until it succeeds.
        self._answered: set[RunId] = set()
        self._look_at = 0.0

    def note_end(self, run_type: str, status: RunStatus) -> None:
        """Note how an attempt ended, without blocking."""
        if status is RunStatus.COMPLETED and run_type in RUN_TYPES:
            self._completed.add(run_type)
            self._wanted.set()
        elif status is RunStatus.FAILED:
            self._look_at = self._clock.monotonic()
            self._wanted.set()

    def note_answer(self, run_id: RunId) -> None:
        """Note that whoever asked for a run was answered how it failed, without blocking."""
        if len(self._answered) < _ANSWERED_AT_MOST:
            self._answered.add(run_id)
            self._look_at = self._clock.monotonic()
            self._wanted.set()

    async def run(self) -> None:
        """Send announcements until cancelled."""
        while True:
            self._wanted.clear()
            try:
                await self._announce()
            except Exception:
                log.exception("announcements.failed")
            await self._clock.sleep(self._pause)
            left = max(self._look_at - self._clock.monotonic(), 0)
            await self._clock.wait(self._wanted, within=timedelta(seconds=left))

    async def _announce(self) -> None:
        completed, self._completed = self._completed, set()
        messages = [_message("run_completed", {"run_type": run_type}) for run_type in sorted(completed)]
        taken = await self._take() if self._clock.monotonic() >= self._look_at else []
        for announcement in taken:
            message = _message(announcement.event, announcement.payload)
            if message not in messages:  # ten failures of one minute are one alert
                messages.append(message)
        if messages and await self._broadcast(messages) and taken:
            self._sent = [announcement.key for announcement in taken]
            self._look_at = self._clock.monotonic()

    async def _take(self) -> Sequence[Announcement]:
        self._look_at = self._clock.monotonic() + self._look_every
        answered = frozenset(self._answered)
        params = {
            "p_said": self._sent,
            "p_limit": _AT_ONCE,
            "p_lease_seconds": _TAKEN_FOR.total_seconds(),
            "p_answered": sorted(map(str, answered)),
        }
        try:
            taken = await call(self._client, "take_hq_announcements_v2", params, _ANNOUNCEMENTS)
        except BackendError as error:
            what = "take_hq_announcements_v2"
            log.warning("backend.failed", call=what, error_code=error.code, error_message=str(error))
            return []
        self._sent = []
        self._answered -= answered
        return taken

    async def _broadcast(self, messages: Sequence[JsonValue]) -> bool:
        try:
            with translated("broadcast"):
                _refuse_failure(await self._http.post("api/broadcast", json={"messages": list(messages)}))
        except BackendError as error:
            log.warning("broadcast.failed", error_code=error.code, error_message=str(error))
            return False
        return True


def _refuse_failure(response: httpx.Response) -> None:
    # Whatever the failure, it is logged once, and what must not be lost is sent again.
    if response.status_code != httpx.codes.ACCEPTED:
        raise BackendUnavailable(quote_answer(response, "Realtime"))


def _message(event: str, payload: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"topic": TOPIC, "event": event, "payload": payload, "private": False}
