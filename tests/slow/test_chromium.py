"""A real browser shows what a device is sent: Chromium, with a service worker that reads the fields of the page's.

The message is sent by a worker, received and decrypted by the stand-in of a push service, and delivered into the
browser over its own protocol, as its push service would.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import websockets
from support.hq import Hq
from support.notifications import device_settings, subscribe
from support.scripted_server import ScriptedServer, write

PAGE = b"<!doctype html><title>QG</title><script>navigator.serviceWorker.register('/sw.js')</script>"
# Reads title, body, icon, badge, tag, data.url and data.urgency, and shows them.
SERVICE_WORKER = b"""
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('push', (event) => {
  const {title, body, icon, badge, tag, data} = event.data.json();
  event.waitUntil(self.registration.showNotification(title, {
    body, icon, badge, tag, data: {url: data.url}, requireInteraction: ['high', 'critical'].includes(data.urgency),
  }));
});
"""
SHOWN = """
  navigator.serviceWorker.ready.then((registration) => registration.getNotifications()).then((shown) => JSON.stringify(
    shown.map(({title, body, tag, data, requireInteraction}) => ({title, body, tag, data, requireInteraction}))
  ))
"""


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Path]:
    """Start Debian's Chromium without a window; return the folder of its profile."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "devstack/install.sh browser installs it"
    profile = folder / "profile"
    # Without a desktop there is nobody to show a notification: the browser keeps it itself, where it is read back.
    options = ["--headless=new", "--disable-features=SystemNotifications", "--no-sandbox", "--no-first-run"]
    command = [program, *options, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as browser:
        try:
            yield profile
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, 9)


class DevTools:
    """One session of the DevTools protocol."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(20):
            while (answer := json.loads(await self._socket.recv())).get("id") != self._number:
                self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result


@contextlib.asynccontextmanager
async def devtools(profile: Path) -> AsyncIterator[DevTools]:
    """Speak with the browser as soon as it listens."""
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + 40
    while not file.exists() or len(file.read_text().splitlines()) < 2:
        assert time.monotonic() < deadline, "Chromium did not start"
        await asyncio.sleep(0.1)
    port, path = file.read_text().splitlines()
    async with websockets.connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as socket:
        yield DevTools(socket)


async def test_a_browser_shows_the_message_that_a_worker_sent(hq: Hq, tmp_path: Path) -> None:
    await subscribe(hq)
    await hq.worker(device_settings(hq), NOTIFY_SECONDS=0.3)
    details = json.dumps({"report": "Audit SEO", "platform": "Nearvity", "reason": "Crédits épuisés : rechargez."})
    hq.rows("select hq.announce_event('run_failed:1', 'run_failed', %s::jsonb)", details)
    await hq.until("select from hq.deliveries where status = 'accepted'")
    payload = (await hq.vendors.calls("push"))[-1]["body"]

    with chromium(tmp_path) as profile:
        shown = await _show(profile, payload)

    assert shown == [
        {
            "title": "Échec : Audit SEO (Nearvity)",
            "body": payload["body"],
            "tag": payload["tag"],
            "data": {"url": "/hq/historique"},
            "requireInteraction": True,
        }
    ]
    assert "Crédits épuisés : rechargez." in payload["body"]


async def _show(profile: Path, payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Deliver a message to a page's service worker; return the notifications that the browser shows."""
    async with ScriptedServer() as server, devtools(profile) as browser:
        server.usual = lambda heard: (
            write(200, SERVICE_WORKER, content_type="text/javascript")
            if heard.path == "/sw.js"
            else write(200, PAGE, content_type="text/html")
        )
        origin = server.url
        await browser.call("Browser.grantPermissions", permissions=["notifications"], origin=origin)
        target = (await browser.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await browser.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        await browser.call("ServiceWorker.enable", session)
        await browser.call("Page.navigate", session, url=f"{origin}/")
        ready = "navigator.serviceWorker.ready.then(() => 'ready')"
        await browser.call("Runtime.evaluate", session, expression=ready, awaitPromise=True)
        await browser.call("Runtime.evaluate", session, expression="1")
        (registration, *_) = [
            version["registrationId"]
            for event in browser.events
            if event.get("method") == "ServiceWorker.workerVersionUpdated"
            for version in event["params"]["versions"]
        ]

        # A browser that has just started may drop its first notification while it looks for a desktop that is not
        # there. A message that comes again replaces itself, by its tag.
        shown: list[dict[str, Any]] = []
        async with asyncio.timeout(30):
            while not shown:
                message = {"origin": f"{origin}/", "registrationId": registration, "data": json.dumps(payload)}
                await browser.call("ServiceWorker.deliverPushMessage", session, **message)
                await asyncio.sleep(0.5)
                said = await browser.call("Runtime.evaluate", session, expression=SHOWN, awaitPromise=True)
                shown = json.loads(said["result"]["value"])
    return shown
