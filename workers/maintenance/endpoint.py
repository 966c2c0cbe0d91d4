"""HTTP ↔ checks: for cron with its secret, or for the owner; without a configured secret cron is refused."""

from collections.abc import Awaitable, Callable

from pydantic import JsonValue, SecretStr

from shared.errors import CronNotConfigured, Unauthenticated
from workers.ports import Identity, Maintenance
from workers.web.exchange import Request, Response, identify_owner, is_same_secret

Answer = Callable[[], Awaitable[dict[str, JsonValue]]]


class CronEndpoint:
    """Answers cron and the owner alike; a body is not needed, and not read."""

    def __init__(self, answer: Answer, *, identity: Identity, secret: SecretStr | None) -> None:
        self._answer = answer
        self._identity = identity
        self._secret = secret

    async def __call__(self, request: Request) -> Response:
        """Answer. Raises: CallerError, CronNotConfigured, BackendError."""
        await self._refuse_others(request)
        return Response(await self._answer())

    async def _refuse_others(self, request: Request) -> None:
        given = request.headers.get("x-cron-secret")
        if given is None:
            await identify_owner(self._identity, request)
        elif self._secret is None:
            raise CronNotConfigured
        elif not is_same_secret(given, self._secret.get_secret_value()):
            raise Unauthenticated("X-Cron-Secret is wrong.")


async def retry_dead_letters() -> dict[str, JsonValue]:
    """Answer `retry-dlq-runs`: nothing is retried, because only a person retries a dead letter (hq.retry_run)."""
    return {"success": True, "processed": 0, "results": []}


async def check_budget(maintenance: Maintenance) -> dict[str, JsonValue]:
    """Answer `check-ai-budget`. Raises: BackendError."""
    return {"success": True, **(await maintenance.check_budget()).model_dump()}


async def check_push_triggers(maintenance: Maintenance) -> dict[str, JsonValue]:
    """Answer `check-push-triggers` with what the last look counted. Raises: BackendError."""
    found = await maintenance.look_for_push_triggers()
    details: dict[str, JsonValue] = {
        "failed_runs": found.failed_runs,
        "red_platforms": found.red_platforms,
        "stale_approvals": found.stale_approvals,
    }
    alerts = found.failed_runs + found.red_platforms + found.stale_approvals
    return {"checked": True, "alerts": alerts, "sent": found.sent, "details": details}
