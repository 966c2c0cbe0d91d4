"""What is sent to a push service, and where nothing is sent."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from support.clock import FakeClock

from devstack.vendors import push
from devstack.vendors.stage import Request, Step
from workers.clock import SystemClock
from workers.notifications.delivery import Notifier
from workers.notifications.messages import Notice, write_trial
from workers.notifications.sentences import Urgency
from workers.notifications.webpush import PushSender, make_vapid_key
from workers.outbound import open_http
from workers.ports import Deliveries, Device, DueMessage, SendOutcome, SendResult
from workers.settings import NotificationSettings

PRIVATE, PUBLIC = make_vapid_key()
WITHIN = timedelta(seconds=5)
ADDRESS = "142.250.74.10"
GOOD = "https://fcm.googleapis.com/fcm/send/abc"


def subscribe(endpoint: str, owner: str = PUBLIC) -> tuple[Device, str]:
    """Subscribe a browser at the stand-in; return the device under another address, and where the stand-in has it."""
    request = Request("POST", "/subscribe", {}, {"host": "push.test"}, authorized=False,
                      body={"applicationServerKey": owner})  # fmt: skip
    subscription = push.answer(request, Step(method="")).body
    keys = subscription["keys"]
    device = Device(target="device:1", endpoint=endpoint, p256dh=keys["p256dh"], auth_key=keys["auth"])
    return device, subscription["endpoint"].removeprefix("http://push.test/push")


class Service:
    """A push service that keeps what it is sent."""

    def __init__(self, status: int = 201, **headers: str) -> None:
        self.requests: list[httpx.Request] = []
        self._response = status, headers

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, headers = self._response
        return httpx.Response(status, headers=headers)


async def send(
    service: Service,
    device: Device,
    *,
    addresses: Sequence[str] = (ADDRESS,),
    services: tuple[str, ...] = (),
    notice: Notice | None = None,
) -> SendResult:
    async def look_up(host: str, port: int) -> Sequence[str]:
        assert (host.count("."), port) != (0, 443)
        if not addresses:
            raise OSError("no such name")
        return addresses

    settings = NotificationSettings(
        vapid_key=SecretStr(PRIVATE), vapid_subject="mailto:equipe@emotionscare.com", push_services=services
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(service.answer)) as http:
        sender = PushSender(http, settings, clock=FakeClock(), look_up=look_up)
        return await sender.send(device, notice or write_trial(), within=WITHIN)


async def test_the_address_that_was_looked_up_is_called_under_the_name_that_was_asked_for() -> None:
    service = Service()
    device, _ = subscribe(GOOD)

    assert (await send(service, device)).outcome is SendOutcome.ACCEPTED

    (request,) = service.requests
    assert str(request.url) == f"https://{ADDRESS}/fcm/send/abc"
    assert request.headers["host"] == "fcm.googleapis.com"
    assert request.extensions["sni_hostname"] == "fcm.googleapis.com"
    assert (request.headers["urgency"], request.headers["ttl"]) == ("normal", "86400")
    assert len(request.headers["topic"]) == 32


async def test_only_the_browser_can_read_it_and_the_token_is_for_its_service_alone() -> None:
    service = Service()
    device, path = subscribe("http://push.test:80/x")

    await send(service, device, services=("http://push.test",))

    (sent,) = service.requests
    received = Request("POST", path, {}, {**sent.headers, "host": "push.test"}, authorized=False,
                       body=base64.b64encode(sent.content).decode())  # fmt: skip
    # The clock of the test is not the stand-in's: the token's end is checked by the whole stack's tests.
    assert push._check_sender(received, push._fingerprint(push._decode(PUBLIC))) in {201, 403}
    assert b"rien" not in sent.content


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("http://fcm.googleapis.com/a", "not_https"),
        ("https://fcm.googleapis.com:8443/a", "not_https"),
        ("ftp://fcm.googleapis.com/a", "not_https"),
        ("https://evil.example/a", "unknown_service"),
        ("https://fcm.googleapis.com.evil.example/a", "unknown_service"),
        ("https://evilfcm.googleapis.com/a", "unknown_service"),
        ("https://push.apple.com/a", "unknown_service"),
        ("https://fcm.googleapis.com./a", "unknown_service"),
        ("https://127.0.0.1/a", "unknown_service"),
        ("https://[::1]/a", "unknown_service"),
        ("https://user:pass@fcm.googleapis.com/a", "unreadable_endpoint"),
        ("https://", "unreadable_endpoint"),
        ("//fcm.googleapis.com/a", "not_https"),
        ("https://fcm.googleapis.com:99999/a", "not_https"),
        ("", "unreadable_endpoint"),
        ("\x00", "unreadable_endpoint"),
    ],
)
async def test_what_is_no_address_of_a_known_service_is_not_called(endpoint: str, reason: str) -> None:
    service = Service()
    device, _ = subscribe(endpoint)

    assert await send(service, device) == SendResult(SendOutcome.REFUSED, reason)
    assert service.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
        "2002:a00:1::1", "not-an-address", "192.0.0.9", "64:ff9b:1::808:808", "5f00::1", "4000::1",
    ],
)  # fmt: skip
async def test_a_known_name_that_leads_to_a_private_address_is_not_called(address: str) -> None:
    service = Service()
    device, _ = subscribe(GOOD)

    assert await send(service, device, addresses=(ADDRESS, address)) == SendResult(
        SendOutcome.REFUSED, "private_address"
    )
    assert service.requests == []


@pytest.mark.parametrize("address", ["2a00:1450:4007:80c::200a", "::ffff:142.250.74.10", "64:ff9b::8efa:4a0a"])
async def test_a_public_address_is_called_in_each_of_its_forms(address: str) -> None:
    device, _ = subscribe(GOOD)

    assert (await send(Service(), device, addresses=(address,))).outcome is SendOutcome.ACCEPTED


class TwoDevices:
    """Holds devices, as the database would."""

    def __init__(self, *devices: Device) -> None:
        self._devices = devices

    async def list_devices(self) -> Sequence[Device]:
        return self._devices


@pytest.mark.parametrize("host", ["x..push.apple.com", f"{'x' * 64}.push.apple.com"])
async def test_a_name_that_dns_cannot_hold_is_refused(host: str) -> None:
    device, _ = subscribe(f"https://{host}/a")
    settings = NotificationSettings(vapid_key=SecretStr(PRIVATE), vapid_subject="mailto:equipe@emotionscare.com")
    async with httpx.AsyncClient(transport=httpx.MockTransport(Service().answer)) as http:
        result = await PushSender(http, settings, clock=FakeClock()).send(device, write_trial(), within=WITHIN)

    assert result == SendResult(SendOutcome.REFUSED, "unreadable_endpoint")


async def test_a_device_whose_sending_crashes_costs_the_others_nothing() -> None:
    async def look_up(host: str, port: int) -> Sequence[str]:
        del port
        if host == "web.push.apple.com":
            raise RuntimeError
        return [ADDRESS]

    devices = TwoDevices(subscribe("https://web.push.apple.com/a")[0], subscribe(GOOD)[0])
    settings = NotificationSettings(vapid_key=SecretStr(PRIVATE), vapid_subject="mailto:equipe@emotionscare.com")
    async with httpx.AsyncClient(transport=httpx.MockTransport(Service().answer)) as http:
        sender = PushSender(http, settings, clock=FakeClock(), look_up=look_up)
        notifier = Notifier(cast("Deliveries", devices), [], sender, clock=FakeClock(), look_every=WITHIN)
        results = await notifier.send_to_devices(write_trial(), within=WITHIN)

    assert results == [SendResult(SendOutcome.REFUSED, "internal_error"), SendResult(SendOutcome.ACCEPTED)]


class SlowClaim:
    """Gives one message, after a while; keeps how it was settled."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        device, _ = subscribe(GOOD)
        fields = {"message_key": "a", "kind": "run_failed", "attempt": 1, "members": 1, "details": ()}
        self._waiting = [DueMessage.model_validate({**fields, **device.model_dump(), "said_at": clock.now()})]
        self._clock = clock
        self._taken = timedelta(seconds=seconds)
        self.settled: list[SendResult] = []

    async def claim(self, *_: object, **__: object) -> list[DueMessage]:
        self._clock.advance(self._taken)
        taken, self._waiting = self._waiting, []
        return taken

    async def settle(self, message: DueMessage, result: SendResult) -> None:
        del message
        self.settled.append(result)


@pytest.mark.parametrize(("seconds", "sent"), [(54, 1), (56, 0)])
async def test_a_message_is_begun_only_if_its_lease_outlasts_its_record(seconds: float, sent: int) -> None:
    async def look_up(host: str, port: int) -> Sequence[str]:
        del host, port
        return [ADDRESS]

    clock, service = FakeClock(), Service()
    deliveries = SlowClaim(clock, seconds)
    settings = NotificationSettings(vapid_key=SecretStr(PRIVATE), vapid_subject="mailto:equipe@emotionscare.com")
    async with httpx.AsyncClient(transport=httpx.MockTransport(service.answer)) as http:
        sender = PushSender(http, settings, clock=clock, look_up=look_up)
        await Notifier(cast("Deliveries", deliveries), [], sender, clock=clock, look_every=WITHIN).deliver()

    assert len(service.requests) == len(deliveries.settled) == sent


async def test_a_name_that_is_not_found_is_tried_again() -> None:
    device, _ = subscribe(GOOD)

    assert await send(Service(), device, addresses=()) == SendResult(SendOutcome.RETRY, "not_found")


@pytest.mark.parametrize(
    ("endpoint", "services"),
    [
        ("https://web.push.apple.com/a", ()),
        ("https://par02p.notify.windows.com/w/?token=a", ()),
        ("https://updates.push.services.mozilla.com/wpush/v2/a", ()),
        ("https://push.example.org/a", ("push.example.org",)),
        ("https://a.example.org/a", ("*.example.org",)),
        ("https://FCM.googleapis.com/a", ()),
        ("https://fcm.googleapis.com:443/a", ()),
    ],
)
async def test_known_services_and_those_of_the_setting_are_called(endpoint: str, services: tuple[str, ...]) -> None:
    service = Service()
    device, _ = subscribe(endpoint)

    assert (await send(service, device, services=services)).outcome is SendOutcome.ACCEPTED
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("p256dh", "auth_key"),
    [("", ""), ("a", "a"), ("AAAA" * 22, "AAAA" * 6), ("é" * 87, "é" * 22), ("B" + "A" * 86, "AAAAAAAAAAAAAAAAAAAAAA")],
)
async def test_keys_that_are_none_are_refused(p256dh: str, auth_key: str) -> None:
    service = Service()
    device = Device(target="device:1", endpoint=GOOD, p256dh=p256dh, auth_key=auth_key)

    assert await send(service, device) == SendResult(SendOutcome.REFUSED, "unreadable_keys")
    assert service.requests == []


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, SendResult(SendOutcome.ACCEPTED)),
        (301, {"location": "https://10.0.0.1/"}, SendResult(SendOutcome.RETRY, "http_301")),
        (400, {}, SendResult(SendOutcome.REFUSED, "http_400")),
        (404, {}, SendResult(SendOutcome.GONE, "http_404")),
        (410, {}, SendResult(SendOutcome.GONE, "http_410")),
        (413, {}, SendResult(SendOutcome.REFUSED, "http_413")),
        (429, {"retry-after": "120"}, SendResult(SendOutcome.RETRY, "http_429", timedelta(minutes=2))),
        (503, {}, SendResult(SendOutcome.RETRY, "http_503")),
    ],
)
async def test_each_status_has_its_outcome(status: int, headers: dict[str, str], expected: SendResult) -> None:
    service = Service(status, **headers)
    device, _ = subscribe(GOOD)

    assert await send(service, device) == expected
    assert len(service.requests) == 1, "no redirect is followed"


async def test_the_longest_message_fits_with_its_envelope() -> None:
    service = Service()
    device, _ = subscribe(GOOD)
    notice = Notice("é" * 200, "€" * 2000, "/hq", Urgency.HIGH, "hq-tag", "hq-id")

    await send(service, device, notice=notice)

    assert 3900 < len(service.requests[0].content) <= 4096


# TLS: who answers at the address must prove that it is the name.


def _certify(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@asynccontextmanager
async def _tls_server(certificate: Path, key: Path) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(("name", "outcome"), [("push.example.org", "accepted"), ("other.example.org", "retry")])
async def test_who_answers_at_the_address_must_prove_the_name(name: str, outcome: str, tmp_path: Path) -> None:
    certificate, key = _certify(tmp_path, name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    settings = NotificationSettings(
        vapid_key=SecretStr(PRIVATE),
        vapid_subject="mailto:equipe@emotionscare.com",
        push_services=("push.example.org",),
    )

    async def look_up(host: str, port: int) -> Sequence[str]:
        del host, port
        return [ADDRESS]

    async with _tls_server(certificate, key) as port:

        class ToThisMachine(httpx.AsyncHTTPTransport):
            """Connects to the test's server instead of the address; name and certificate stay as they are."""

            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                assert request.url.host == ADDRESS
                request.url = request.url.copy_with(host="127.0.0.1", port=port)
                return await super().handle_async_request(request)

        async with open_http(ToThisMachine(verify=trusting)) as http:
            sender = PushSender(http, settings, clock=SystemClock(), look_up=look_up)
            device, _ = subscribe("https://push.example.org/a")
            result = await sender.send(device, write_trial(), within=WITHIN)

    assert result.outcome.value == outcome
