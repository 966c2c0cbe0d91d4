"""One check of a site: as cheap as the site allows, bounded in time and size, and only of configured sites.

A redirect is followed only to a site that is itself configured, by the same scheme and port: a site that was taken
over therefore cannot make a worker call an address inside the worker's own network.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import httpx

from workers import outbound
from workers.ports import CheckState, Clock, SiteCheck

DEADLINE: Final = timedelta(seconds=10)

_GREEN_MS: Final = 2_000
_AMBER_MS: Final = 5_000
_REDIRECTS: Final = 3

Origin = tuple[str, str, int | None]

_FAULTS: Final = {
    outbound.Fault.UNREACHABLE: "Le site est injoignable.",
    outbound.Fault.INTERRUPTED: "Le site a coupé la connexion.",
}
_UNREADABLE: Final = "Le site a rendu une réponse illisible."


class SiteProbe:
    """Asks the sites of the platforms.

    Cost: one request per site, more where HEAD is not answered well or a redirect is followed; no body is read.
    """

    def __init__(
        self, http: httpx.AsyncClient, sites: Mapping[str, str], *, clock: Clock, deadline: timedelta = DEADLINE
    ) -> None:
        self._http = http
        self._sites = sites
        self._clock = clock
        self._deadline = deadline
        self._origins = frozenset(origin for url in sites.values() for origin in _origins(httpx.URL(url)))

    @property
    def keys(self) -> Sequence[str]:
        """Return the platforms that have a site."""
        return tuple(self._sites)

    async def check(self, keys: Sequence[str]) -> list[SiteCheck]:
        """Ask these sites at the same time. Raises: KeyError for a platform without a site."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._check(key, self._sites[key])) for key in keys]
        return [task.result() for task in tasks]

    async def _check(self, key: str, url: str) -> SiteCheck:
        status_code = response_ms = None
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                status_code, response_ms = await self._ask(url)
            status, reason = _judge(status_code, response_ms)
        except TimeoutError:
            status, reason = "red", self._explain(outbound.Fault.TIMED_OUT)
        except outbound.CallFailed as error:
            status, reason = "red", self._explain(error.fault)
        return SiteCheck(
            platform_key=key,
            url=url,
            status=status,
            status_code=status_code,
            response_ms=response_ms,
            reason=reason,
            checked_at=self._clock.now(),
        )

    def _explain(self, fault: outbound.Fault) -> str:
        if fault is outbound.Fault.TIMED_OUT:
            return f"Le site n'a pas répondu en {self._deadline.total_seconds():g} secondes."
        return _FAULTS.get(fault, _UNREADABLE)

    async def _ask(self, url: str) -> tuple[int, int]:
        """Follow the site to its answer; return the status and how long that answer took."""
        began = self._clock.monotonic()
        response = await self._ask_head(url)
        for _ in range(_REDIRECTS):
            target = None if response is None else self._follow(url, response)
            if target is None:
                break
            url = target
            response = await self._ask_head(url)
        if response is None:
            began = self._clock.monotonic()
            response = await self._call("GET", url, within=self._deadline)
        return response.status, round((self._clock.monotonic() - began) * 1000)

    async def _ask_head(self, url: str) -> outbound.Response | None:
        """Ask for the head alone; return None if that is answered badly: what people get, by GET, is what counts."""
        try:
            response = await self._call("HEAD", url, within=self._deadline / 2)
        except outbound.CallFailed as error:
            if error.fault is outbound.Fault.UNREACHABLE:
                raise
            return None
        well = httpx.codes.is_success(response.status) or httpx.codes.is_redirect(response.status)
        return response if well else None

    async def _call(self, method: str, url: str, *, within: timedelta) -> outbound.Response:
        return await outbound.call(self._http, method, url, within=within, max_bytes=0, follow_redirects=False)

    def _follow(self, url: str, response: outbound.Response) -> str | None:
        """Return where a redirect leads, if it may be followed."""
        location = response.headers.get("location")
        if not httpx.codes.is_redirect(response.status) or not location:
            return None
        try:
            target = httpx.URL(url).join(location)
        except httpx.InvalidURL:
            return None
        allowed = (target.scheme, target.host, target.port) in self._origins and not target.userinfo
        return str(target) if allowed else None


def _origins(url: httpx.URL) -> tuple[Origin, Origin]:
    """Return the site's origin, and its twin's with or without www."""
    host = url.host
    twin = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    return (url.scheme, host, url.port), (url.scheme, twin, url.port)


def _judge(status_code: int, response_ms: int) -> tuple[CheckState, str | None]:
    if not httpx.codes.is_success(status_code) and not httpx.codes.is_redirect(status_code):
        return "red", f"Le site répond par une erreur (HTTP {status_code})."
    if response_ms >= _AMBER_MS:
        return "red", "Le site met plus de 5 secondes à répondre."
    if httpx.codes.is_redirect(status_code):
        return "amber", "Le site renvoie vers une autre adresse, qui n'est pas surveillée."
    if response_ms >= _GREEN_MS:
        return "amber", "Le site met plus de 2 secondes à répondre."
    return "green", None
