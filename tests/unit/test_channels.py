"""Channels: what Apprise is allowed, and that a server which hangs costs nobody anything."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
from apprise import OverflowMode
from pydantic import SecretStr
from support.scripted_server import Heard, ScriptedServer, answer

from workers.notifications.answers import keep_answers
from workers.notifications.channels import Channel, open_channels
from workers.notifications.messages import write_trial
from workers.ports import SendOutcome, SendResult

SECRET = "xoxb-1234567890-secret"


def open_one(url: str) -> Channel:
    (channel,), unreadable = open_channels([SecretStr(url)], page=None)
    assert unreadable == []
    return channel


@asynccontextmanager
async def hanging_server() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Accept connections and never answer, until the event is set."""
    release = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        await release.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], release
    finally:
        release.set()
        server.close()


@pytest.mark.parametrize("url", ["mailto://127.0.0.1:{}?from=a@b.fr&to=c@d.fr", "json://127.0.0.1:{}/hook"])
async def test_a_server_that_hangs_is_given_up_and_given_no_second_thread(url: str) -> None:
    async with hanging_server() as (port, _):
        channel = open_one(url.format(port))
        began = time.monotonic()

        first = await channel.send(write_trial(), within=timedelta(seconds=0.3))
        second = await channel.send(write_trial(), within=timedelta(seconds=0.3))

        assert first == second == SendResult(SendOutcome.RETRY, "timed_out")
        assert time.monotonic() - began < 1.5


async def test_the_event_loop_goes_on_while_a_channel_hangs() -> None:
    async with hanging_server() as (port, _):
        channel = open_one(f"json://127.0.0.1:{port}/hook")
        sending = asyncio.create_task(channel.send(write_trial(), within=timedelta(seconds=0.5)))
        steps = 0
        while not sending.done():
            await asyncio.sleep(0.01)
            steps += 1

        assert steps > 20


@asynccontextmanager
async def slow_server(seconds: float) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Accept every message, after a while; keep the requests."""
    received: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(seconds)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], received
    finally:
        server.close()


async def test_a_message_that_was_accepted_late_is_not_sent_again() -> None:
    within = timedelta(seconds=3)
    async with slow_server(0.5) as (port, received):
        channel = open_one(f"json://127.0.0.1:{port}/hook")

        assert await channel.send(write_trial(), within=timedelta(seconds=0.1)) == SendResult(
            SendOutcome.RETRY, "timed_out"
        )
        assert channel._thread is not None
        await asyncio.to_thread(channel._thread.join)
        again = await channel.send(write_trial(), within=within)

        assert again == SendResult(SendOutcome.ACCEPTED)
        assert len(received) == 1
        other = replace(write_trial(), message_id="another")
        assert await channel.send(other, within=within) == await channel.send(other, within=within) == again
        assert len(received) == 3, "what was accepted in time is recorded by who sent it"


async def test_a_server_that_holds_a_thread_for_a_minute_has_it_abandoned_three_times() -> None:
    within = timedelta(seconds=0.05)
    async with hanging_server() as (port, _):
        channel = open_one(f"json://127.0.0.1:{port}/hook")
        threads = set()
        for _ in range(6):
            await channel.send(write_trial(), within=within)
            threads.add(channel._thread)
            channel._began_at -= 61

        assert len(threads) == 4


async def test_an_hour_later_such_a_server_may_hold_another_thread() -> None:
    within = timedelta(seconds=0.05)
    async with hanging_server() as (port, _):
        channel = open_one(f"json://127.0.0.1:{port}/hook")
        for _ in range(4):
            await channel.send(write_trial(), within=within)
            channel._began_at -= 61
        silenced = channel._thread
        await channel.send(write_trial(), within=within)
        assert channel._thread is silenced

        channel._abandoned = {thread: began_at - 3600 for thread, began_at in channel._abandoned.items()}
        await channel.send(write_trial(), within=within)

        assert channel._thread is not silenced


async def test_a_server_that_holds_its_threads_for_days_holds_ten_at_most() -> None:
    within = timedelta(seconds=0.02)
    async with hanging_server() as (port, _):
        channel = open_one(f"json://127.0.0.1:{port}/hook")
        # It ends only with the test: a server may send a byte now and then for ever.
        channel._service.socket_read_timeout = 60
        threads = set()
        for _ in range(24):
            await channel.send(write_trial(), within=within)
            threads.add(channel._thread)
            channel._began_at -= 61
            channel._abandoned = {thread: began_at - 3600 for thread, began_at in channel._abandoned.items()}

        assert len([thread for thread in threads if thread is not None and thread.is_alive()]) == len(threads) == 10


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(429, retry_after="7200"), SendResult(SendOutcome.RETRY, "http_429", timedelta(hours=2))),
        (answer(429, retry_after="999999999"), SendResult(SendOutcome.RETRY, "http_429", timedelta(days=1))),
        (
            answer(503, date="Sun, 29 Nov 2026 08:00:00 GMT", retry_after="Sun, 29 Nov 2026 08:05:00 GMT"),
            SendResult(SendOutcome.RETRY, "http_503", timedelta(minutes=5)),
        ),
        (answer(429), SendResult(SendOutcome.RETRY, "http_429")),
        (answer(503, date="Fri, 31 Dec 9999 23:59:59 -0100"), SendResult(SendOutcome.RETRY, "http_503")),
        (answer(500), SendResult(SendOutcome.RETRY, "http_500")),
        *((answer(status), SendResult(SendOutcome.RETRY, f"http_{status}", HOUR)) for status in (401, 403, 404, 410)),
        (answer(302, location="http://127.0.0.1:1/"), SendResult(SendOutcome.RETRY, "http_302", HOUR)),
        (answer(400), SendResult(SendOutcome.REFUSED, "http_400")),
        (answer(413), SendResult(SendOutcome.REFUSED, "http_413")),
    ],
)
async def test_what_a_service_answers_says_what_becomes_of_the_message(reply: bytes, expected: SendResult) -> None:
    async with ScriptedServer() as server:
        server.usual = lambda _: reply
        channel = open_one(f"{server.url.replace('http', 'json')}/hook")

        assert await channel.send(write_trial(), within=timedelta(seconds=8)) == expected
        assert len(server.heard) == (2 if expected.failure == "http_413" else 1)


ODD = {"x_powered_by": "caf\u00e9"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(200, **ODD), SendResult(SendOutcome.ACCEPTED)),
        (answer(429, retry_after="60", **ODD), SendResult(SendOutcome.RETRY, "http_429", timedelta(minutes=1))),
        (answer(429, retry_after="caf\u00e9"), SendResult(SendOutcome.RETRY, "http_429")),
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
async def test_a_header_that_is_not_ascii_changes_nothing(reply: bytes, charset: str, expected: SendResult) -> None:
    async with ScriptedServer() as server:
        server.usual = lambda _: reply.decode().encode(charset)
        channel = open_one(f"{server.url.replace('http', 'json')}/hook")

        assert await channel.send(write_trial(), within=timedelta(seconds=8)) == expected


async def test_a_message_that_is_too_long_for_a_service_is_sent_shorter() -> None:
    async with ScriptedServer() as server:
        server.script(answer(413))
        channel = open_one(f"{server.url.replace('http', 'json')}/hook")

        result = await channel.send(write_trial(), within=timedelta(seconds=8))

    whole, short = (heard.fields for heard in server.heard)
    assert result == SendResult(SendOutcome.ACCEPTED)
    assert (whole["title"], whole["type"]) == (short["title"], short["type"])
    assert "trop long" in short["message"]


class Topics:
    """Answers as a service of several recipients: to each message by its topic, with its next status."""

    def __init__(self, **statuses: list[int]) -> None:
        self.statuses = statuses
        self.received: dict[str, list[str]] = {topic: [] for topic in statuses}

    def __call__(self, heard: Heard) -> bytes:
        topic, message = heard.fields["topic"], heard.fields["message"]
        self.received[topic].append(message)
        statuses = self.statuses[topic]
        return answer(statuses.pop(0) if len(statuses) > 1 else statuses[0])


def open_two(server: ScriptedServer) -> Channel:
    channel = open_one(f"{server.url.replace('http', 'ntfy')}/a/b")
    channel._service.request_rate_per_sec = 0
    return channel


@pytest.mark.parametrize(
    ("refused", "result"),
    [
        (403, SendResult(SendOutcome.RETRY, "http_403", HOUR)),
        (500, SendResult(SendOutcome.RETRY, "http_500")),
        (400, SendResult(SendOutcome.REFUSED, "http_400")),
    ],
)
@pytest.mark.parametrize("of_two", ["a", "b"])
async def test_a_recipient_that_accepted_receives_nothing_again_for_the_other(
    of_two: str, refused: int, result: SendResult
) -> None:
    topics = Topics(**{"a": [200], "b": [200], of_two: [refused, refused, 200]})
    other = "ab".replace(of_two, "")
    async with ScriptedServer() as server:
        server.usual = topics
        channel = open_two(server)

        for expected in (result, result, SendResult(SendOutcome.ACCEPTED)):
            assert await channel.send(write_trial(), within=timedelta(seconds=8)) == expected
        assert (len(topics.received[of_two]), len(topics.received[other])) == (3, 1)
        await channel.send(replace(write_trial(), message_id="next"), within=timedelta(seconds=8))

    assert (len(topics.received[of_two]), len(topics.received[other])) == (4, 2)


@pytest.mark.parametrize("of_two", ["a", "b"])
async def test_a_recipient_that_finds_a_message_too_long_gets_it_shorter_and_the_other_only_whole(of_two: str) -> None:
    topics = Topics(**{"a": [200], "b": [200], of_two: [413, 200]})
    other = "ab".replace(of_two, "")
    async with ScriptedServer() as server:
        server.usual = topics
        channel = open_two(server)

        assert await channel.send(write_trial(), within=timedelta(seconds=8)) == SendResult(SendOutcome.ACCEPTED)

    (only,), (whole, short) = topics.received[other], topics.received[of_two]
    assert only == whole
    assert "trop long" in short


@pytest.mark.parametrize("statuses", [{"a": [400], "b": [500]}, {"a": [500], "b": [400]}])
async def test_a_message_that_one_recipient_refuses_is_tried_again_for_the_other(
    statuses: dict[str, list[int]],
) -> None:
    async with ScriptedServer() as server:
        server.usual = Topics(**statuses)
        channel = open_two(server)

        assert await channel.send(write_trial(), within=timedelta(seconds=8)) == SendResult(
            SendOutcome.RETRY, "http_500"
        )


async def test_answers_to_others_are_not_taken_for_a_channel_s() -> None:
    async with ScriptedServer() as server:
        server.script(answer(403))
        open_one(f"{server.url.replace('http', 'json')}/hook")
        with keep_answers() as kept:
            loop = asyncio.get_running_loop()
            status = (await loop.run_in_executor(None, lambda: requests.get(server.url, timeout=5))).status_code

    assert (status, kept) == (403, [])


async def test_no_address_is_logged_by_what_calls_it(caplog: pytest.LogCaptureFixture) -> None:
    async with slow_server(0) as (port, received):
        channel = open_one(f"json://127.0.0.1:{port}/{SECRET}")
        with caplog.at_level(logging.DEBUG):
            await channel.send(write_trial(), within=timedelta(seconds=3))

    assert len(received) == 1
    assert SECRET not in caplog.text


def test_what_is_too_long_for_a_service_is_cut_whatever_the_address_says() -> None:
    channel = open_one("json://127.0.0.1/hook?overflow=upstream")

    assert channel._service.overflow_mode == OverflowMode.TRUNCATE


def test_an_address_cannot_lengthen_the_limits_or_ask_for_redirects() -> None:
    channel = open_one("json://127.0.0.1/hook?rto=300&cto=300&redirect=yes&retry=5&wait=60")

    service = channel._service
    assert (service.socket_read_timeout, service.socket_connect_timeout) == (5.0, 4.0)
    assert (service.redirects, service.retry) == (False, 0)


def test_what_cannot_be_read_is_named_by_its_position_and_nothing_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    urls = [f"slack://{SECRET}", "json://127.0.0.1/hook", f"nonsense://{SECRET}", SECRET, "json://127.0.0.1/other"]
    with caplog.at_level(logging.DEBUG):
        channels, unreadable = open_channels([SecretStr(url) for url in urls], page=None)

    assert unreadable == [3, 4]
    assert [channel.name.label for channel in channels] == ["slack", "json", "json 2"]
    assert SECRET not in caplog.text + "".join(capfd.readouterr())


def test_a_channel_is_known_by_a_fingerprint_that_says_nothing() -> None:
    one, same, other = (open_one(f"json://user:{SECRET}@127.0.0.1/{path}") for path in "aab")

    assert one.name == same.name
    assert one.name.target != other.name.target
    assert SECRET not in repr(one.name)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("json://user:{}@127.0.0.1/a", "json://user:new@127.0.0.1/a"),
        ("mailtos://user:{}@h.fr?from=a@h.fr&to=b@h.fr", "mailtos://user:new@h.fr?from=a@h.fr&to=b@h.fr"),
        ("json://127.0.0.1/a?+X-Token={}", "json://127.0.0.1/a?+X-Token=new"),
        ("json://127.0.0.1/a?+Authorization={}&:id=1&rto=3", "json://127.0.0.1/a?:id=1&+Authorization=new&rto=4"),
    ],
)
def test_a_new_password_is_no_new_channel(before: str, after: str) -> None:
    assert open_one(before.format(SECRET)).name == open_one(after).name


def test_two_channels_that_differ_in_their_secrets_alone_are_two() -> None:
    urls = ["json://user:one@127.0.0.1/a", "json://user:two@127.0.0.1/a"]
    channels, _ = open_channels([SecretStr(url) for url in urls], page=None)

    assert len({channel.name.target for channel in channels}) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("json://127.0.0.1/a?+X-Team=direction", "json://127.0.0.1/a?+X-Team=technique"),
        ("mailtos://u:p@h.fr?from=a@h.fr&to=b@h.fr&cc=c@h.fr", "mailtos://u:p@h.fr?from=a@h.fr&to=b@h.fr&cc=d@h.fr"),
        ("json://user:one@127.0.0.1/a", "json://user:two@127.0.0.1/a"),
        ("json://127.0.0.1/a?+X-Token=one", "json://127.0.0.1/a?+X-Token=two"),
    ],
)
def test_neither_of_two_channels_takes_what_waits_for_the_other(one: str, other: str) -> None:
    first, second = targets_of(one, other)

    assert targets_of(other, one) == [second, first]
    assert len({first, second}) == 2
    assert second not in targets_of(one)
    assert first not in targets_of(other)


def test_two_channels_that_their_query_tells_apart_stay_themselves_without_the_other() -> None:
    urls = ["json://127.0.0.1/a?+X-Team=direction", "json://127.0.0.1/a?+X-Team=technique"]

    assert targets_of(*urls) == targets_of(urls[0]) + targets_of(urls[1])


def test_the_same_address_twice_is_two_channels() -> None:
    assert len(set(targets_of(*["json://127.0.0.1/a"] * 3))) == 3


def targets_of(*urls: str) -> list[str]:
    channels, unreadable = open_channels([SecretStr(url) for url in urls], page=None)
    assert unreadable == []
    return [channel.name.target for channel in channels]


async def test_a_mistake_of_the_library_is_a_failed_try() -> None:
    channel = open_one("json://127.0.0.1:1/hook")

    assert await channel.send(write_trial(), within=timedelta(seconds=8)) == SendResult(
        SendOutcome.RETRY, "not_accepted"
    )


class OddService:
    @property
    def headers(self) -> dict[str, str]:
        raise OverflowError


async def test_a_mistake_of_ours_in_a_channel_s_thread_is_a_failed_try_too() -> None:
    channel = open_one("json://127.0.0.1:1/hook")
    channel._service = OddService()

    assert await channel.send(write_trial(), within=timedelta(seconds=2)) == SendResult(
        SendOutcome.RETRY, "not_accepted"
    )
