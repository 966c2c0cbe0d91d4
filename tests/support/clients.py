"""The official clients, remembering what they heard, and the few things that tests do to the database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import httpx
import psycopg
from supabase import AsyncClient, AsyncClientOptions, create_async_client
from supabase_auth import AsyncMemoryStorage

from devstack import ways
from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack, Tuning
from support.people import VIEWER_EMAIL, VIEWER_PASSWORD

if TYPE_CHECKING:
    from realtime import AsyncRealtimeChannel
    from supabase_auth.types import AuthResponse, Session, User, UserResponse

# What our own migrations will grant: enough for the wake-up, and no more.
GRANTS = """
grant usage on schema hq to authenticated, service_role;
grant select (id, run_type, status, created_at) on hq.runs to authenticated, service_role;
"""

# The hosted service takes its time; tests need not.
QUICK = Tuning(realtime=ways.QUICK)

_PUPPET = Path(__file__).with_name("puppet.mjs")
_PATIENCE_SECONDS = 10

Heard = Literal["state", "system", "change", "broadcast"]


def execute(stack: Stack, query: str, parameters: list[Any] | None = None) -> Any:
    """Run SQL as the superuser, committed at once; return the first value of the first row, if there is one."""
    with psycopg.connect(stack.admin_url, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), parameters)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def insert_run(stack: Stack, run_type: str = "DAILY_EXECUTIVE_BRIEF", status: str = "completed") -> str:
    """Insert a run and return its id."""
    return str(
        execute(stack, "insert into hq.runs (run_type, status) values (%s, %s) returning id", [run_type, status])
    )


class Ear:
    """A channel of the official Python client, and what it heard, in order."""

    def __init__(self, client: AsyncClient, topic: str, params: Any = None) -> None:
        self.client = client
        self.channel: AsyncRealtimeChannel = client.channel(topic, params)
        self.channel.on_system(lambda payload: self._note("system", payload.model_dump()))
        self._heard: asyncio.Queue[tuple[Heard, Any]] = asyncio.Queue()

    def on_changes(self, event: str = "*", *, schema: str = "hq", table: str | None = "runs", **more: Any) -> Self:
        """Ask for database changes."""
        self.channel.on_postgres_changes(
            event,  # type: ignore[arg-type]  # the enum's members are these words
            lambda payload: self._note("change", payload["data"]),
            schema=schema,
            table=table,
            **more,
        )
        return self

    def on_broadcast(self, event: str = "*") -> Self:
        """Ask for broadcasts."""
        self.channel.on_broadcast(event, lambda payload: self._note("broadcast", payload))
        return self

    async def subscribe(self) -> Self:
        """Join, whatever comes of it."""
        await self.channel.subscribe(lambda state, error: self._note("state", (state.value, str(error or ""))))
        return self

    async def listen(self) -> Self:
        """Join, and wait until database changes are announced."""
        await self.subscribe()
        assert (await self.next("system"))["status"] == "ok"
        return self

    async def next(self, kind: Heard) -> Any:
        """Wait for the next thing of this kind; what is of another kind is passed over."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                found, payload = await self._heard.get()
                if found == kind:
                    return payload

    async def next_state(self, *wanted: str) -> str:
        """Wait for one of these states and return what was said with it."""
        while True:
            state, error = await self.next("state")
            if state in wanted:
                return str(error)

    def heard_nothing_of(self, kind: Heard) -> bool:
        """Whether nothing of this kind waits to be taken."""
        return all(found != kind for found, _payload in self._heard._queue)  # type: ignore[attr-defined]

    def _note(self, kind: Heard, payload: Any) -> None:
        self._heard.put_nowait((kind, payload))


async def connect_as(stack: Stack, who: str = "anon", *, key: str | None = None) -> AsyncClient:
    """Make a supabase-py client of the service, of nobody, or of a person who signs in."""
    keys = {"service": stack.service_role_key}
    # Our own HTTP client, because supabase-py drops its inner ones unclosed at every sign-in.
    options = AsyncClientOptions(
        httpx_client=httpx.AsyncClient(), storage=AsyncMemoryStorage(), auto_refresh_token=False
    )
    client = await create_async_client(stack.url, key or keys.get(who, stack.anon_key), options)
    passwords = {"owner": (OWNER_EMAIL, OWNER_PASSWORD), "viewer": (VIEWER_EMAIL, VIEWER_PASSWORD)}
    if who in passwords:
        email, password = passwords[who]
        await client.auth.sign_in_with_password({"email": email, "password": password})
    return client


def session_of(answer: AuthResponse) -> Session:
    """Take the session out of an answer that must hold one."""
    assert answer.session is not None
    return answer.session


def user_of(answer: AuthResponse | UserResponse | None) -> User:
    """Take the person out of an answer that must hold one."""
    assert answer is not None
    assert answer.user is not None
    return answer.user


async def close_client(client: AsyncClient) -> None:
    """Leave no timer and no socket behind."""
    for channel in client.get_channels():
        channel.rejoin_timer.reset()
        channel.join_push.destroy()
    await client.realtime.close()
    assert client.options.httpx_client is not None
    await client.options.httpx_client.aclose()


class Puppet:
    """The official JavaScript client in a process of its own, led by JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def order(self, action: str, **arguments: Any) -> None:
        """Tell the client to do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"action": action, **arguments}).encode() + b"\n")
        await self._process.stdin.drain()

    async def next(self, kind: str) -> Any:
        """Wait for the next thing of this kind that it reports."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while line := await self._process.stdout.readline():
                report = json.loads(line)
                if report["kind"] == kind:
                    return report["payload"]
        raise AssertionError(f"the JavaScript client ended before it reported {kind}")

    async def ask(self, action: str, **arguments: Any) -> Any:
        """Tell the client to do something and return what came of it."""
        await self.order(action, **arguments)
        return await self.next("done")

    async def next_state(self, wanted: str) -> Any:
        """Wait until the channel reports this state."""
        while (report := await self.next("state"))["status"] != wanted:
            pass
        return report

    async def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    @classmethod
    async def start(
        cls, stack: Stack, *, key: str | None = None, reconnect_ms: int | None = None, **realtime: Any
    ) -> Self:
        """Start the process; `realtime` goes to the client as its options of that name."""
        options = {
            "url": stack.url,
            "key": key or stack.anon_key,
            "realtime": realtime,
            "reconnectMs": reconnect_ms,
        }
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec("node", str(_PUPPET), json.dumps(options), stdin=pipe, stdout=pipe)
        )
