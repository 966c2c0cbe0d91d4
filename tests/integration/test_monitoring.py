"""A worker is scraped while it works: what it did is on the page, what is secret or personal is not."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.hq import RUN_TYPE, Hq
from support.monitoring import Samples, read_samples, sample, scrape
from support.notifications import wait_for_mail
from support.prometheus import until
from support.worker import Worker

from devstack.mailbox import Mailbox, serve_mailbox
from devstack.stack import OWNER_EMAIL

MODEL = "google/gemini-3.8-flash"


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with serve_mailbox(tmp_path / "mailbox", tmp_path / "mailbox-logs") as box:
        yield box


async def page_of(worker: Worker, host: str = "127.0.0.1") -> str:
    port = (await worker.logged("metrics.listening"))["port"]
    answer = await scrape(f"http://{host}:{port}/metrics")
    assert answer.status_code == 200
    return answer.text


async def samples_of(worker: Worker) -> Samples:
    return read_samples(await page_of(worker))


async def test_what_a_worker_did_is_on_its_page(hq: Hq, mailbox: Mailbox) -> None:
    worker = await hq.worker(live=True, METRICS_PORT=0, NOTIFY_URLS=mailbox.url, NOTIFY_SECONDS=0.5)
    await hq.settled(hq.ask())
    await hq.settled(hq.ask("COMPETITIVE_ANALYSIS"))  # nobody has set the key of its searches
    await hq.vendors.script("openai", {"status": 402}, repeat=True)
    await hq.settled(hq.ask())
    hq.rows("update hq.announcements set due_at = now() returning 1")
    await wait_for_mail(mailbox, 1)
    await hq.until("select from hq.deliveries having every(status = 'accepted')")

    samples = await samples_of(worker)

    ended = {
        end: sample(samples, "emocare_runs_ended_total", run_type=RUN_TYPE, end=end) for end in ("completed", "failed")
    }
    assert ended == {"completed": 1, "failed": 1}
    assert sample(samples, "emocare_run_seconds_count", run_type=RUN_TYPE) == 2
    assert sample(samples, "emocare_source_gaps_total", source="perplexity", reason="not_configured") >= 1
    assert sample(samples, "emocare_deliveries_total", kind="run_failed", target="channel", outcome="accepted") == 1
    total = dict.fromkeys(("answered", "refused"), 0.0)
    for (name, labels), value in samples.items():
        if name == "emocare_model_calls_total" and (end := dict(labels)["end"]) in total:
            total[end] += value
    assert total == {"answered": 2, "refused": 1}
    billed = [
        (name, value)
        for (name, _), value in samples.items()
        if name in {"emocare_cost_eur_total", "emocare_model_tokens_total"}
    ]
    assert sum(value for name, value in billed if name == "emocare_cost_eur_total") > 0
    assert sum(value for name, value in billed if name == "emocare_model_tokens_total") > 0
    states = ("get_hq_queue_state", "get_hq_delivery_state", "get_hq_budget_state")
    for function in ("claim_hq_runs", "settle_hq_run", "renew_hq_leases", *states):
        assert sample(samples, "emocare_rpc_seconds_count", function=function) >= 1
    failed = {key for key, value in samples.items() if key[0] == "emocare_rpc_failures_total" and value}
    # On a busy machine a call may be given up.
    assert not [labels for _, labels in failed if ("reason", "abandoned") not in labels]
    assert sample(samples, "emocare_realtime_live") == 1
    assert sample(samples, "emocare_database_up") == 1
    assert sample(samples, "emocare_queue_runs", state="waiting") == 0
    assert sample(samples, "emocare_delivery_oldest_waiting_seconds", target="channel") == 0
    assert sample(samples, "emocare_delivery_failures_in_a_row", target="device") == 0
    assert sample(samples, "emocare_month_cost_eur") > 0
    assert sample(samples, "emocare_month_budget_eur") > 0
    assert ("emocare_rpc_seconds_count", frozenset({("function", "other")})) not in samples


async def test_a_lease_that_was_lost_and_a_database_that_is_away_are_seen(hq: Hq) -> None:
    worker = await hq.worker(METRICS_PORT=0)
    await hq.vendors.script("openai", {"delay_ms": 3000}, repeat=True)
    run_id = hq.ask()
    await hq.became(run_id, "running")
    hq.rows("update hq.run_queue set lease_token = lease_token + 1 where run_id = %s returning 1", run_id)
    await worker.logged("run.dropped")
    await worker.logged("run.settled")

    samples = await samples_of(worker)
    assert sample(samples, "emocare_leases_lost_total") == 1
    assert sample(samples, "emocare_runs_ended_total", run_type=RUN_TYPE, end="lease_lost") == 1

    hq.stack.stop_postgrest()

    async def is_seen() -> bool:
        failed = {key for key, value in (await samples_of(worker)).items() if value}
        return any(name == "emocare_rpc_failures_total" and ("reason", "unavailable") in of for name, of in failed)

    await until(is_seen, "a call that nobody answered")


async def test_a_channel_that_fails_is_seen_beside_one_that_does_not(hq: Hq, mailbox: Mailbox) -> None:
    hook = hq.vendors.base_url.removeprefix("http://")
    await hq.vendors.script("hook", {"status": 401}, repeat=True)
    worker = await hq.worker(METRICS_PORT=0, NOTIFY_URLS=f"{mailbox.url} json://{hook}/hook/a", NOTIFY_SECONDS=0.5)
    hq.rows("select hq.announce_event('key', 'run_failed', '{}')")
    hq.rows("update hq.announcements set due_at = now() returning 1")
    await hq.until("select from hq.deliveries where message_key = 'key' and status = 'accepted'")
    await hq.until("select from hq.deliveries where failure = 'http_401'")

    samples = await samples_of(worker)

    assert sample(samples, "emocare_deliveries_total", kind="run_failed", target="channel", outcome="accepted") == 1
    assert sample(samples, "emocare_delivery_failures_in_a_row", target="channel") == 1
    assert sample(samples, "emocare_delivery_oldest_waiting_seconds", target="channel") > 0
    assert sample(samples, "emocare_delivery_oldest_waiting_seconds", target="device") == 0


async def test_the_public_port_knows_nothing_of_it_and_the_private_one_nothing_else(hq: Hq) -> None:
    service = await hq.service(METRICS_PORT=0)
    port = (await service.worker.logged("metrics.listening"))["port"]
    public = service.url.removesuffix("/functions/v1")

    async with httpx.AsyncClient() as http:
        statuses = {
            url: (await http.get(url)).status_code
            for url in (
                f"{public}/metrics",
                f"{public}/functions/v1/metrics",
                f"http://127.0.0.1:{port}/metrics",
                f"http://127.0.0.1:{port}/functions/v1/healthz",
                f"http://127.0.0.1:{port}/openapi.json",
            )
        }

    assert list(statuses.values()) == [404, 404, 200, 404, 404]


async def test_the_page_holds_no_secret_and_nobodys_name(hq: Hq) -> None:
    worker = await hq.worker(METRICS_PORT=0)
    run = await hq.settled(hq.ask(platform_key="nearvity"))
    secrets = [value for name, value in hq.environment().items() if name.endswith(("KEY", "TOKEN"))]

    page = await page_of(worker)

    assert len(secrets) == 4
    for value in (*secrets, OWNER_EMAIL, str(run["id"]), "nearvity", socket.gethostname(), hq.stack.url):
        assert value not in page


async def test_without_a_port_nothing_listens(hq: Hq) -> None:
    worker = await hq.worker()

    assert worker.events("metrics.listening") == []


async def test_a_port_that_is_taken_is_refused_by_the_name_of_its_variable(hq: Hq) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = hq.start_worker(METRICS_PORT=taken.getsockname()[1])

        assert await worker.exit_code() == 78

    assert "METRICS_HOST, METRICS_PORT: cannot listen on 127.0.0.1:" in worker.tail()


async def test_an_address_of_both_protocols_is_reached_by_either(hq: Hq) -> None:
    worker = await hq.worker(METRICS_PORT=0, METRICS_HOST="::")

    assert await page_of(worker, "127.0.0.1")
    assert await page_of(worker, "[::1]")
