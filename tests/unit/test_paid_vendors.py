"""What paid vendors can do to us: each failure is one call, bounded, and the right gap."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import HttpUrl, JsonValue, SecretStr, TypeAdapter
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from shared.errors import SourceError, SourceRejected, SourceUnavailable
from shared.findings import GapReason
from workers.sources.gaps import SourceTimedOut, describe_gap
from workers.sources.vendor import Vendor

KEY = "canary-of-a-vendor-0123456789"
SECOND = timedelta(seconds=1)
ANYTHING = TypeAdapter[JsonValue](JsonValue)


def make_vendor(http: httpx.AsyncClient, url: str, clock: FakeClock) -> Vendor:
    return Vendor(http, name="Vendeur", base_url=HttpUrl(url), key=SecretStr(KEY), variable="VENDOR_KEY", clock=clock)


@pytest.fixture
def vendor(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> Vendor:
    return make_vendor(http, f"{vendors.base_url}/firecrawl/v2", clock)


async def ask(vendor: Vendor, within: timedelta) -> JsonValue:
    question: dict[str, JsonValue] = {"url": "https://a.fr", "formats": ["markdown"]}
    return vendor.parse(ANYTHING, await vendor.post("/scrape", question, within=within, max_bytes=1 << 20))


async def fail(vendor: Vendor, within: timedelta = SECOND) -> SourceError:
    with pytest.raises(SourceError) as raised:
        await ask(vendor, within)
    assert KEY not in repr(raised.value) + raised.value.sentence
    return raised.value


@pytest.mark.parametrize(
    ("step", "kind", "words"),
    [
        ({"status": 401}, SourceRejected, "refuse la clé VENDOR_KEY"),
        ({"status": 403}, SourceRejected, "refuse la clé VENDOR_KEY"),
        ({"status": 402}, SourceRejected, "crédit Vendeur est épuisé"),
        ({"status": 422}, SourceRejected, "code 422"),
        ({"status": 408}, SourceTimedOut, "à temps"),
        ({"status": 500}, SourceUnavailable, "en panne"),
        ({"status": 503}, SourceUnavailable, "en panne"),
        ({"status": 429}, SourceUnavailable, "11 h 01"),
        ({"status": 429, "headers": {"retry-after": "600"}}, SourceUnavailable, "11 h 10"),
        ({"status": 429, "body": {"error": "Please retry after 10m, resets at"}}, SourceUnavailable, "11 h 10"),
        ({"delay_ms": 5000}, SourceTimedOut, "ne répond pas"),
        ({"close": True}, SourceUnavailable, "ne répond pas"),
        ({"cut": True}, SourceUnavailable, "ne répond pas"),
        ({"malformed": True}, SourceUnavailable, "illisible"),
    ],
)
async def test_each_failure_is_one_call_and_has_its_sentence(
    vendor: Vendor, vendors: VendorsClient, step: dict[str, Any], kind: type[SourceError], words: str
) -> None:
    await vendors.script("firecrawl", step, repeat=True)

    error = await fail(vendor)

    assert type(error) is kind
    assert words in error.sentence
    assert len(await vendors.calls("firecrawl")) == 1


async def test_a_page_of_fifty_megabytes_is_left_after_its_share(clock: FakeClock) -> None:
    sent = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(800):
                sent += 1 << 16
                yield b'"' + b"x" * ((1 << 16) - 1)

    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless())))

    error = await fail(make_vendor(http, "https://vendeur.example", clock))

    assert describe_gap(error, source="x", label="x").reason is GapReason.UNAVAILABLE
    assert sent <= 2 << 20
