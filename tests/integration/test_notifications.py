"""What reaches somebody who has no page open: by e-mail, by a webhook, on a device."""

import json
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from support.hq import Hq
from support.notifications import PUBLIC_KEY, device_settings, subscribe, wait_for_mail

from devstack.mailbox import Mailbox, serve_mailbox

QUICK: dict[str, object] = {"NOTIFY_SECONDS": 0.5}
SECRET = "Mot2PasseTresSecret"


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with serve_mailbox(tmp_path / "mailbox", tmp_path / "mailbox-logs") as box:
        yield box


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def deliveries(hq: Hq) -> list[tuple[str, str, str | None]]:
    found = hq.rows(
        "select t.label, d.status, d.failure from hq.deliveries as d join hq.delivery_targets as t using (target)"
        " order by t.label, d.created_at, d.message_key"
    )
    return [(row["label"], row["status"], row["failure"]) for row in found]


def fail(hq: Hq, number: int = 1) -> None:
    """Let runs have failed, without the time that it takes."""
    details = json.dumps({"report": "Audit SEO", "platform": "Nearvity", "reason": "Crédits épuisés : rechargez."})
    hq.rows(
        "select hq.announce_event('run_failed:' || n || clock_timestamp(), 'run_failed', %s::jsonb)"
        " from generate_series(1, %s) as n",
        details,
        number,
    )


async def test_a_failed_run_is_a_mail_that_says_which_report_why_and_what_to_do(hq: Hq, mailbox: Mailbox) -> None:
    await hq.worker(QUICK, NOTIFY_URLS=mailbox.url, HQ_PAGE_URL="https://qg.emotionscare.com")
    await hq.vendors.script("openai", {"status": 402}, repeat=True)

    await hq.settled(hq.ask(platform_key="nearvity"))
    hq.rows("update hq.announcements set due_at = now() returning 1")
    (mail,) = await wait_for_mail(mailbox, 1)

    assert str(mail["subject"]).startswith("QG EMOCARE : Échec : ")
    assert "(NEARVITY)" in str(mail["subject"])
    assert (str(mail["to"]), str(mail["from"])) == ("presidente@emocare.test", "qg@emocare.test")
    for kind in ("plain", "html"):
        text = text_of(mail, kind)
        assert "Crédits IA insuffisants. Rechargez le compte du service d" in text
        assert "https://qg.emotionscare.com/hq/historique" in text
    assert mail["x-emocare-message"]
    shown = next(mailbox.folder.glob("*.txt")).read_text()
    assert shown.startswith(f"De : qg@emocare.test\nÀ : presidente@emocare.test\nObjet : {mail['subject']}\n\n")
    assert shown.splitlines()[4:] == text_of(mail, "plain").splitlines()
    await hq.until("select from hq.deliveries having every(status = 'accepted')")


async def test_a_device_reads_what_the_page_s_service_worker_shows(hq: Hq) -> None:
    endpoint = await subscribe(hq)
    await hq.worker(QUICK | device_settings(hq))
    fail(hq)

    await hq.until("select from hq.deliveries having every(status = 'accepted') and count(*) = 1")
    call = (await hq.vendors.calls("push"))[-1]

    assert endpoint.endswith(call["path"])
    assert call["status"] == 201
    assert call["headers"]["urgency"] == "high"
    assert call["headers"]["ttl"] == "86400"
    assert call["body"]["title"] == "Échec : Audit SEO (Nearvity)"
    assert "Crédits épuisés : rechargez." in call["body"]["body"]
    assert call["body"]["data"] == {"url": "/hq/historique", "urgency": "high"}
    assert call["body"]["tag"].startswith("hq-")


async def test_a_webhook_takes_the_message_and_a_redirect_is_not_followed(hq: Hq) -> None:
    address = hq.vendors.base_url.removeprefix("http://")
    await hq.vendors.script("hook", {"status": 302, "headers": {"location": f"{hq.vendors.base_url}/hook/elsewhere"}})
    await hq.worker(QUICK, NOTIFY_URLS=f"json://{address}/hook/{SECRET}")
    fail(hq)
    await hq.until("select from hq.deliveries where failure = 'http_302'")
    hq.rows("update hq.delivery_targets set held_until = now() returning 1")

    await hq.until("select from hq.deliveries where status = 'accepted'")
    calls = await hq.vendors.calls("hook")

    assert [call["path"] for call in calls] == [f"/{SECRET}"] * 2
    assert calls[0]["headers"]["x-emocare-message"] == calls[1]["headers"]["x-emocare-message"]
    assert calls[1]["body"]["title"] == "QG EMOCARE : Échec : Audit SEO (Nearvity)"


async def test_five_hundred_failures_are_eleven_messages_to_each_target(hq: Hq, mailbox: Mailbox) -> None:
    await subscribe(hq)
    await hq.worker(QUICK | device_settings(hq), NOTIFY_URLS=mailbox.url)
    fail(hq, 500)

    await hq.until("select from hq.deliveries having count(*) filter (where status = 'accepted') = 20")
    hq.rows("update hq.announcements set burst_at = burst_at - interval '95 s',"
            " message_due_at = message_due_at - interval '95 s' returning 1")  # fmt: skip
    await hq.until("select from hq.deliveries having count(*) filter (where status = 'accepted') = 22")

    mails = await wait_for_mail(mailbox, 11)
    assert len(mails) == 11
    assert str(mails[-1]["subject"]) == "QG EMOCARE : 490 autres rapports ont échoué"
    assert "et 480 autres" in text_of(mails[-1], "plain")
    assert len(await hq.vendors.calls("push")) == 1 + 11


FAILURES: list[tuple[dict[str, Any], str, str | None]] = [
    ({"status": 429, "headers": {"retry-after": "3600"}}, "waiting", "http_429"),
    ({"status": 503}, "waiting", "http_503"),
    ({"close": True}, "waiting", "interrupted"),
    ({"status": 307, "headers": {"location": "http://127.0.0.1:1/"}}, "waiting", "http_307"),
    ({"status": 404}, "gone", None),
    ({"status": 410}, "gone", None),
    ({"status": 413}, "refused", "http_413"),
    ({"status": 400}, "refused", "http_400"),
    ({"status": 401}, "refused", "http_401"),
    ({"status": 403}, "refused", "http_403"),
]


@pytest.mark.parametrize(("step", "status", "failure"), FAILURES)
async def test_each_way_a_push_service_fails_has_its_consequence(
    step: dict[str, Any], status: str, failure: str | None, hq: Hq
) -> None:
    await subscribe(hq)
    await hq.vendors.script("push", step)
    await hq.worker(QUICK | device_settings(hq))
    fail(hq)

    await hq.until("select from hq.delivery_targets where failed_at is not null")

    ((_, found, why),) = deliveries(hq)
    assert (found, why) == (status, failure or why)
    (target,) = hq.rows("select extract(epoch from held_until - now()) as wait from hq.delivery_targets")
    if status == "waiting":
        assert target["wait"] > (3500 if failure == "http_429" else 5)
    active = hq.rows("select is_active from hq.push_subscriptions")
    assert active == [{"is_active": status != "gone"}]
    if status == "waiting":  # nothing is lost, nothing is sent twice
        hq.rows("update hq.delivery_targets set held_until = now() returning 1")
        await hq.until("select from hq.deliveries where status = 'accepted'")
        assert len(await hq.vendors.calls("push")) == 1 + 2


async def test_a_dead_mail_server_costs_the_device_nothing(hq: Hq) -> None:
    await subscribe(hq)
    await hq.worker(QUICK | device_settings(hq), NOTIFY_URLS="mailto://127.0.0.1:1?from=a@b.fr&to=c@d.fr")
    fail(hq, 9)

    await hq.until("select from hq.deliveries having count(*) filter (where status = 'accepted') = 9")

    dead = [row for row in deliveries(hq) if row[0] == "mailto"]
    assert {status for _, status, _ in dead} == {"waiting"}
    assert len([why for _, _, why in dead if why]) <= 1, "one try for all that wait"


HOSTILE = [
    "http://fcm.googleapis.com/fcm/send/a",
    "https://fcm.googleapis.com:8443/fcm/send/a",
    "https://fcm.googleapis.com.evil.example/a",
    "https://user:pass@fcm.googleapis.com/a",
    "https://127.0.0.1/a",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/a",
    "https://localhost/a",
    "file:///etc/passwd",
    "https://",
    "\u0000",
    "https://fcm.googleapis.com@evil.example/",
    "x" * 2000,
]


async def test_no_row_makes_a_worker_call_anything_but_a_known_push_service(hq: Hq) -> None:
    good = await subscribe(hq)
    for number, endpoint in enumerate(HOSTILE):
        hq.rows(
            "insert into hq.push_subscriptions (user_id, endpoint, p256dh, auth_key)"
            " select user_id, %s, p256dh, auth_key from hq.push_subscriptions where endpoint = %s returning id",
            endpoint.replace("\u0000", f"nul-{number}"),
            good,
        )
    worker = await hq.worker(QUICK | device_settings(hq))
    fail(hq)

    await hq.until("select from hq.deliveries having every(status <> 'waiting') and count(*) = 14")

    found = [(status, why) for _, status, why in deliveries(hq)]
    assert found.count(("accepted", None)) == 1
    reasons = {why for status, why in found if status == "refused"}
    assert reasons <= {"not_https", "unknown_service", "unreadable_endpoint"}
    assert len(found) == 1 + sum(status == "refused" for status, _ in found)
    assert "pass@" not in worker.log()


async def test_no_secret_of_a_channel_is_in_a_log_an_error_or_the_database(hq: Hq) -> None:
    urls = [
        f"json://user:{SECRET}@127.0.0.1:1/hook/{SECRET}",
        f"mailto://qg:{SECRET}@127.0.0.1:1?from=a@b.fr&to=c@d.fr",
        f"slack://{SECRET}",
        f"unknown://{SECRET}@host",
    ]
    worker = await hq.worker(QUICK, NOTIFY_URLS=" ".join(urls), LOG_LEVEL="debug")
    fail(hq)

    await hq.until("select from hq.delivery_targets having count(*) filter (where failed_at is not null) = 2")

    stored = hq.rows("select * from hq.deliveries, hq.delivery_targets, hq.announcements")
    assert stored
    assert SECRET not in str(stored)
    assert SECRET not in worker.log()
    assert "channel.unreadable" in worker.log()


# What the page calls.


async def test_the_page_subscribes_with_the_key_and_tries_its_device(hq: Hq) -> None:
    service = await hq.service(**device_settings(hq))
    owner = hq.stack.sign_in()
    body = {"title": "Essai", "message": "Bonjour", "urgency": "high", "type": "test", "unknown": 1}

    key = await service.get("send-push-notification")
    nobody = await service.post("send-push-notification", body, token=owner)
    await subscribe(hq, key.json()["publicKey"])
    await subscribe(hq)
    await hq.vendors.script("push", {"status": 410})
    some = await service.post("send-push-notification", body, token=owner)
    again = await service.post("send-push-notification", body, token=owner)

    assert key.json() == {"publicKey": PUBLIC_KEY}
    assert nobody.json() | {"message": ""} == {"sent": 0, "failed": 0, "total": 0, "message": ""}
    assert some.json() == {"sent": 1, "failed": 1, "total": 2}
    assert again.json() == {"sent": 1, "failed": 0, "total": 1}, "the other one was unsubscribed"
    seen = (await hq.vendors.calls("push"))[-1]["body"]
    assert (seen["title"], seen["body"], seen["data"]["url"]) == ("Essai", "Bonjour", "/hq")


async def test_a_push_service_that_hangs_keeps_the_page_waiting_for_eight_seconds_at_most(hq: Hq) -> None:
    service = await hq.service(**device_settings(hq))
    await subscribe(hq)
    await hq.vendors.script("push", {"delay_ms": 30_000})

    answer = await service.post("send-push-notification", {"title": "a", "message": "b"}, token=hq.stack.sign_in())

    assert answer.json() == {"sent": 0, "failed": 1, "total": 1}
    assert answer.elapsed.total_seconds() < 9.5


async def test_without_keys_both_calls_say_what_to_do(hq: Hq) -> None:
    service = await hq.service()

    key = await service.get("send-push-notification")
    test = await service.post("send-push-notification", {"title": "a", "message": "b"}, token=hq.stack.sign_in())

    for answer in (key, test):
        assert answer.status_code == 503
        assert answer.json()["error_code"] == "push_not_configured"
        assert "emocare vapid" in answer.json()["error"]
