"""Devices: Web Push (RFC 8030), encrypted for one browser (RFC 8291), signed by our VAPID key (RFC 8292).

An endpoint is an address from a table that others may write. So only https on port 443 of known push services is
called, at a public address that is looked up here and kept for the call, and no redirect is followed. What a library
does is encrypt and sign; the call is made by our own client.
"""

import asyncio
import base64
import hashlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import httpx
from http_ece import ECEException
from py_vapid import Vapid02
from pywebpush import WebPusher, WebPushException

from workers import outbound
from workers.notifications.messages import Notice, render_push
from workers.notifications.sentences import Urgency
from workers.ports import Clock, Device, SendOutcome, SendResult
from workers.settings import NotificationSettings

BROWSER_SERVICES: Final = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)

_HTTPS: Final = 443
_TTL: Final = timedelta(days=1)
_TOKEN_VALID: Final = timedelta(hours=12)  # a push service refuses more than 24 h
_TOPIC_CHARS: Final = 32
_URGENCIES: Final = {Urgency.LOW: "low", Urgency.MEDIUM: "normal", Urgency.HIGH: "high", Urgency.CRITICAL: "high"}
_GONE: Final = frozenset({404, 410})
_LATER: Final = frozenset({408, 425, 429})

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Look up a name: its addresses as text. Raises: OSError."""


class EndpointRefused(Exception):
    """An endpoint that is not called; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def resolve(host: str, port: int) -> list[str]:
    """Look a name up with the system's resolver. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def open_push_http() -> httpx.AsyncClient:
    """Open the client that calls push services.

    No connection is kept: it would be found by its address, and a name that has the same one did not prove itself.
    """
    return outbound.open_http(
        outbound.CancellableTransport(limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))
    )


class PushSender:
    """Sends messages to devices.

    Cost: one request per message, with a connection of its own.
    Concurrency: any number of calls.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        settings: NotificationSettings,
        *,
        clock: Clock,
        look_up: Resolve = resolve,
    ) -> None:
        assert settings.vapid_key is not None
        self._http = http
        self._clock = clock
        self._look_up = look_up
        self._vapid = Vapid02.from_raw(settings.vapid_key.get_secret_value().encode())
        self._subject = settings.vapid_subject
        self._hosts = BROWSER_SERVICES + tuple(name for name in settings.push_services if "://" not in name)
        self._origins = frozenset(name for name in settings.push_services if "://" in name)

    @property
    def public_key(self) -> str:
        """Return the key that browsers subscribe with: a point in base64url."""
        return export_public_key(self._vapid)

    async def send(self, device: Device, notice: Notice, *, within: timedelta) -> SendResult:
        """Send a message to a device."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._send(device, notice, within)
        except TimeoutError:
            return SendResult(SendOutcome.RETRY, "timed_out")
        except EndpointRefused as error:
            return SendResult(SendOutcome.REFUSED, error.code)
        except OSError:
            return SendResult(SendOutcome.RETRY, "not_found")
        except outbound.CallFailed as error:
            return SendResult(SendOutcome.RETRY, error.fault.name.lower())

    async def _send(self, device: Device, notice: Notice, within: timedelta) -> SendResult:
        url = self._check(device.endpoint)
        body = _encrypt(device, render_push(notice))
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        claims = {"aud": origin, "sub": self._subject, "exp": int((self._clock.now() + _TOKEN_VALID).timestamp())}
        topic = base64.urlsafe_b64encode(hashlib.sha256(notice.tag.encode()).digest()).decode()[:_TOPIC_CHARS]
        headers = {
            **self._vapid.sign(claims),
            "host": url.netloc.decode("ascii"),
            "content-type": "application/octet-stream",
            "content-encoding": "aes128gcm",
            "ttl": str(round(_TTL.total_seconds())),
            "urgency": _URGENCIES[notice.urgency],
            # A message that the service still holds is replaced by one of the same topic.
            "topic": topic,
        }
        address = str(url) if origin in self._origins else await self._pin(url)
        response = await outbound.call(
            self._http,
            "POST",
            address,
            within=within,
            max_bytes=0,
            content=body,
            headers=headers,
            follow_redirects=False,
            extensions={"sni_hostname": url.host},
        )
        return self._judge(response)

    def _check(self, endpoint: str) -> httpx.URL:
        """Read an endpoint. Raises: EndpointRefused."""
        try:
            url = httpx.URL(endpoint)
            origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise EndpointRefused("unreadable_endpoint") from error
        if url.userinfo or not url.host:
            raise EndpointRefused("unreadable_endpoint")
        if origin in self._origins:
            return url
        if url.scheme != "https" or url.port not in {None, _HTTPS}:
            raise EndpointRefused("not_https")
        if not any(_matches(url.host, service) for service in self._hosts):
            raise EndpointRefused("unknown_service")
        return url

    async def _pin(self, url: httpx.URL) -> str:
        """Return the endpoint with a public address in place of its name. Raises: EndpointRefused, OSError."""
        try:
            addresses = await self._look_up(url.host, _HTTPS)
        except UnicodeError as error:  # a part of the name is empty, or longer than DNS allows
            raise EndpointRefused("unreadable_endpoint") from error
        if not addresses:
            raise OSError
        if not all(_is_public(address) for address in addresses):
            raise EndpointRefused("private_address")
        return str(url.copy_with(host=addresses[0]))

    def _judge(self, response: outbound.Response) -> SendResult:
        status = response.status
        failure = f"http_{status}"
        if httpx.codes.is_success(status):
            return SendResult(SendOutcome.ACCEPTED)
        if status in _GONE:
            return SendResult(SendOutcome.GONE, failure)
        if status in _LATER or httpx.codes.is_server_error(status) or httpx.codes.is_redirect(status):
            wait = outbound.parse_retry_after(response.headers, self._clock.now())
            return SendResult(SendOutcome.RETRY, failure, wait)
        return SendResult(SendOutcome.REFUSED, failure)


def make_vapid_key() -> tuple[str, str]:
    """Make a key pair; return the private key and the public one, in base64url."""
    vapid = Vapid02()
    vapid.generate_keys()
    number = vapid.private_key.private_numbers().private_value
    private = base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
    return private, export_public_key(vapid)


def export_public_key(vapid: Vapid02) -> str:
    """Return a key pair's public half as browsers take it."""
    numbers = vapid.public_key.public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _encrypt(device: Device, payload: bytes) -> bytes:
    """Encrypt for a device. Raises: EndpointRefused where its keys are none."""
    keys = {"p256dh": device.p256dh, "auth": device.auth_key}
    try:
        encrypted: bytes = WebPusher({"endpoint": device.endpoint, "keys": keys}).encode(payload)["body"]
    except (WebPushException, ECEException, ValueError, TypeError, IndexError) as error:
        raise EndpointRefused("unreadable_keys") from error
    return encrypted


def _matches(host: str, service: str) -> bool:
    return host.endswith(service[1:]) if service.startswith("*.") else host == service


def _is_public(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return _is_public_v4(ip)
    if ip.ipv4_mapped is not None:
        return _is_public_v4(ip.ipv4_mapped)
    if ip in _TRANSLATED:
        return _is_public_v4(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    embedded = [inner for inner in (ip.sixtofour, *(ip.teredo or ())) if inner is not None]
    return ip in _UNICAST and ip.is_global and all(_is_public_v4(inner) for inner in embedded)


def _is_public_v4(ip: ipaddress.IPv4Address) -> bool:
    return ip.is_global and not ip.is_multicast and ip not in _PROTOCOLS


# Where a network has no IPv4 of its own, its translator reaches private addresses by this prefix too.
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
# All that is assigned for public use (RFC 4291); the rest may lead into a network that we are in.
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
# For protocols between a host and its network (RFC 6890); ipaddress takes some of them for global.
_PROTOCOLS: Final = ipaddress.IPv4Network("192.0.0.0/24")
