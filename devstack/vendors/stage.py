"""What is scripted, and what was received: the part that all stand-ins share."""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_KEPT_REQUESTS = 1_000
_WAIT_SECONDS = 10


class Step(BaseModel):
    """How one request is answered; what it leaves out is as usual."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str = Field("", description="Only for a request whose path or model contains this.")
    method: str = Field("", description="Only for a request of this method.")
    delay_ms: int | None = Field(None, ge=0, description="Instead of the default delay.")
    status: int | None = Field(None, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = Field(None, description="The whole body, instead of the usual one.")
    merge: dict[str, Any] = Field(default_factory=dict, description="Fields to replace in the usual body.")
    content: str | None = Field(None, description="The text of the answer: a model's, a search's, a page's.")
    spoil: str | None = Field(None, description="What is wrong with the model's report: a key of SPOILED.")
    finish_reason: str | None = None
    empty: bool = Field(default=False, description="An answer without content.")
    malformed: bool = Field(default=False, description="A body that is cut JSON, on a whole HTTP answer.")
    cut: bool = Field(default=False, description="The connection ends in the middle of the body.")
    close: bool = Field(default=False, description="The connection ends without an answer.")


class Plan(BaseModel):
    """A script, as ``POST /_script`` takes it."""

    model_config = ConfigDict(extra="forbid")

    vendor: str | None = None
    steps: list[Step] = []
    repeat: bool = False
    default_delay_ms: int | None = Field(None, ge=0)


@dataclass
class Response:
    """What a vendor usually answers. A body of None is sent as no body."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One request that was received. Keys and tokens are not kept, only whether there was one."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    authorized: bool
    body: Any
    status: int | None = None
    aborted: bool = False

    @property
    def model(self) -> str:
        """Return the model that the request asks, if it asks one."""
        return str(self.body.get("model", "")) if isinstance(self.body, dict) else ""


class Stage:
    """Scripts and received requests of all vendors.

    Concurrency: one event loop.
    """

    def __init__(self, default_delay_ms: int = 0) -> None:
        self._usual_delay_ms = default_delay_ms
        self.default_delay_ms = default_delay_ms
        self._scripts: dict[str, tuple[deque[Step], bool]] = {}
        self._received: dict[str, deque[Request]] = {}
        self._counts: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    def reset(self) -> None:
        """Forget everything."""
        self.default_delay_ms = self._usual_delay_ms
        self._scripts.clear()
        self._received.clear()
        self._counts.clear()

    def follow(self, plan: Plan) -> None:
        """Take a script; it replaces the vendor's former one."""
        if plan.vendor is not None:
            self._scripts[plan.vendor] = deque(plan.steps), plan.repeat
        if plan.default_delay_ms is not None:
            self.default_delay_ms = plan.default_delay_ms

    def next_step(self, vendor: str, request: Request) -> Step:
        """Take the first step that is meant for this request, or the one that changes nothing."""
        steps, repeat = self._scripts.get(vendor, (deque(), False))
        for step in steps:
            if step.method in {"", request.method} and (step.match in request.path or step.match in request.model):
                steps.remove(step)
                if repeat:
                    steps.append(step)
                return step
        return Step.model_construct(match="", method="", headers={}, merge={})

    async def record(self, vendor: str, request: Request) -> None:
        """Keep a request; beyond a thousand the oldest go."""
        self._counts[vendor] += 1
        self._received.setdefault(vendor, deque(maxlen=_KEPT_REQUESTS)).append(request)
        await self.announce()

    async def announce(self) -> None:
        """Wake those who wait for a request, or for its end."""
        async with self._changed:
            self._changed.notify_all()

    async def look(self, vendor: str, *, calls: int, aborted: int) -> tuple[int, list[Request]]:
        """Return how many requests came and the latest of them, once there are as many as asked for."""

        def enough() -> bool:
            kept = self._received.get(vendor, ())
            return self._counts[vendor] >= calls and sum(request.aborted for request in kept) >= aborted

        async with asyncio.timeout(_WAIT_SECONDS), self._changed:
            await self._changed.wait_for(enough)
        return self._counts[vendor], list(self._received.get(vendor, ()))
