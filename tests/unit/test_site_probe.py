"""One look at a site: what it asks, how it judges, and where it will not go."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from support.wire import wire

from devstack.vendors import VendorsClient
from workers import outbound
from workers.clock import SystemClock
from workers.outbound import Response
from workers.platform_monitor import probe
from workers.platform_monitor.probe import SiteProbe
from workers.ports import SiteCheck

KEYS = ("nearvity", "med-mng")


def make_probe(vendors: VendorsClient, http: httpx.AsyncClient, **sites: str) -> SiteProbe:
    given = {key: f"{vendors.base_url}/sites/{key}" for key in KEYS} | sites
    return SiteProbe(http, given, clock=SystemClock())


@pytest.fixture
def sites(vendors: VendorsClient, http: httpx.AsyncClient) -> SiteProbe:
    return make_probe(vendors, http)


async def look(sites: SiteProbe, key: str = "nearvity") -> SiteCheck:
    (check,) = await sites.check([key])
    return check


async def methods(vendors: VendorsClient) -> list[str]:
    return [call["method"] for call in await vendors.calls("sites")]


async def test_a_site_that_is_well_is_asked_once_for_its_head(sites: SiteProbe, vendors: VendorsClient) -> None:
    check = await look(sites)

    assert (check.status, check.status_code, check.reason) == ("green", 200, None)
    assert check.response_ms is not None
    assert await methods(vendors) == ["HEAD"]


@pytest.mark.parametrize(
    "answer", [*({"status": status} for status in (400, 403, 404, 405, 418, 500, 501, 503)), {"close": True}], ids=str
)
async def test_a_site_that_does_not_answer_head_well_is_asked_again_with_get(
    answer: dict[str, Any], sites: SiteProbe, vendors: VendorsClient
) -> None:
    await vendors.script("sites", {"method": "HEAD", **answer})

    assert (await look(sites)).status == "green"
    assert await methods(vendors) == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("step", "status", "code"),
    [
        ({"status": 503}, "red", 503),
        ({"status": 404}, "red", 404),
        ({"status": 204}, "green", 204),
        ({"status": 302, "headers": {"location": "https://elsewhere.example/"}}, "amber", 302),
        ({"status": 304}, "amber", 304),
        ({"close": True}, "red", None),
    ],
    ids=str,
)
async def test_what_a_site_answers_decides(
    step: dict[str, Any], status: str, code: int | None, sites: SiteProbe, vendors: VendorsClient
) -> None:
    await vendors.script("sites", step, repeat=True)

    check = await look(sites)

    assert (check.status, check.status_code) == (status, code)
    assert (check.reason is None) == (status == "green")


@pytest.mark.parametrize(
    ("milliseconds", "status"), [(1_999, "green"), (2_000, "amber"), (4_999, "amber"), (5_000, "red")]
)
def test_how_long_it_takes_decides_too(milliseconds: int, status: str) -> None:
    assert probe._judge(200, milliseconds)[0] == status


async def test_a_site_that_does_not_answer_is_given_up(vendors: VendorsClient, http: httpx.AsyncClient) -> None:
    urls = {"nearvity": f"{vendors.base_url}/sites/nearvity"}
    sites = SiteProbe(http, urls, clock=SystemClock(), deadline=timedelta(seconds=0.2))
    await vendors.script("sites", {"delay_ms": 5_000}, repeat=True)

    check = await look(sites)

    assert (check.status, check.response_ms, check.status_code) == ("red", None, None)
    assert "n'a pas répondu" in (check.reason or "")


async def test_a_site_that_never_answers_head_is_judged_by_get(vendors: VendorsClient, http: httpx.AsyncClient) -> None:
    urls = {"nearvity": f"{vendors.base_url}/sites/nearvity"}
    sites = SiteProbe(http, urls, clock=SystemClock(), deadline=timedelta(seconds=2))
    await vendors.script("sites", {"method": "HEAD", "delay_ms": 5_000})

    check = await look(sites)

    assert (check.status, check.status_code) == ("green", 200)
    assert check.response_ms is not None
    assert check.response_ms < 1_000


async def test_all_sites_are_asked_at_the_same_time(sites: SiteProbe, vendors: VendorsClient) -> None:
    await vendors.script("sites", default_delay_ms=400)

    looking = asyncio.create_task(sites.check(KEYS))
    await vendors.wait_for("sites", calls=2)
    assert not looking.done()

    assert [check.platform_key for check in await looking] == list(KEYS)


async def test_a_site_nobody_listens_at_is_red(vendors: VendorsClient, http: httpx.AsyncClient) -> None:
    check = await look(make_probe(vendors, http, nowhere="http://127.0.0.1:9/"), "nowhere")

    assert (check.status, check.reason) == ("red", "Le site est injoignable.")


async def test_a_redirect_within_the_sites_is_followed_and_not_for_ever(
    sites: SiteProbe, vendors: VendorsClient
) -> None:
    await vendors.script("sites", {"status": 301, "headers": {"location": "/sites/med-mng"}})
    assert (await look(sites)).status == "green"

    await vendors.reset()
    await vendors.script("sites", {"status": 301, "headers": {"location": "/sites/nearvity"}}, repeat=True)
    assert (await look(sites)).status == "amber"
    assert len(await vendors.calls("sites")) == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:9/",
        "http://localhost:{port}/openai/v1/models",
        "https://127.0.0.1:{port}/openai/v1/models",
        "http://user:word@127.0.0.1:{port}/openai/v1/models",
        "//127.0.0.2:{port}/openai",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "http://[bad",
    ],
)
async def test_a_redirect_never_leads_to_where_nobody_sent_us(
    target: str, sites: SiteProbe, vendors: VendorsClient
) -> None:
    """A site that was taken over must not reach into our network."""
    port = httpx.URL(vendors.base_url).port
    await vendors.script("sites", {"status": 302, "headers": {"location": target.format(port=port)}})

    check = await look(sites)

    assert (check.status, check.status_code) == ("amber", 302)
    assert len(await vendors.calls("sites")) == 1
    assert await vendors.calls("openai") == []


@pytest.mark.parametrize(
    ("base", "target", "followed"),
    [
        ("https://medmng.com", "https://www.medmng.com/", "https://www.medmng.com/"),
        ("https://www.medmng.com", "https://medmng.com/fr", "https://medmng.com/fr"),
        ("https://medmng.com", "/fr", "https://medmng.com/fr"),
        ("https://medmng.com", "http://medmng.com/", None),
        ("https://medmng.com", "https://medmng.com:8443/", None),
        ("https://medmng.com", "https://medmng.com.evil.example/", None),
    ],
)
def test_the_sites_twin_with_www_is_the_site(
    base: str, target: str, followed: str | None, http: httpx.AsyncClient
) -> None:
    site = SiteProbe(http, {"med-mng": base}, clock=SystemClock())
    response = Response(301, httpx.Headers({"location": target}), b"", cut=False)

    assert site._follow(base, response) == followed


async def test_a_site_is_sent_no_cookie_of_its_neighbour() -> None:
    async with outbound.open_http(wire(_answer_without_cookies)) as shared:
        both = SiteProbe(shared, {"a": "https://a.lovable.app/", "b": "https://b.lovable.app/"}, clock=SystemClock())

        first = await both.check(["a"])
        second = await both.check(["b"])

    assert [check.status for check in (*first, *second)] == ["green", "green"]


def _answer_without_cookies(request: httpx.Request) -> httpx.Response:
    """Answer as sites of different people below one domain would, each of which sets cookies for all."""
    if "cookie" in request.headers:
        return httpx.Response(431)
    cookies = [("set-cookie", f"c{number}={'x' * 4000}; Domain=.lovable.app; Path=/") for number in range(20)]
    return httpx.Response(200, headers=cookies)
