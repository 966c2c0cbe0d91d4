"""The real Prometheus of Debian, which scrapes a worker every half second and evaluates our rules as often."""

import asyncio
import math
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from devstack.processes import choose_port

OPS = Path(__file__).parents[2] / "ops"
ALERTS = OPS / "alerts.yml"
DASHBOARD = OPS / "dashboard.json"

_EVERY = "500ms"
_START_SECONDS = 30


def find(program: str) -> str:
    """Return where one of Prometheus's programs is."""
    found = shutil.which(program)
    assert found, "devstack/install.sh prometheus installs it"
    return found


class Prometheus:
    """A running Prometheus."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def _get(self, path: str, **params: str) -> Any:
        answer = await self._http.get(f"/api/v1/{path}", params=params)
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]

    async def values(self, query: str) -> list[float]:
        """Return the values that a query has now, without those that are no number."""
        result = (await self._get("query", query=query))["result"]
        values = [float(sample["value"][1]) for sample in result]
        return [value for value in values if not math.isnan(value)]

    async def names(self) -> set[str]:
        """Return the name of every metric that was scraped."""
        return set(await self._get("label/__name__/values"))

    async def firing(self) -> set[str]:
        """Return the alerts that call somebody now."""
        alerts = (await self._get("alerts"))["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    async def faulty_rules(self) -> list[str]:
        """Return the rules that could not be evaluated."""
        groups = (await self._get("rules"))["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    async def is_up(self, query: str = "up") -> bool:
        """Return whether a query has a value above zero."""
        return any(value > 0 for value in await self.values(query))


async def until(condition: Callable[[], Any], what: str, *, within: float = 20) -> None:
    """Wait until an asynchronous condition holds."""
    deadline = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(0.2)


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    """Start Prometheus, with our rules hurried, on one target: host and port."""
    with _run(folder, target) as (url, explain):
        async with httpx.AsyncClient(base_url=url) as http:
            await _await_start(http, explain)
            yield Prometheus(http)


@contextmanager
def _run(folder: Path, target: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """Run the program; yield its address, and what it has to say."""
    _configure(folder, target)
    port = choose_port()
    options = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder / 'data'}"]
    log = folder / "prometheus.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [find("prometheus"), f"--config.file={folder / 'prometheus.yml'}", *options],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            cwd=folder,
        )
    try:
        yield f"http://127.0.0.1:{port}", log.read_text
    finally:
        process.kill()
        process.wait()


def _configure(folder: Path, target: str) -> None:
    rules = yaml.safe_load(ALERTS.read_text())
    for rule in rules["groups"][0]["rules"]:
        if "for" in rule:
            rule["for"] = "1s"
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    config = {
        "global": {"scrape_interval": _EVERY, "scrape_timeout": _EVERY, "evaluation_interval": _EVERY},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "emocare", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))


async def _await_start(http: httpx.AsyncClient, explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if (await http.get("/-/ready")).is_success:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, explain()
        await asyncio.sleep(0.1)
