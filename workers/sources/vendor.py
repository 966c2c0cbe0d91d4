"""A paid vendor that is called by POST: once, within its deadline, and not again before its rate limit has ended.

A call that may have been billed is not repeated automatically: what a vendor refuses becomes a gap.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

import httpx
from pydantic import HttpUrl, JsonValue, SecretStr, TypeAdapter

from shared.errors import SourceError, SourceNotConfigured, SourceRejected, SourceUnavailable
from shared.french import format_hour
from workers import outbound
from workers.outbound.rate_limit import RateLimitHold
from workers.outbound.waits import read_wait
from workers.ports import Clock
from workers.sources.gaps import SourceTimedOut

T = TypeVar("T")


class Vendor:
    """One vendor's API.

    Concurrency: safe to share; a limit met by one call holds back the others.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        name: str,
        base_url: HttpUrl,
        key: SecretStr | None,
        variable: str,
        clock: Clock,
    ) -> None:
        self.name: Final = name
        self._http = http
        self._base_url = str(base_url).rstrip("/")
        self._key = key
        self._variable = variable
        self._clock = clock
        self._hold = RateLimitHold(clock)

    def require_key(self) -> SecretStr:
        """Return the key. Raises: SourceNotConfigured naming the variable that is missing."""
        if self._key is None:
            raise SourceNotConfigured(
                f"{self._variable} is not set",
                sentence=f"{self.name} n'est pas configuré : la clé {self._variable} manque. "
                "Renseignez-la pour inclure ces données.",
            )
        return self._key

    async def post(
        self, path: str, body: Mapping[str, JsonValue], *, within: timedelta, max_bytes: int
    ) -> outbound.Response:
        """Ask once; return a 200, to be parsed before anything is awaited.

        Raises: SourceNotConfigured, SourceUnavailable (worth retrying later), SourceRejected.
        """
        key = self.require_key()
        if (end := self._hold.find_end()) is not None:
            raise self._limited(end)
        try:
            reply = await outbound.call(
                self._http,
                "POST",
                f"{self._base_url}{path}",
                within=within,
                max_bytes=max_bytes,
                json=dict(body),
                headers={"authorization": f"Bearer {key.get_secret_value()}"},
            )
        except outbound.CallFailed as error:
            raise self._explain(error) from error
        if reply.status == httpx.codes.OK:
            return reply
        if reply.status == httpx.codes.TOO_MANY_REQUESTS:
            wait = outbound.parse_retry_after(reply.headers, self._clock.now()) or _read_wait(reply)
            raise self._limited(self._hold.hold_for(wait or None))  # a wait of zero says nothing
        raise self._refusal(reply.status)

    def parse(self, shape: TypeAdapter[T], reply: outbound.Response) -> T:
        """Parse an answer. Raises: SourceUnavailable, which holds nothing of it."""
        try:
            return reply.parse(shape)
        except outbound.CallFailed as error:
            raise self._explain(error) from error

    def unreadable(self, message: str) -> SourceUnavailable:
        """Return the error for an answer of an unexpected shape."""
        sentence = f"{self.name} a rendu une réponse illisible ; l'équipe technique doit la vérifier."
        return SourceUnavailable(message, sentence=sentence)

    def _explain(self, error: outbound.CallFailed) -> SourceError:
        if error.fault is outbound.Fault.GARBLED:
            return self.unreadable(str(error))
        late = error.fault is outbound.Fault.TIMED_OUT
        sentence = f"{self.name} ne répond pas. Relancez plus tard pour inclure ces données."
        return (SourceTimedOut if late else SourceUnavailable)(str(error), sentence=sentence)

    def _limited(self, end: datetime) -> SourceUnavailable:
        sentence = f"{self.name} limite nos appels. Ces données reviendront à {format_hour(end)} ; relancez ensuite."
        return SourceUnavailable(f"{self.name}'s limit holds until {end.isoformat()}", sentence=sentence)

    def _refusal(self, status: int) -> SourceError:
        message = f"{self.name} answered {status}"
        match status:
            case 401 | 403:
                sentence = f"{self.name} refuse la clé {self._variable} : elle est fausse, expirée ou sans crédit."
            case 402:
                sentence = f"Le crédit {self.name} est épuisé. Rechargez le compte pour inclure ces données."
            case 408:
                sentence = f"{self.name} n'a pas pu répondre à temps. Relancez plus tard pour inclure ces données."
                return SourceTimedOut(message, sentence=sentence)
            case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                sentence = f"{self.name} est en panne pour le moment. Relancez plus tard pour inclure ces données."
                return SourceUnavailable(message, sentence=sentence)
            case _:
                sentence = f"{self.name} a refusé la lecture (code {status}) ; l'équipe technique doit la vérifier."
        return SourceRejected(message, sentence=sentence)


def _read_wait(reply: outbound.Response) -> timedelta | None:
    try:
        return read_wait(reply.json())
    except outbound.CallFailed:
        return None  # a proxy's page
