"""Request and answer of the edge function, as the screens send and read them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from shared.errors import InvalidRequest, UnknownPlatform
from workers.ports import SiteCheck

_WORST_FIRST: Final = ("red", "amber", "green")


class PlatformMonitorRequest(BaseModel):
    """The body of a request; without a key, all platforms. What else a client sends is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    platform_key: str | None = None


def read_key(body: dict[str, JsonValue], known: Sequence[str]) -> str | None:
    """Read which platform is asked about; return None for all of them. Raises: InvalidRequest, UnknownPlatform."""
    try:
        key = PlatformMonitorRequest.model_validate(body).platform_key
    except ValidationError as error:
        raise InvalidRequest("platform_key is not a text.") from error
    if not key:
        return None
    if key not in known:
        raise UnknownPlatform(
            f"No site is configured for {key[:80]!r}.",
            sentence="Cette plateforme n'a pas de site surveillé. Choisissez-en une dans la liste.",
        )
    return key


def render(checks: Sequence[SiteCheck], now: datetime) -> dict[str, JsonValue]:
    """Render checks; there must be at least one."""
    states = [check.status for check in checks]
    times = [check.response_ms for check in checks if check.response_ms is not None]
    return {
        "success": True,
        "summary": {
            "checked_at": now.isoformat(),
            "overall_status": min(states, key=_WORST_FIRST.index),
            "platforms_total": len(checks),
            "platforms_green": states.count("green"),
            "platforms_amber": states.count("amber"),
            "platforms_red": states.count("red"),
            "avg_response_time_ms": round(sum(times) / len(times)) if times else 0,
            "platforms": [
                {
                    "key": check.platform_key,
                    "status": check.status,
                    "response_time_ms": check.response_ms,
                    "error": check.reason,
                }
                for check in checks
            ],
        },
        "details": [
            {
                "key": check.platform_key,
                "url": check.url,
                "status": check.status,
                "statusCode": check.status_code,
                "responseTime": check.response_ms,
                "error": check.reason,
                "checkedAt": check.checked_at.isoformat(),
            }
            for check in checks
        ],
    }
