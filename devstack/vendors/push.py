"""The stand-in of a push service (RFC 8030) and of the browser behind it: ``/push/subscribe``, ``/push/send/…``.

A subscription is its own address: the browser's private key, its secret, and whose messages it takes are in the path.
So what is sent is checked as a service checks it (VAPID, RFC 8292), and opened as a browser opens it (RFC 8291); what
was received is then listed as the browser saw it.
"""

import base64
import binascii
import hashlib
import json
import os
import re
import time
from typing import Any

import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from devstack.vendors.stage import Request, Response, Step

_MOST_BYTES = 4096
_KEY_BYTES, _SECRET_BYTES, _OWNER_BYTES = 32, 16, 16
_ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "the VAPID credentials do not match those of the subscription",
    404: "Not Found",
    410: "push subscription has unsubscribed or expired",
    413: "Payload too large",
    429: "Too Many Requests",
}


def answer(request: Request, step: Step) -> Response:
    """Answer as a push service does; put what the browser reads in the place of what was sent."""
    del step
    if request.path == "/subscribe" and isinstance(request.body, dict):
        return Response(201, _subscribe(request))
    if not request.path.startswith("/send/"):
        return error(404)
    try:
        token = _decode(request.path.removeprefix("/send/"))
    except ValueError:
        return error(404)
    if len(token) != _KEY_BYTES + _SECRET_BYTES + _OWNER_BYTES:
        return error(404)
    status = _check(request, token)
    return Response(status, None, {"location": f"/message/{hash(token)}"}) if status == 201 else error(status)


def error(status: int) -> Response:
    """Say no."""
    return Response(status, {"message": _ERRORS.get(status, "Internal Server Error")})


def _subscribe(request: Request) -> dict[str, Any]:
    key, secret = ec.generate_private_key(ec.SECP256R1()), os.urandom(_SECRET_BYTES)
    owner = _fingerprint(_decode(str(request.body["applicationServerKey"])))
    token = key.private_numbers().private_value.to_bytes(_KEY_BYTES, "big") + secret + owner
    endpoint = f"http://{request.headers['host']}/push/send/{_encode(token)}"
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return {"endpoint": endpoint, "keys": {"p256dh": _encode(point), "auth": _encode(secret)}}


def _check(request: Request, token: bytes) -> int:
    headers = request.headers
    if headers.get("content-encoding") != "aes128gcm" or not headers.get("ttl", "").isdecimal():
        return 400
    if headers.get("urgency", "normal") not in {"very-low", "low", "normal", "high"}:
        return 400
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", headers.get("topic", "none")):
        return 400
    status = _check_sender(request, token[_KEY_BYTES + _SECRET_BYTES :])
    if status != 201:
        return status
    sent = base64.b64decode(request.body)
    if len(sent) > _MOST_BYTES:
        return 413
    key = ec.derive_private_key(int.from_bytes(token[:_KEY_BYTES], "big"), ec.SECP256R1())
    secret = token[_KEY_BYTES : _KEY_BYTES + _SECRET_BYTES]
    request.body = json.loads(http_ece.decrypt(sent, private_key=key, auth_secret=secret, version="aes128gcm"))
    return 201


def _check_sender(request: Request, owner: bytes) -> int:
    given = re.fullmatch(
        r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+),\s*k=([\w-]+)", request.headers.get("authorization", "")
    )
    if given is None:
        return 401
    head, claims, signature, key = given.groups()
    try:
        point = _decode(key)
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        raw = _decode(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        public.verify(encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        said = json.loads(_decode(claims))
    except (ValueError, InvalidSignature):
        return 403
    is_valid = (
        _fingerprint(point) == owner
        and said.get("aud") == f"http://{request.headers['host']}"
        and time.time() < said.get("exp", 0) <= time.time() + 86_400
        and str(said.get("sub", "")).startswith(("mailto:", "https:"))
    )
    return 201 if is_valid else 403


def _fingerprint(point: bytes) -> bytes:
    return hashlib.sha256(point).digest()[:_OWNER_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as fault:
        raise ValueError(str(fault)) from fault
