"""What a service answered to a channel's message: Apprise says only whether it went well.

All services of Apprise that speak HTTP do so with ``requests``. So each request that is made while answers are kept, in
the thread that keeps them, leaves its status and its Retry-After; any other request of the process passes unseen.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
import requests

from workers import outbound
from workers.ports import SendOutcome, SendResult

TOO_LONG: Final = 413

# The address or what it holds is wrong: somebody must mend it, and until then each try would be refused likewise.
_TO_BE_MENDED: Final = frozenset({401, 402, 403, 404, 407, 410})
_LOOK_AGAIN: Final = timedelta(hours=1)
_LATER: Final = frozenset({408, 425, 429})
_READ: Final = ("date", "retry-after", "retry-after-ms")


@dataclass(frozen=True)
class HttpAnswer:
    """What a service answered to one request."""

    status: int
    headers: Mapping[str, str]
    """Those of `_READ` that it has, by their lower-case names."""


_KEPT: Final = ContextVar[list[HttpAnswer] | None]("kept", default=None)


@contextmanager
def keep_answers() -> Iterator[Sequence[HttpAnswer]]:
    """Keep what is answered to the requests that this thread makes meanwhile, in their order."""
    answers: list[HttpAnswer] = []
    token = _KEPT.set(answers)
    try:
        yield answers
    finally:
        _KEPT.reset(token)


def judge(answers: Sequence[HttpAnswer]) -> SendResult:
    """Return what to do about a message that was not accepted: to try again, if any recipient may still accept it."""
    results = [_judge_one(answer) for answer in list_failed(answers)]
    if not results:
        return SendResult(SendOutcome.RETRY, "not_accepted")
    return next((result for result in reversed(results) if result.outcome is SendOutcome.RETRY), results[-1])


def list_failed(answers: Sequence[HttpAnswer]) -> Sequence[HttpAnswer]:
    """Return those by which a message was not accepted."""
    return [answer for answer in answers if not httpx.codes.is_success(answer.status)]


def _judge_one(answer: HttpAnswer) -> SendResult:
    failure = f"http_{answer.status}"
    if answer.status in _LATER or httpx.codes.is_server_error(answer.status):
        waits = outbound.parse_retry_after(answer.headers, _read_date(answer.headers))
        return SendResult(SendOutcome.RETRY, failure, waits)
    if answer.status in _TO_BE_MENDED or httpx.codes.is_redirect(answer.status):
        return SendResult(SendOutcome.RETRY, failure, _LOOK_AGAIN)
    return SendResult(SendOutcome.REFUSED, failure)


_send: Final = requests.Session.send


def watch_requests() -> None:
    """Have answers kept where somebody keeps them. Idempotent.

    The services call ``requests.post`` and its like, which make a session each time: there is no other hook for all.
    """
    requests.Session.send = _send_and_keep  # type: ignore[method-assign]


def _send_and_keep(self: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - whatever it takes
    response = _send(self, request, **kwargs)
    answers = _KEPT.get()
    if answers is not None:
        answers.append(HttpAnswer(response.status_code, _pick_headers(response)))
    return response


def _pick_headers(response: requests.Response) -> Mapping[str, str]:
    """Return the headers that say when to try again, without one that no service writes so: it could not be read."""
    fields = {name: response.headers.get(name) for name in _READ}
    return {name: value for name, value in fields.items() if value is not None and value.isascii()}


def _read_date(headers: Mapping[str, str]) -> datetime:
    """Return when a service says that it answered: the moment from which it counts a wait that it gives as a date."""
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)  # no date is later
