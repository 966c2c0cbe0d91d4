"""Who is present on a topic: what each member last said of itself, under the key that it chose."""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

Meta = dict[str, Any]


class Member(Protocol):
    """A channel that may be present."""

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Send an event to the client."""


class Presence:
    """The members of one topic that track themselves, and those who hear of it."""

    def __init__(self) -> None:
        self._listeners: set[Member] = set()
        self._tracked: dict[Member, tuple[str, Meta]] = {}

    @property
    def state(self) -> dict[str, Any]:
        """Who is present now."""
        return _group(self._tracked.values())

    def watch(self, member: Member) -> None:
        """Send a member who is present, and from now on who comes and goes."""
        self._listeners.add(member)
        member.send("presence_state", self.state)

    def track(self, member: Member, key: str, payload: dict[str, Any]) -> None:
        """Make a member present, or change what it says of itself."""
        left = [self._tracked[member]] if member in self._tracked else []
        meta = {"phx_ref": secrets.token_urlsafe(8), **payload}
        if left:
            meta["phx_ref_prev"] = left[0][1]["phx_ref"]
        self._tracked[member] = key or str(uuid.uuid4()), meta
        self._announce(joins=[self._tracked[member]], leaves=left)

    def untrack(self, member: Member) -> None:
        """Make a member absent."""
        if (left := self._tracked.pop(member, None)) is not None:
            self._announce(joins=[], leaves=[left])

    def leave(self, member: Member) -> None:
        """Forget a member whose channel has ended."""
        self._listeners.discard(member)
        self.untrack(member)

    def _announce(self, *, joins: Iterable[tuple[str, Meta]], leaves: Iterable[tuple[str, Meta]]) -> None:
        for listener in list(self._listeners):
            listener.send("presence_diff", {"joins": _group(joins), "leaves": _group(leaves)})


def _group(tracked: Iterable[tuple[str, Meta]]) -> dict[str, Any]:
    grouped: dict[str, Any] = {}
    for key, meta in tracked:
        grouped.setdefault(key, {"metas": []})["metas"].append(meta)
    return grouped
