"""A vendor that means harm: few bytes that expand, bytes without end, JSON that takes twenty times its size.

It listens on addresses of its own, one per vendor, and answers every request alike; nothing of it is in the stand-ins,
which speak HTTP too well for this.
"""

import asyncio
import json
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cache, partial
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

MEGABYTE = 1_000_000
PIECE = 64 * 1024
JSON = b"content-type: application/json\r\n"


class Bomb(NamedTuple):
    """An answer: its status, its headers, and its body by the path that was asked for."""

    body: Callable[[str], Iterator[bytes]]
    status: int = 200
    headers: bytes = JSON
    pause: float = 0  # between the pieces after the first


def whole(make: Callable[[], bytes]) -> Callable[[str], Iterator[bytes]]:
    """Cut one body, the same for every path, into pieces."""
    make = cache(make)
    return lambda _: cut(make())


def cut(body: bytes) -> Iterator[bytes]:
    return (body[start : start + PIECE] for start in range(0, len(body), PIECE))


def list_of(item: bytes, size: int) -> bytes:
    return b"[" + b",".join([item] * (size // (len(item) + 1))) + b"]"


@cache
def zeros() -> bytes:
    """Compress 300 MB of zeros into a hundredth of that."""
    return compress(repeat(bytes(MEGABYTE), 300))


def compress(pieces: Iterator[bytes]) -> bytes:
    gzip = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    return b"".join([*map(gzip.compress, pieces), gzip.flush()])


def plausible(path: str, text: str) -> Iterator[bytes]:
    """Answer in the shape that was asked for, with far too much of everything."""
    _, _, kind = path.partition("?")[0].rpartition("/")
    return cut(_exaggerate(path.split("/")[1], kind, text))


@cache
def _exaggerate(vendor: str, kind: str, text: str) -> bytes:
    item: dict[str, Any] = {
        "number": 1,
        "id": 7,
        "title": text,
        "name": text,
        "head_branch": text,
        "conclusion": "success",
        "run_started_at": "2026-11-01T00:00:00Z",
        "completed_at": "2026-11-01T00:01:00Z",
        "commit": {"message": text},
        "tag_name": text,
        "security_advisory": {"severity": text, "summary": text, "ghsa_id": text},
        "dependency": {"package": {"name": text, "ecosystem": text}},
        "pull_request": [[]] * 50,
    }
    size = len(json.dumps(item, ensure_ascii=False).encode())
    items = [item] * (1_900_000 // size)
    if kind in {"issues", "commits", "alerts", "releases", "pulls"}:
        return json.dumps(items, ensure_ascii=False).encode()
    if vendor == "stripe":
        return stripe_page(kind, text)
    long = text * (400_000 // len(text))
    fields = {
        "scrape": {"success": True, "data": {"markdown": long, "metadata": {"title": [text] * 100}}},
        "completions": {"choices": [{"message": {"content": long[:100_000]}, "finish_reason": "stop"}]},
    }
    other = {"workflow_runs": items, "jobs": items, "open_issues_count": 9, "total_count": 10**9, "tag_name": text}
    answer = fields.get(kind, other)
    return json.dumps(answer, ensure_ascii=False).encode()


def stripe_page(kind: str, text: str) -> bytes:
    """Answer one page of a list that never ends, every object with all that is kept of it."""
    discount = {"id": text, "start": 1, "coupon": {"id": text, "amount_off": 1, "duration": "forever"}}
    price = {"id": text, "currency": "eur", "unit_amount": 1, "billing_scheme": "per_unit", "recurring": {}}
    each = {
        "object": kind.rstrip("s"),
        "id": "id",
        "customer": text,
        "status": "active",
        "currency": "eur",
        "created": 1_700_000_000,
        "type": "charge",
        "amount": 1,
        "discount": discount,
        "discounts": [discount] * 10,
        "items": {"data": [{"id": text, "quantity": 1, "price": price, "discounts": [discount] * 2}] * 2},
    }
    size = len(json.dumps(each, ensure_ascii=False).encode())
    data = [each] * min(100, 1_900_000 // size)
    page = {"object": "list", "url": f"/v1/{kind}", "has_more": True, "data": data}
    return json.dumps(page, ensure_ascii=False).encode()


BOMBS: Mapping[str, Bomb] = {
    "zeros": Bomb(whole(zeros), headers=JSON + b"content-encoding: gzip\r\n"),
    "zeros, compressed twice": Bomb(
        whole(lambda: compress(iter([zeros()]))), headers=JSON + b"content-encoding: gzip, gzip\r\n"
    ),
    "a redirect with zeros": Bomb(
        whole(zeros), status=302, headers=b"location: /elsewhere\r\ncontent-encoding: gzip\r\n"
    ),
    "an error of 50 MB": Bomb(whole(lambda: b"x" * 50 * MEGABYTE), status=503),
    "a refusal of 50 MB": Bomb(whole(lambda: list_of(b'{"error":{}}', 50 * MEGABYTE)), status=400),
    "a line of 50 MB": Bomb(whole(lambda: b'{"message":"' + b"x" * 50 * MEGABYTE + b'"}')),
    "deep": Bomb(whole(lambda: b"[" * 100_000 + b"]" * 100_000)),
    "keys": Bomb(whole(lambda: json.dumps({f"{number:x}": 0 for number in range(70_000)}).encode())),
    "a million keys": Bomb(whole(lambda: json.dumps({f"key{number}": number for number in range(1_000_000)}).encode())),
    "objects": Bomb(whole(lambda: list_of(b'{"":0}', 8 * MEGABYTE))),
    "few enough objects": Bomb(whole(lambda: list_of(b'{"":{}}', 290_000))),
    "empty lists": Bomb(whole(lambda: list_of(b"[]", 220_000))),
    "a list of objects": Bomb(whole(lambda: b'{"object":"list","data":' + list_of(b'{"":0}', 50_000) + b"}")),
    "a heavy page": Bomb(whole(lambda: b'{"object":"list","data":[{"items":' + list_of(b'{"":0}', 50_000) + b"}]}")),
    "nested": Bomb(whole(lambda: b'{"object":"list","data":[' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]}")),
    "digits": Bomb(whole(lambda: b"[" + b"9" * MEGABYTE + b"]")),
    "plausible": Bomb(lambda path: plausible(path, "😀" * 300)),
    "plausible, short": Bomb(lambda path: plausible(path, "😀")),
    "a stream of events": Bomb(
        lambda _: repeat(b'data: {"choices":[{"delta":{"content":"mot "}}]}\n\n' * 1_000),
        headers=b"content-type: text/event-stream\r\n",
    ),
    "endless": Bomb(lambda _: repeat(b"x" * PIECE)),
    "endless headers": Bomb(lambda _: repeat(b"x-%d: y\r\n" % 7 * 6_000), status=0),
    "a trickle": Bomb(lambda _: repeat(b"[" * 100_000), pause=0.5),
}


class _Server:
    """Serves the bombs, on one address per vendor; without a bomb, 404 and a model that is well."""

    def __init__(self) -> None:
        self.bomb: Bomb | None = None
        self.vendors: set[str] = set()

    async def run(self, vendors: list[str]) -> None:
        """Print the vendors' addresses, then obey each line of the input: a bomb, and who throws it."""
        urls = {}
        for number, name in enumerate(vendors, start=1):
            host = f"127.0.0.{number}"
            server = await asyncio.start_server(partial(self._serve, name), host, 0)
            urls[name] = f"http://{host}:{server.sockets[0].getsockname()[1]}/{name}"
        _say(json.dumps(urls))
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, *throwing = json.loads(line)
            self.bomb, self.vendors = BOMBS[name], set(throwing)
            _say("done")

    async def _serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            await reader.readexactly(length)
            path = head.split(b" ", 2)[1].decode()
            async for piece in self._answer(name, path):
                writer.write(piece)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError):
            pass  # hung up on, as it deserves
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def _answer(self, name: str, path: str) -> AsyncIterator[bytes]:
        if path.endswith("/models"):
            bomb = BOMBS["few enough objects"]  # asked for at the start only
        elif self.bomb is not None and name in self.vendors:
            bomb = self.bomb
        else:
            bomb = WELL if name == "model" else MISSING
        if bomb.status:
            yield b"HTTP/1.1 %d X\r\nconnection: close\r\n%s\r\n" % (bomb.status, bomb.headers)
        else:
            yield b"HTTP/1.1 200 OK\r\n"
        for piece in bomb.body(path):
            yield piece
            await asyncio.sleep(bomb.pause)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_REPORT = "## Synthèse\n\n" + "Les sources n'ont rien rendu de lisible, ce que le rapport constate. " * 30
WELL = Bomb(
    whole(
        lambda: json.dumps(
            {
                "choices": [{"message": {"content": _REPORT}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 500},
            }
        ).encode()
    )
)
MISSING = Bomb(whole(lambda: b"{}"), status=404)


class Bomber:
    """The vendors, in a process of their own: what they do takes no time from whoever measures."""

    def __init__(self, vendors: list[str]) -> None:
        argv = [sys.executable, "-m", "support.bombs", *vendors]
        folder = Path(__file__).parents[1]
        self._process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.urls: dict[str, str] = json.loads(self._read())

    def throw(self, bomb: str, vendors: list[str]) -> None:
        """From now on, let these vendors answer with a bomb, and the others be well."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([bomb, *vendors]) + "\n")
        self._process.stdin.flush()
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


if __name__ == "__main__":
    asyncio.run(_Server().run(sys.argv[1:]))
