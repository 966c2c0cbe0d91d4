"""Calling others: one way to fail, bounded in time and size, silent about secrets."""

import asyncio
import gzip
import inspect
import math
import re
import tracemalloc
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import httpx
import pytest
from support.clock import FakeClock
from support.scripted_server import ScriptedServer
from support.wire import pieces, wire

from devstack.vendors import VendorsClient
from workers import outbound
from workers.outbound import FAULTS, CallFailed, Fault, parse_retry_after

SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SECRET = "hunter2-top-secret"

# Never raised themselves: httpx raises their children, each of which must have its word.
ABSTRACT = {httpx.HTTPError, httpx.RequestError, httpx.TransportError, httpx.ProtocolError}


def foreign_exceptions() -> list[type[Exception]]:
    public = [*vars(httpx).values(), *vars(aiohttp).values()]
    # Of aiohttp, which is also a server and WebSockets: what its client raises.
    bases = (*(thing for thing in vars(httpx).values() if _is_exception(thing)), aiohttp.ClientError)
    return [thing for thing in public if _is_exception(thing) and issubclass(thing, bases)]


def _is_exception(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Exception)


def client(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=wire(handler))


def test_every_exception_of_the_libraries_has_a_word_of_ours() -> None:
    raised = [foreign for foreign in foreign_exceptions() if foreign not in ABSTRACT]

    assert [foreign for foreign in raised if not any(known in FAULTS for known in foreign.__mro__)] == []


def test_the_walk_over_the_libraries_finds_their_exceptions() -> None:
    assert {httpx.ReadTimeout, httpx.InvalidURL, httpx.StreamClosed, aiohttp.ServerDisconnectedError} <= set(
        foreign_exceptions()
    )


@pytest.mark.parametrize(
    ("raised", "fault", "is_outage"),
    [
        (httpx.ConnectError("x"), Fault.UNREACHABLE, True),
        (httpx.ConnectTimeout("x"), Fault.TIMED_OUT, True),
        (httpx.ReadTimeout("x"), Fault.TIMED_OUT, True),
        (httpx.PoolTimeout("x"), Fault.SATURATED, False),
        (httpx.ReadError("x"), Fault.INTERRUPTED, True),
        (httpx.RemoteProtocolError("x"), Fault.INTERRUPTED, True),
        (httpx.DecodingError("x"), Fault.GARBLED, False),
        (httpx.LocalProtocolError("x"), Fault.MISUSED, False),
        (OSError("x"), Fault.INTERRUPTED, True),
    ],
)
async def test_foreign_exceptions_become_one_of_ours(raised: Exception, fault: Fault, *, is_outage: bool) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise raised

    with pytest.raises(CallFailed) as caught:
        await outbound.call(client(fail), "GET", "https://api.example/x", within=SECOND)

    assert caught.value.fault is fault
    assert caught.value.is_outage is is_outage
    assert caught.value.__cause__ is raised


async def test_an_address_that_is_none_is_misuse(http: httpx.AsyncClient) -> None:
    for url in ("https://api.example:port", "ftp://files.example/x", "no-scheme"):
        with pytest.raises(CallFailed) as caught:
            await outbound.call(http, "GET", url, within=SECOND)
        assert caught.value.fault is Fault.MISUSED


async def test_messages_name_the_host_and_nothing_secret() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url} with {request.headers}")

    with pytest.raises(CallFailed) as caught:
        await outbound.call(
            client(fail),
            "GET",
            f"https://user:{SECRET}@api.example/{SECRET}",
            within=SECOND,
            params={"key": SECRET},
            headers={"authorization": f"Bearer {SECRET}"},
        )

    assert str(caught.value) == "GET api.example could not be reached"


async def test_a_status_is_an_answer_not_a_failure() -> None:
    reply = await outbound.call(
        client(lambda _: httpx.Response(418, json={"tea": True})), "GET", "https://api.example", within=SECOND
    )

    assert (reply.status, reply.json(), reply.cut) == (418, {"tea": True}, False)


async def test_a_huge_body_is_cut_off_and_not_read_on() -> None:
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000

    flooding = client(lambda _: httpx.Response(200, content=flood()))
    reply = await outbound.call(flooding, "GET", "https://api.example", within=SECOND, max_bytes=2500)

    assert (len(reply.body), reply.cut, sent) == (2500, True, 3)
    with pytest.raises(CallFailed, match="not JSON"):
        reply.json()


def twice_folded_zeros(megabytes: int) -> bytes:
    return gzip.compress(gzip.compress(bytes(megabytes * 1_000_000)))


async def test_what_unfolds_is_counted_unfolded() -> None:
    folded = gzip.compress(bytes(300 * 1_000_000), compresslevel=1)
    async with client(
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=pieces(folded))
    ) as http:
        tracemalloc.start()
        response = await outbound.call(http, "GET", "https://bomb.example/", within=10 * SECOND, max_bytes=100_000)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (len(response.body), response.cut) == (100_000, True)
    assert most < 5_000_000


async def test_what_was_folded_once_is_read_whole() -> None:
    said = b"bonjour " * 1000
    headers = {"content-encoding": "gzip"}
    async with client(lambda _: httpx.Response(200, headers=headers, content=pieces(gzip.compress(said)))) as http:
        response = await outbound.call(http, "GET", "https://site.example/", within=SECOND)

    assert (response.body, response.cut) == (said, False)


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "deflate", "x-made-up"])
async def test_a_coding_that_was_not_asked_for_is_garbled(coding: str) -> None:
    headers = {"content-encoding": coding}
    async with client(lambda _: httpx.Response(200, headers=headers, content=pieces(twice_folded_zeros(10)))) as http:
        with pytest.raises(CallFailed) as failed:
            await outbound.call(http, "GET", "https://bomb.example/", within=SECOND)

    assert failed.value.fault is Fault.GARBLED


async def test_where_only_the_status_is_wanted_no_body_is_read() -> None:
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append("some")
        yield b"x"

    headers = {"content-encoding": "gzip, gzip"}
    async with client(lambda _: httpx.Response(200, headers=headers, content=body())) as http:
        response = await outbound.call(http, "GET", "https://bomb.example/", within=SECOND, max_bytes=0)

    assert (response.status, response.body, read) == (200, b"", [])


def test_no_client_of_ours_keeps_cookies() -> None:
    texts = [path.read_text() for path in Path("workers").rglob("*.py")]
    # A client is opened by its constructor, or by that of a class of ours that is one.
    opened = [text for text in texts if "httpx.AsyncClient(" in text]
    subclasses = [name for text in texts for name in re.findall(r"class (\w+)\(httpx\.AsyncClient\)", text)]

    assert opened == []
    assert subclasses == ["CookielessClient"]


async def test_a_client_sends_no_cookie_that_an_earlier_answer_set_not_even_to_the_same_site() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie"))
        return httpx.Response(302 if len(sent) == 1 else 200, headers={"set-cookie": "a=1; Path=/", "location": "/b"})

    sent: list[str | None] = []
    async with outbound.open_http(wire(answer)) as shared:
        await outbound.call(shared, "GET", "https://a.example/", within=SECOND, follow_redirects=True)
        await outbound.call(shared, "GET", "https://a.example/", within=SECOND)

        assert len(shared.cookies) == 0
    assert sent == [None, None, None]


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000], ids=["empty", "html", "bytes", "deep"])
async def test_what_is_not_json_is_garbled(body: bytes) -> None:
    answering = client(lambda _: httpx.Response(200, content=body))
    reply = await outbound.call(answering, "GET", "https://api.example", within=SECOND)

    with pytest.raises(CallFailed) as caught:
        reply.json()
    assert caught.value.fault is Fault.GARBLED


async def test_the_deadline_covers_a_body_that_trickles() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"."

    with pytest.raises(CallFailed) as caught:
        await outbound.call(
            client(lambda _: httpx.Response(200, content=trickle())),
            "GET",
            "https://api.example",
            within=timedelta(milliseconds=60),
        )
    assert caught.value.fault is Fault.TIMED_OUT


@pytest.mark.parametrize("step", [{"close": True}, {"cut": True}])
async def test_a_connection_that_breaks_is_interrupted(
    vendors: VendorsClient, http: httpx.AsyncClient, step: dict[str, bool]
) -> None:
    await vendors.script("github", step)

    with pytest.raises(CallFailed) as caught:
        await outbound.call(http, "GET", f"{vendors.base_url}/github/rate_limit", within=SECOND)
    assert caught.value.fault is Fault.INTERRUPTED


async def test_nobody_listening_is_unreachable(http: httpx.AsyncClient) -> None:
    with pytest.raises(CallFailed) as caught:
        await outbound.call(http, "GET", "http://127.0.0.1:1/", within=SECOND)
    assert caught.value.fault is Fault.UNREACHABLE


@pytest.fixture
async def to_model() -> AsyncIterator[httpx.AsyncClient]:
    async with outbound.open_http(outbound.open_post_transport(max_connections=None)) as client:
        yield client


class TestPost:
    """The transport that is faster for POST fails in the same words, and repeats nothing."""

    @pytest.mark.parametrize(
        ("step", "fault"),
        [
            ({"close": True}, Fault.INTERRUPTED),
            ({"cut": True}, Fault.INTERRUPTED),
            ({"delay_ms": 1500}, Fault.TIMED_OUT),
        ],
    )
    async def test_a_failed_call_has_its_word(
        self, vendors: VendorsClient, to_model: httpx.AsyncClient, step: dict[str, int], fault: Fault
    ) -> None:
        url = f"{vendors.base_url}/openai/v1/chat/completions"
        await vendors.script("openai", step)

        with pytest.raises(CallFailed) as caught:
            await outbound.call(to_model, "POST", url, within=SECOND, json={})
        assert caught.value.fault is fault
        assert len(await vendors.calls("openai")) == 1

    @pytest.mark.parametrize(
        ("url", "fault"),
        [
            ("http://127.0.0.1:1/", Fault.UNREACHABLE),
            ("ftp://files.example/x", Fault.MISUSED),
            ("no-scheme", Fault.MISUSED),
        ],
    )
    async def test_an_address_where_nobody_is_has_its_word(
        self, to_model: httpx.AsyncClient, url: str, fault: Fault
    ) -> None:
        with pytest.raises(CallFailed) as caught:
            await outbound.call(to_model, "POST", url, within=SECOND)
        assert caught.value.fault is fault

    async def test_an_address_with_a_user_is_called_with_it_in_a_header(self, to_model: httpx.AsyncClient) -> None:
        """The library below refuses an address and a header that both say who calls: each run failed by an error."""
        async with ScriptedServer() as server:
            url = f"{server.url.replace('://', '://somebody:hunter2@')}/v1"

            reply = await outbound.call(to_model, "POST", url, within=SECOND, headers={"authorization": "Bearer key"})

        assert reply.status == 200
        assert server.heard[0].headers["authorization"] == f"Basic {b64encode(b'somebody:hunter2').decode()}"


class TestGet:
    """Reading tries again what may pass, and nothing else."""

    @staticmethod
    def answering(*outcomes: int | Exception) -> tuple[httpx.AsyncClient, list[httpx.Request]]:
        seen: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            outcome = outcomes[min(len(seen), len(outcomes)) - 1]
            if isinstance(outcome, Exception):
                raise outcome
            return httpx.Response(outcome)

        return client(answer), seen

    @pytest.mark.parametrize("hiccup", [500, 503, httpx.ReadError("x"), httpx.ConnectTimeout("x")])
    async def test_a_hiccup_is_tried_again_after_a_short_wait(self, hiccup: int | Exception, clock: FakeClock) -> None:
        http, seen = self.answering(hiccup, hiccup, 200)

        reply = await outbound.get(http, "https://api.example", within=SECOND, clock=clock)

        assert (reply.status, len(seen), len(clock.sleeps)) == (200, 3, 2)
        assert clock.slept <= timedelta(seconds=4)

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 429])
    async def test_a_refusal_or_a_limit_is_not(self, status: int, clock: FakeClock) -> None:
        http, seen = self.answering(status)

        reply = await outbound.get(http, "https://api.example", within=SECOND, clock=clock)

        assert (reply.status, len(seen), clock.sleeps) == (status, 1, [])

    async def test_after_three_tries_the_last_answer_counts(self, clock: FakeClock) -> None:
        http, seen = self.answering(500, 502, 503)
        assert (await outbound.get(http, "https://api.example", within=SECOND, clock=clock)).status == 503
        assert len(seen) == 3

        http, seen = self.answering(httpx.ReadError("x"))
        with pytest.raises(CallFailed):
            await outbound.get(http, "https://api.example", within=SECOND, clock=clock)
        assert len(seen) == 3

    async def test_misuse_is_not_tried_again(self, clock: FakeClock) -> None:
        http, seen = self.answering(httpx.UnsupportedProtocol("x"))

        with pytest.raises(CallFailed):
            await outbound.get(http, "https://api.example", within=SECOND, clock=clock)
        assert len(seen) == 1

    async def test_one_deadline_bounds_tries_and_waits_together(
        self, vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
    ) -> None:
        await vendors.script("github", {"delay_ms": 40, "status": 503}, repeat=True)

        with pytest.raises(CallFailed) as caught:
            await outbound.get(http, f"{vendors.base_url}/github/x", within=timedelta(milliseconds=60), clock=clock)
        assert caught.value.fault is Fault.TIMED_OUT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"Retry-After": " 7 "}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, 30),
        ({"retry-after": "Sunday, 22-Nov-26 10:00:30 GMT"}, 30),
        ({"retry-after": "Sun Nov 22 10:00:30 2026"}, 30),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "1e300"}, 86_400),
        ({"retry-after": "inf"}, 86_400),
        ({"retry-after": "Sun, 22 Nov 2099 10:00:00 GMT"}, 86_400),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Sun, 99 Nov 2026 99:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    delay = parse_retry_after(headers, NOW)

    assert delay == (None if seconds is None else timedelta(seconds=seconds))
    assert delay is None or math.isfinite(delay.total_seconds())


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1" * 1_000_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"[" + b",".join([b"[]"] * 600_000) + b"]",
        b"[" + b",".join([b'{"":0}'] * 250_000) + b"]",
    ],
    ids=["no end", "deep", "lists", "objects"],
)
async def test_what_cannot_be_parsed_is_held_by_no_error_and_costs_little_memory(body: bytes) -> None:
    async with client(lambda _: httpx.Response(200, content=pieces(body))) as http:
        response = await outbound.call(http, "GET", "https://bomb.example/", within=10 * SECOND)
    tracemalloc.start()
    with pytest.raises(CallFailed) as caught:
        response.json()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 10_000_000
    assert (caught.value.__cause__, caught.value.__context__, response.body) == (None, None, b"")
