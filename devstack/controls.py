"""The handles by which tests make the services as unkind as the hosted platform can be."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Final, Literal, get_args

import httpx

from devstack.processes import HOST

Stuck = Literal["silent", "stalled", "trickling", "endless"]

_HTML: Final = "<!DOCTYPE html><html><body><h1>Something went wrong</h1></body></html>"


@dataclass(frozen=True, slots=True)
class GatewayFault:
    """An answer of the platform's own gateway, in place of the service's."""

    status: int
    body: str = ""
    type: str = "application/json"
    pace: Literal["whole"] | Stuck = "whole"


# What the hosted gateway answers about a project or its key. The names are for tests.
FAULTS: Final = {
    "paused": GatewayFault(540, '{"message":"Project paused"}'),
    "timed out": GatewayFault(544, '{"message":"upstream request timeout"}'),
    "unreachable": GatewayFault(530, "error code: 1016", "text/plain"),
    "restricted": GatewayFault(402, '{"message":"Service for this project is restricted"}'),
    "legacy keys disabled": GatewayFault(401, '{"message":"Legacy API keys are disabled"}'),
    "invalid key": GatewayFault(401, '{"message":"Invalid API key"}'),
    "forbidden": GatewayFault(403, _HTML, "text/html"),
    "not found": GatewayFault(404, '{"message":"no Route matched with those values"}'),
    "page of success": GatewayFault(200, _HTML, "text/html"),
    "empty success": GatewayFault(200),
    "page of failure": GatewayFault(502, _HTML, "text/html"),
    "empty failure": GatewayFault(503),
}


# Answers that never come whole. The names are for tests.
STUCK: Final = {pace: GatewayFault(200, pace=pace) for pace in get_args(Stuck)}


class GatewayControl:
    """Changes what the gateway answers."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/_control"
        # Without it, any page that is open on this machine could change our ways.
        self.word = secrets.token_urlsafe(16)

    def fail(self, path: str, fault: GatewayFault) -> None:
        """Answer this to every path that begins so, until `heal` or the next `fail`."""
        self._order(faults=[{"path": path, **asdict(fault)}])

    def refuse_legacy_keys(self) -> None:
        """Refuse the keys that are JSON web tokens, as a project does that has disabled them."""
        self._order(legacyKeys=False)

    def refuse_bearer_keys(self) -> None:
        """Refuse a key `sb_…` as a bearer token."""
        self._order(bearerKeys=False)

    def heal(self) -> None:
        """Take all of that back."""
        self._order(faults=[], legacyKeys=True, bearerKeys=True)

    def _order(self, **ways: object) -> None:
        httpx.post(self._url, json=ways, headers={"x-control": self.word}).raise_for_status()


class RealtimeControl:
    """The controls by which tests break Realtime."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{HOST}:{port}"

    def close_sockets(self, code: int) -> None:
        """Close every socket in good order, with this code (1000, 1001, 1011)."""
        self._order(action="close", code=code)

    def cut_sockets(self) -> None:
        """Cut every socket without a closing handshake."""
        self._order(action="cut")

    def refuse_sockets(self, seconds: float) -> None:
        """Refuse new sockets for a while; 0 ends it."""
        self._order(action="refuse", seconds=seconds)

    def freeze_sockets(self, seconds: float) -> None:
        """Let every open socket hang for a while: neither read nor written nor closed."""
        self._order(action="freeze", seconds=seconds)

    def lose_changes(self, seconds: float) -> None:
        """Lose every database change for a while, without a word to anybody; 0 ends it."""
        self._order(action="lose", seconds=seconds)

    def tune(self, **ways: object) -> None:
        """Change fields of `devstack.ways.RealtimeWays`."""
        self._order(action="tune", ways=ways)

    def statistics(self) -> dict[str, int]:
        """Count sockets, joins, channels, heartbeats, broadcasts and changes sent."""
        return dict(httpx.get(f"{self._url}/health").json())

    def members(self) -> dict[str, int]:
        """Count who is on each topic."""
        return dict(httpx.get(f"{self._url}/members").json())

    def _order(self, **order: object) -> None:
        httpx.post(f"{self._url}/control", json=order).raise_for_status()
