"""The connections of callers: what never becomes a request is neither waited for nor kept for ever."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from workers.web.server import LimitedHttpProtocol

_SLOW = "/slow"
_HEAD = b"POST / HTTP/1.1\r\nhost: x\r\n"
_WHOLE = _HEAD + b"content-length: 2\r\n\r\n{}"
_SLOW_WHOLE = _WHOLE.replace(b"POST /", b"POST " + _SLOW.encode())
_HALF = _HEAD + b"content-length: 10\r\n\r\n{"
_ANSWER_SECONDS = 1.0


class _Impatient(LimitedHttpProtocol):
    whole_within_seconds = 0.3


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == _SLOW:
        await asyncio.sleep(_ANSWER_SECONDS)
    await PlainTextResponse("heard")(scope, receive, send)


class _Caller:
    def __init__(self, port: int) -> None:
        self._port = port

    async def say(self, pieces: Iterable[bytes], *, once_answered: bytes = b"") -> bytes:
        """Say these, one after the other, and return all that is answered until the server hangs up."""
        answer = b""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(10):
                if once_answered:
                    answer = await reader.readuntil(b"heard")
                    writer.write(once_answered)
                return answer + await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.fixture
async def caller() -> AsyncIterator[_Caller]:
    config = uvicorn.Config(_answer, port=0, http=_Impatient, lifespan="off", log_config=None, timeout_keep_alive=3)
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    serving = asyncio.create_task(server.serve(sockets=sockets))
    yield _Caller(sockets[0].getsockname()[1])
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"POST / HT"],
        [_HEAD, b"x: a\r\n"],
        [_HEAD, b"content-length: 10\r\n\r\n{"],
        [_HEAD, b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"],
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "no last chunk"],
)
async def test_who_does_not_finish_is_not_waited_for(caller: _Caller, pieces: list[bytes]) -> None:
    assert await caller.say(pieces) == b""


@pytest.mark.parametrize("rest", [b"\r\n", b"POST / HT"], ids=["a line break", "half a request"])
async def test_a_rest_after_a_request_is_not_waited_for_either(caller: _Caller, rest: bytes) -> None:
    assert (await caller.say([_WHOLE], once_answered=rest)).count(b"heard") == 1


async def test_an_answer_may_take_longer_than_a_request(caller: _Caller) -> None:
    slow = _SLOW_WHOLE.replace(b"host: x", b"host: x\r\nconnection: close")

    assert b"heard" in await caller.say([slow])


@pytest.mark.parametrize("pieces", [[_SLOW_WHOLE + _HALF], [_SLOW_WHOLE, _HALF]], ids=["in one piece", "in two"])
async def test_half_a_request_behind_another_costs_nobody_the_answer(caller: _Caller, pieces: list[bytes]) -> None:
    assert (await caller.say(pieces)).count(b"heard") == 1


async def test_a_line_break_too_many_costs_nobody_the_answer(caller: _Caller) -> None:
    assert b"heard" in await caller.say([_SLOW_WHOLE + b"\r\n", b"\r\n"])


_LARGE = {
    "one header": [_HEAD + b"x: ", *[b"a" * 65_536] * 16],
    "many headers": [_HEAD, *[b"x: a\r\n" * 10_000] * 16],
    "the line": [b"POST /", *[b"a" * 65_536] * 16],
    "the name of a header": [_HEAD, *[b"a" * 65_536] * 16],
    "what follows the body": [
        _HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
        *[b"x: a\r\n" * 10_000] * 16,
    ],
    "what follows the size of a chunk": [
        _HEAD + b"transfer-encoding: chunked\r\n\r\n2;",
        *[b"a" * 65_536] * 16,
    ],
}


@pytest.mark.parametrize("what", _LARGE)
async def test_a_head_without_end_is_refused_before_it_ends(caller: _Caller, what: str) -> None:
    answer = await caller.say(_LARGE[what])

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"heard" not in answer


async def test_a_large_body_is_no_head(caller: _Caller) -> None:
    head = _HEAD + b"connection: close\r\ncontent-length: 1048576\r\n\r\n"

    assert b"heard" in await caller.say([head, *[b"a" * 65_536] * 16])
