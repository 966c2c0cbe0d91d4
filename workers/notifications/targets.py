"""What a channel is known by: its address without its secrets, so that a new password is no new channel.

Only addresses that differ in nothing but their secrets are told apart by these, and never by their order: what waits
for one must not leave by the other when somebody sorts the list.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import SecretStr

# What the query says about the manner of sending, not about who receives it.
_MANNERS: Final = frozenset({"cto", "format", "optional", "overflow", "redirect", "retry", "rto", "verify", "wait"})
_SECRET: Final = re.compile(r"auth|cookie|credential|jwt|key|pass|pwd|secret|session|sig|token", re.IGNORECASE)
# So few of its bits say next to nothing of a secret, and tell a handful of channels apart.
_SECRET_DIGITS: Final = 4


def name_targets(addresses: Sequence[tuple[SecretStr, Any]]) -> list[str]:
    """Return what each of the addresses, with Apprise's service for it, is known by."""
    plain = [_digest(_mask(url.get_secret_value(), service)) for url, service in addresses]
    shared = Counter(plain)
    exact = [
        name if shared[name] == 1 else f"{name}:{_digest(url.get_secret_value())[:_SECRET_DIGITS]}"
        for name, (url, _) in zip(plain, addresses, strict=True)
    ]
    # The very same address twice: either may take what waits for the other.
    seen: Counter[str] = Counter()
    targets: list[str] = []
    for name in exact:
        seen[name] += 1
        targets.append(f"channel:{name}" if seen[name] == 1 else f"channel:{name}:{seen[name]}")
    return targets


def _mask(url: str, service: Any) -> str:  # noqa: ANN401 - the library's
    """Return an address without its secrets, and its query as the operator wrote it, in any order."""
    address = str(service.url(privacy=True)).partition("?")[0]
    fields = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    kept = sorted((name, "" if _SECRET.search(name) else value) for name, value in fields if name not in _MANNERS)
    return f"{address}?{kept}" if kept else address


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
