"""Debian's real Prometheus watches a real worker: the rules are lawful, every panel is filled, a death is noticed."""

import json
import re
import subprocess
from pathlib import Path

import yaml
from support.hq import Hq
from support.notifications import wait_for_mail
from support.prometheus import ALERTS, DASHBOARD, OPS, Prometheus, find, prometheus, until

from devstack.mailbox import Mailbox, serve_mailbox
from devstack.processes import choose_port

# All goes well in this test, or it is over when the panels are looked at. Whatever else is at zero was not counted.
MAY_BE_ZERO = {
    "Appels sans résultat par heure A",
    "Baux perdus par heure A",
    "Disjoncteurs ouverts A",
    "Exécutions en attente A",
    "File d'attente A",
    "Message en attente depuis A",
    "Places occupées A",
    "Plus longue attente A",
    "Realtime reconstruit A",
}

NAME = re.compile(r"\b(?:emocare|process)_[a-z_]+\b")


def panel_queries() -> dict[str, str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {
        f"{panel['title']} {target['refId']}": target["expr"] for panel in panels for target in panel.get("targets", [])
    }


def test_promtool_accepts_the_rules_and_each_alert_comes_when_it_should() -> None:
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run([find("promtool"), *arguments], cwd=OPS, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr


async def work(hq: Hq, mailbox: Mailbox, mails: int) -> None:
    """Have everything happen that is counted: a report, one without its searches, one that fails, a message."""
    for run_type, answer in (
        ("PLATFORM_STATUS_REVIEW", {}),
        ("COMPETITIVE_ANALYSIS", {}),
        ("PLATFORM_STATUS_REVIEW", {"status": 402}),
    ):
        await hq.vendors.script("openai", answer, repeat=True)
        await hq.settled(hq.ask(run_type))
    hq.rows("update hq.announcements set due_at = now() returning 1")
    await wait_for_mail(mailbox, mails)


async def test_every_panel_is_filled_and_a_killed_worker_calls_somebody(hq: Hq, tmp_path: Path) -> None:
    port = choose_port()
    with serve_mailbox(tmp_path / "mailbox", tmp_path / "mailbox-logs") as mailbox:
        worker = await hq.worker(live=True, METRICS_PORT=port, NOTIFY_URLS=mailbox.url, NOTIFY_SECONDS=0.5)
        async with prometheus(tmp_path, f"127.0.0.1:{port}") as watching:
            await work(hq, mailbox, 1)
            done = 'sum(emocare_deliveries_total{outcome="accepted"})'
            await until(lambda: watching.is_up(done), "the first message is scraped")
            await work(hq, mailbox, 2)
            await until(lambda: watching.is_up(f"{done} > 1"), "the second message is scraped")

            await see_that_every_metric_exists(watching)
            assert await find_empty_panels(watching) == []
            assert await find_panels_at_zero(watching) <= MAY_BE_ZERO
            assert "AucunOuvrier" not in await watching.firing()

            worker.kill()

            async def is_called() -> bool:
                return "AucunOuvrier" in await watching.firing()

            await until(is_called, "the alert")
            assert await watching.faulty_rules() == []


async def see_that_every_metric_exists(watching: Prometheus) -> None:
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    named = set(NAME.findall(" ".join([*(rule["expr"] for rule in rules), *panel_queries().values()])))

    assert len(named) > 20
    assert sorted(named - await watching.names()) == []


async def find_empty_panels(watching: Prometheus) -> list[str]:
    return [panel for panel, query in panel_queries().items() if not await watching.values(query)]


async def find_panels_at_zero(watching: Prometheus) -> set[str]:
    return {panel for panel, query in panel_queries().items() if not await watching.is_up(query)}
