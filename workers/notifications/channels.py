"""Channels: e-mail, chats, webhooks, by the addresses of NOTIFY_URLS, sent with Apprise.

Apprise calls with ``requests`` and ``smtplib``, which block. So each message is sent in a thread of its own, which
nobody waits for longer than a try may take, and a channel whose thread is still busy is given no second one before a
minute is over. What the libraries log is dropped: it may name addresses, in which there are keys.
"""

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import apprise
import structlog
from apprise.plugins.email import NotifyEmail
from pydantic import SecretStr

from workers.notifications.answers import TOO_LONG, HttpAnswer, judge, keep_answers, list_failed, watch_requests
from workers.notifications.messages import Notice, render_html, render_text, write_trial
from workers.notifications.recipients import skip_recipients, watch_recipients
from workers.notifications.sentences import Urgency
from workers.notifications.targets import name_targets
from workers.ports import ChannelName, SendOutcome, SendResult

log = structlog.get_logger(__name__)

TRY: Final = timedelta(seconds=10)
"""How long one message to one target may take."""

_CONNECT_SECONDS: Final = 4.0
_READ_SECONDS: Final = 5.0
# Apprise waits so long between two requests to one service; its usual 5.5 s would take most of a try.
_BETWEEN_SECONDS: Final = 1.0
# A server that sends a byte now and then keeps a thread for ever: it is left to itself, if few were in the last hour.
_ABANDON_SECONDS: Final = 60.0
_ABANDONED_AN_HOUR: Final = 3
_ABANDONED_WITHIN_SECONDS: Final = 3600.0
_ABANDONED_AT_MOST: Final = 9
_REMEMBERED_AT_MOST: Final = 100
_SHORT: Final = "Le détail est trop long pour ce canal : vous le trouverez au QG."
_TYPES: Final = {
    Urgency.LOW: apprise.NotifyType.INFO,
    Urgency.MEDIUM: apprise.NotifyType.INFO,
    Urgency.HIGH: apprise.NotifyType.WARNING,
    Urgency.CRITICAL: apprise.NotifyType.FAILURE,
}


class Channel:
    """One address of NOTIFY_URLS.

    Concurrency: one message at a time.
    """

    def __init__(self, name: ChannelName, service: Any, *, page: str | None) -> None:  # noqa: ANN401 - the library's
        self.name = name
        self._service = service
        self._page = page
        self._thread: threading.Thread | None = None
        self._began_at = 0.0
        # Threads that are left to themselves, by when they began.
        self._abandoned: dict[threading.Thread, float] = {}
        # Messages that were accepted, in the order of their acceptance, while nobody waited for it any longer.
        self._late: dict[str, None] = {}
        # Who accepted a message that another recipient of this address did not.
        self._accepted_by: dict[str, set[str]] = {}

    async def send(self, notice: Notice, *, within: timedelta) -> SendResult:
        """Send a message to who has not accepted it. One that was accepted after its time is not sent again."""
        if notice.message_id in self._late:
            return SendResult(SendOutcome.ACCEPTED)
        loop = asyncio.get_running_loop()
        if self._is_busy(loop.time()):
            return SendResult(SendOutcome.RETRY, "timed_out")
        done: asyncio.Future[SendResult] = loop.create_future()

        def report(result: SendResult) -> None:
            if self._thread is thread:
                self._thread = None
            if result.outcome is SendOutcome.ACCEPTED:
                self._accepted_by.pop(notice.message_id, None)
                self._late[notice.message_id] = None
                _forget_oldest(self._late)
            if not done.done():
                done.set_result(result)

        accepted_by = self._accepted_by.setdefault(notice.message_id, set())
        _forget_oldest(self._accepted_by)

        def work() -> None:
            with skip_recipients(accepted_by):
                result = self._send(notice)
            with contextlib.suppress(RuntimeError):  # the process has stopped meanwhile
                loop.call_soon_threadsafe(report, result)

        # A daemon: a server that hangs must not keep the process from ending, as an executor's thread would.
        thread = threading.Thread(target=work, name=f"channel {self.name.label}", daemon=True)
        self._thread, self._began_at = thread, loop.time()
        thread.start()
        try:
            async with asyncio.timeout(within.total_seconds()):
                result = await done
        except TimeoutError:
            return SendResult(SendOutcome.RETRY, "timed_out")
        self._late.pop(notice.message_id, None)
        return result

    def _is_busy(self, now: float) -> bool:
        """Return whether the channel must wait for its thread; one that is too old is abandoned."""
        if self._thread is None or not self._thread.is_alive():
            return False
        self._abandoned = {thread: began_at for thread, began_at in self._abandoned.items() if thread.is_alive()}
        recent = [began_at for began_at in self._abandoned.values() if began_at > now - _ABANDONED_WITHIN_SECONDS]
        if (
            now - self._began_at < _ABANDON_SECONDS
            or len(recent) >= _ABANDONED_AN_HOUR
            or len(self._abandoned) >= _ABANDONED_AT_MOST
        ):
            return True
        self._abandoned[self._thread] = self._began_at
        return False

    def _send(self, notice: Notice) -> SendResult:
        """Send a message from this thread; one that is too long for the service, by its title and its page alone."""
        try:
            accepted, answers = self._notify(notice)
            if not accepted and any(answer.status == TOO_LONG for answer in list_failed(answers)):
                accepted, answers = self._notify(replace(notice, body=_SHORT))
            return SendResult(SendOutcome.ACCEPTED) if accepted else judge(answers)
        except Exception:  # noqa: BLE001 - a thread that ends without a result would look like a server that hangs
            return SendResult(SendOutcome.RETRY, "not_accepted")

    def _notify(self, notice: Notice) -> tuple[bool, Sequence[HttpAnswer]]:
        is_mail = isinstance(self._service, NotifyEmail)
        headers = getattr(self._service, "headers", None)
        if isinstance(headers, dict):
            # By the first a mail program puts an incident's end below its beginning; by the second it, or a webhook,
            # recognises a message that comes twice.
            headers |= {"References": f"<{notice.tag}@emocare-hq>", "X-EMOCARE-Message": notice.message_id}
        with keep_answers() as answers:
            try:
                one = apprise.Apprise(asset=self._service.asset)
                one.add(self._service)
                accepted = one.notify(
                    title=f"QG EMOCARE : {notice.title}",
                    body=(render_html if is_mail else render_text)(notice, self._page),
                    # From HTML, Apprise makes an e-mail that has the plain text too.
                    body_format=apprise.NotifyFormat.HTML if is_mail else apprise.NotifyFormat.TEXT,
                    notify_type=_TYPES[notice.urgency],
                )
            except Exception:  # noqa: BLE001 - of a hundred services; its text may hold a key
                return False, answers
        return bool(accepted), answers


def open_channels(urls: Sequence[SecretStr], *, page: str | None) -> tuple[list[Channel], list[int]]:
    """Return the channels, and the positions (from 1) of the addresses that Apprise cannot read."""
    if not urls:
        return [], []
    watch_requests()
    for library in ("apprise", "urllib3.connectionpool"):
        logging.getLogger(library).disabled = True
    # One service inline in our thread, no redirect: an address leads where the operator wrote, and nowhere else.
    asset = apprise.AppriseAsset(
        app_id="EMOCARE-HQ",
        app_desc="QG EMOCARE",
        async_mode=False,
        http_redirects=False,
        service_timeout=0,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    readable: list[tuple[SecretStr, Any]] = []
    unreadable: list[int] = []
    for position, url in enumerate(urls, start=1):
        service = _instantiate(url, asset)
        if service is None:
            unreadable.append(position)
            continue
        readable.append((url, service))
    channels: list[Channel] = []
    labels: Counter[str] = Counter()
    for target, (url, service) in zip(name_targets(readable), readable, strict=True):
        schema = url.get_secret_value().partition("://")[0][:30].lower()
        labels[schema] += 1
        label = schema if labels[schema] == 1 else f"{schema} {labels[schema]}"
        channels.append(Channel(ChannelName(target=target, label=label), service, page=page))
    return channels, unreadable


async def try_channels(channels: Sequence[Channel]) -> list[tuple[ChannelName, SendResult]]:
    """Send a trial message by each channel; return how each went."""
    results = await asyncio.gather(*(channel.send(write_trial(), within=TRY) for channel in channels))
    return [(channel.name, result) for channel, result in zip(channels, results, strict=True)]


def _forget_oldest(by_message: dict[str, Any]) -> None:
    if len(by_message) > _REMEMBERED_AT_MOST:
        del by_message[next(iter(by_message))]


def _instantiate(url: SecretStr, asset: apprise.AppriseAsset) -> Any:  # noqa: ANN401 - the library's
    """Make Apprise's service for an address, with time limits that the address cannot lengthen; None if it cannot."""
    make: Callable[..., Any] = apprise.Apprise.instantiate
    try:
        service = make(url.get_secret_value(), asset=asset, suppress_exceptions=True)
    except Exception:  # noqa: BLE001 - its text would quote the address
        return None
    if service is None or not hasattr(service, "notify"):
        return None
    watch_recipients(service)
    service.redirects = False
    # What is too long for a service would be refused each time that it is sent.
    service.overflow_mode = apprise.OverflowMode.TRUNCATE
    service.socket_connect_timeout = min(service.socket_connect_timeout, _CONNECT_SECONDS)
    service.socket_read_timeout = min(service.socket_read_timeout, _READ_SECONDS)
    service.request_rate_per_sec = min(service.request_rate_per_sec, _BETWEEN_SECONDS)
    service.retry = 0
    return service
