"""The secrets of one stack: who may sign tokens, and the four API keys.

A hosted project signs its users' tokens with an elliptic curve key and still accepts the older shared secret, in
which the legacy `anon` and `service_role` keys are signed; the newer `sb_…` keys are opaque words that its gateway
exchanges for those. All of them are made once per data folder, so that a token outlives a restart.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

if TYPE_CHECKING:
    from pathlib import Path

Claims = dict[str, Any]

_TEN_YEARS = 10 * 365 * 24 * 3600


class TokenError(Exception):
    """A token that nobody here has signed, or that is no token at all."""


class ExpiredTokenError(TokenError):
    """A genuine token whose time is over."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Token has expired {seconds} seconds ago")


@dataclass(frozen=True)
class Keys:
    """What signs and opens one stack."""

    jwt_secret: str
    kid: str
    private_pem: str
    anon_key: str
    service_role_key: str
    publishable_key: str
    secret_key: str

    @classmethod
    def open(cls, folder: Path) -> Keys:
        """Read the keys of a data folder, making them first if it has none."""
        path = folder / "keys.json"
        if path.exists():
            return cls(**json.loads(path.read_text()))
        keys = cls.generate()
        staging = path.with_suffix(".new")
        with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(keys), file, indent=1)
        staging.replace(path)
        return keys

    @classmethod
    def generate(cls) -> Keys:
        """Make new keys."""
        secret = secrets.token_urlsafe(40)
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

        def legacy_key(role: str) -> str:
            now = int(time.time())
            claims = {"iss": "supabase", "ref": "devstack", "role": role, "iat": now, "exp": now + _TEN_YEARS}
            return jwt.encode(claims, secret, "HS256")

        return cls(
            jwt_secret=secret,
            kid=secrets.token_hex(8),
            private_pem=pem.decode(),
            anon_key=legacy_key("anon"),
            service_role_key=legacy_key("service_role"),
            publishable_key=f"sb_publishable_{secrets.token_urlsafe(24)}",
            secret_key=f"sb_secret_{secrets.token_urlsafe(24)}",
        )

    @cached_property
    def gateway_keys(self) -> dict[str, str]:
        """The token that each of the four API keys stands for."""
        return {
            self.anon_key: self.anon_key,
            self.service_role_key: self.service_role_key,
            self.publishable_key: self.anon_key,
            self.secret_key: self.service_role_key,
        }

    @cached_property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.private_pem.encode(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    @cached_property
    def public_jwk(self) -> dict[str, Any]:
        """The public half of the signing key, as the JWKS endpoint shows it."""
        jwk = ECAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "alg": "ES256", "use": "sig", "key_ops": ["verify"], "ext": True}

    @property
    def verifying_jwks(self) -> dict[str, Any]:
        """Everything PostgREST needs to verify a token: the public key and the legacy secret."""
        encoded = jwt.utils.base64url_encode(self.jwt_secret.encode()).decode()
        return {"keys": [self.public_jwk, {"kty": "oct", "k": encoded, "alg": "HS256"}]}

    def sign(self, claims: Claims) -> str:
        """Sign a user's token as Auth does."""
        return jwt.encode(claims, self._private, "ES256", headers={"kid": self.kid})

    def sign_legacy(self, claims: Claims) -> str:
        """Sign a token with the shared secret, as projects did before they had a signing key."""
        return jwt.encode(claims, self.jwt_secret, "HS256")

    def sign_bytes(self, payload: bytes, *, algorithm: str | None = "ES256", **header: Any) -> str:  # noqa: ANN401
        """Sign whatever a token may hold, with the project's keys: what Auth itself would never sign."""
        key = self._private if algorithm == "ES256" else self.jwt_secret
        named = {"kid": self.kid} if algorithm == "ES256" else {}
        return jwt.PyJWS().encode(payload, key if algorithm else "", algorithm, headers=named | header)

    def verify(self, token: str) -> Claims:
        """Return the claims of a token that one of our keys signed and that is still valid.

        Raises: ExpiredTokenError, TokenError.
        """
        try:
            algorithm = jwt.get_unverified_header(token).get("alg")
            key = self._private.public_key() if algorithm == "ES256" else self.jwt_secret
            return jwt.decode(token, key, ["ES256" if algorithm == "ES256" else "HS256"], _OPTIONS)
        except jwt.ExpiredSignatureError:
            claims = jwt.decode(token, options={"verify_signature": False})
            raise ExpiredTokenError(int(time.time()) - int(claims["exp"])) from None
        except jwt.PyJWTError as error:
            raise TokenError(str(error)) from error


_OPTIONS: Any = {"verify_aud": False, "verify_sub": False, "verify_iat": False}
