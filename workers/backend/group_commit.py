"""Many writers, few round trips: items that arrive while a call is in flight go together in the next one.

A lone writer never waits for others; many share the cost of a call. Nothing is delayed on purpose, and a stuck call
holds up the next one only for a moment.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final, Generic, TypeVar

from workers.ports import Clock

Item = TypeVar("Item")
Result = TypeVar("Result")


# After this a call counts as stuck, and the next group goes without it. Calls' deadlines bound how many are in flight.
_PATIENCE: Final = timedelta(seconds=1)


class GroupCommit(Generic[Item, Result]):
    """Sends items in groups, one group at a time while their answers come.

    Concurrency: any number of tasks may submit at once.
    """

    def __init__(
        self, send: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, limit: int, clock: Clock
    ) -> None:
        self._send = send
        self._limit = limit
        self._clock = clock
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Result:
        """Send an item with the next group and return what came back for it.

        Raises: what the call raised, to every item of its group.
        """
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_groups())
        return await answer

    async def _send_groups(self) -> None:
        try:
            while group := self._next_group():
                sending = asyncio.create_task(self._send_group(group))
                self._sending.add(sending)
                sending.add_done_callback(self._sending.discard)
                await self._clock.wait(sending, within=_PATIENCE)
        finally:
            self._sender = None

    async def _send_group(self, group: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        try:
            results = await self._send([item for item, _ in group])
            answered = list(zip(group, results, strict=True))
        except Exception as error:  # noqa: BLE001 - the submitter of each item decides what to do about it
            for _, answer in group:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), result in answered:
                if not answer.done():
                    answer.set_result(result)

    def _next_group(self) -> list[tuple[Item, "asyncio.Future[Result]"]]:
        """Take the waiting items, up to the limit; drop those that nobody is waiting for any more."""
        group: list[tuple[Item, asyncio.Future[Result]]] = []
        while self._waiting and len(group) < self._limit:
            item, answer = self._waiting.popleft()
            if not answer.done():
                group.append((item, answer))
        return group
