"""Stand-ins for the vendors (model, GitHub, Perplexity, Firecrawl, Stripe, the platforms' sites) on this machine.

They speak the vendors' wire formats: ``python -m devstack.vendors --port 8900`` serves them all, and the workers' own
clients run unchanged against it, with other base URLs. What a vendor answers follows from the request alone, so that
demonstrations and tests see the same thing every time; how it misbehaves is scripted, one step per request, over
``/_script``.
"""

from types import TracebackType
from typing import Any, Self

import httpx


class VendorsClient:
    """Scripts the stand-ins and reads what they received."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.AsyncClient(base_url=self.base_url, timeout=15, trust_env=False)

    async def script(
        self, vendor: str, *steps: dict[str, Any], repeat: bool = False, default_delay_ms: int | None = None
    ) -> None:
        """Script the vendor's next requests, one step each, then back to normal; ``repeat`` starts over."""
        plan = {"vendor": vendor, "steps": steps, "repeat": repeat, "default_delay_ms": default_delay_ms}
        (await self._http.post("/_script", json=plan)).raise_for_status()

    async def calls(self, vendor: str) -> list[dict[str, Any]]:
        """Return the calls that the vendor received, oldest first: path, query, body, and how they went."""
        return await self._look(vendor)

    async def wait_for(self, vendor: str, *, calls: int = 0, aborted: int = 0) -> list[dict[str, Any]]:
        """Return the calls as soon as there are so many, and so many of them given up by their caller."""
        return await self._look(vendor, calls=calls, aborted=aborted)

    async def reset(self) -> None:
        """Forget all scripts, delays and calls."""
        (await self._http.post("/_reset")).raise_for_status()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _look(self, vendor: str, **until: int) -> list[dict[str, Any]]:
        response = await self._http.get("/_calls", params={"vendor": vendor, **until})
        response.raise_for_status()
        calls: list[dict[str, Any]] = response.json()["calls"]
        return calls
