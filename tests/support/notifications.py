"""Who receives messages: a mailbox, a webhook, a browser's subscription; and the keys to reach it."""

import asyncio
import time
from email.message import EmailMessage

import httpx

from devstack.mailbox import Mailbox
from devstack.stack import OWNER_EMAIL
from support.hq import Hq
from workers.notifications.webpush import make_vapid_key

PRIVATE_KEY, PUBLIC_KEY = make_vapid_key()
SUBJECT = "mailto:equipe@emotionscare.com"


async def wait_for_mail(mailbox: Mailbox, messages: int, within: float = 20) -> list[EmailMessage]:
    """Return what came as soon as there are so many."""
    deadline = time.monotonic() + within
    while len(found := mailbox.read()) < messages:
        assert time.monotonic() < deadline, f"{len(found)} messages in {within} s"
        await asyncio.sleep(0.05)
    return found


async def subscribe(hq: Hq, public_key: str = PUBLIC_KEY) -> str:
    """Subscribe a browser of the owner, as the page does; return its endpoint."""
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{hq.vendors.base_url}/push/subscribe", json={"applicationServerKey": public_key})
    subscription = response.raise_for_status().json()
    hq.rows(
        "insert into hq.push_subscriptions (user_id, endpoint, p256dh, auth_key)"
        " select u.id, %s, %s, %s from auth.users as u where u.email = %s returning id",
        subscription["endpoint"],
        subscription["keys"]["p256dh"],
        subscription["keys"]["auth"],
        OWNER_EMAIL,
    )
    return str(subscription["endpoint"])


def device_settings(hq: Hq) -> dict[str, str]:
    """Return the settings with which workers reach the stand-in's devices."""
    return {"VAPID_PRIVATE_KEY": PRIVATE_KEY, "VAPID_SUBJECT": SUBJECT, "PUSH_SERVICES": hq.vendors.base_url}
