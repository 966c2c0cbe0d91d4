"""Web searches: the question that the registry holds for the run type is sent, and nothing else.

A query contains none of the caller's context, and no figure or name of the company: the search provider learns what
kind of report we write, never what is in it.
"""

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Final

import httpx
from pydantic import Field, JsonValue, OnErrorOmit, TypeAdapter

from shared.findings import Collected, Finding
from shared.language_models import Price
from shared.registry import Search, SourceName
from shared.untrusted_text import clean_line, clean_text, drop_thoughts, shorten
from workers.outbound.shapes import ForeignModel
from workers.outbound.usage import read_usage
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.settings import PerplexitySettings
from workers.sources.gaps import label_of
from workers.sources.vendor import Vendor

_DEADLINE: Final = timedelta(seconds=19)  # just within the source's own: a search takes time, and is paid for
_MAX_BYTES: Final = 512 * 1024
_MAX_TOKENS: Final = 900
_CITATIONS: Final = 8
_CITATIONS_CHARS: Final = 1_400
_ADDRESS_CHARS: Final = 300
# With any other ending, or none, the text may break off in mid-sentence.
_WHOLE: Final = frozenset({"stop", "end_turn", "eos"})
_TEXT_PARTS: Final = frozenset({"text", "output_text"})
_CUT_NOTE: Final = "\n[… la réponse de Perplexity s'arrête avant sa fin : elle est incomplète]"
_SYSTEM: Final = (
    "Vous êtes documentaliste. Répondez en français par des faits vérifiables, datés, chacun avec sa source ; "
    "dites ce que vous n'avez pas trouvé. Ni conseil, ni introduction."
)
# List prices of sonar-pro, November 2026: for tokens, and for the request by how much the search read.
_PRICE: Final = Price(Decimal("3.00"), Decimal("3.00"), Decimal("15.00"))
_FEES: Final = {"low": Decimal("0.006"), "medium": Decimal("0.010"), "high": Decimal("0.014")}


class _Part(ForeignModel):
    text_chars: ClassVar[int] = _MAX_BYTES

    type: str = "text"
    text: str = ""


class _Message(ForeignModel):
    text_chars: ClassVar[int] = _MAX_BYTES  # cut to what a prompt holds before anything else is awaited

    content: str | list[OnErrorOmit[_Part]]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return drop_thoughts(self.content).strip()
        return drop_thoughts("".join(part.text for part in self.content if part.type in _TEXT_PARTS)).strip()


class _Choice(ForeignModel):
    message: _Message
    finish_reason: str | None = None


class _Result(ForeignModel):
    url: str
    title: str = ""
    date: str = ""


class _Answer(ForeignModel):
    choices: list[OnErrorOmit[_Choice]] = Field(min_length=1)
    citations: list[OnErrorOmit[str]] = Field(default=[])
    search_results: list[OnErrorOmit[_Result]] = Field(default=[])


_ANSWER: Final = TypeAdapter(_Answer)
_ANYTHING: Final = TypeAdapter[JsonValue](JsonValue)


class PerplexitySource:
    """Asks the web what the run type wants to know.

    Shape: one Finding, the numbered sources under the text.
    Cost: one request, a few cents; the cost stated in an answer is recorded at once, even if we cannot use the answer.
    Source: Perplexity's /chat/completions.
    """

    name: Final[str] = SourceName.PERPLEXITY.value

    def __init__(
        self, http: httpx.AsyncClient, settings: PerplexitySettings, *, eur_per_usd: float, clock: Clock
    ) -> None:
        self._vendor = Vendor(
            http,
            name="Perplexity",
            base_url=settings.base_url,
            key=settings.key,
            variable="PERPLEXITY_API_KEY",
            clock=clock,
        )
        self._model = settings.model
        self._eur_per_usd = Decimal(str(eur_per_usd))
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        search = subject.run_type.search
        if search is None:
            return Collected()
        return Collected(findings=(await self._search(search, subject),))

    async def _search(self, search: Search, subject: Subject) -> Finding:
        question: dict[str, JsonValue] = {
            "model": self._model,
            "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": search.query}],
            "search_recency_filter": search.recency.value,
            "max_tokens": _MAX_TOKENS,
            "temperature": 0.2,
        }
        reply = await self._vendor.post("/chat/completions", question, within=_DEADLINE, max_bytes=_MAX_BYTES)
        self._note_cost(subject, self._vendor.parse(_ANYTHING, reply), reply.headers)
        answer = self._vendor.parse(_ANSWER, reply)
        choice = answer.choices[0]
        text = choice.message.text
        if not text:
            raise self._vendor.unreadable("Perplexity's answer is empty")
        cited = _read_citations(answer)
        listed = "\n".join(f"[{number}] {line}" for number, line in enumerate(cited.values(), start=1))
        is_whole = (choice.finish_reason or "").lower() in _WHOLE
        tail = "" if is_whole else _CUT_NOTE
        tail += f"\nSources citées :\n{shorten(listed, _CITATIONS_CHARS)}" if cited else ""
        return Finding(
            source=self.name,
            label=label_of(self.name),
            text=clean_text(text, SOURCE_TEXT_CHARS - len(tail)) + tail,
            data={
                "question": search.query,
                "recency": search.recency.value,
                "model": self._model,
                "citations": list(cited),
                "is_whole": is_whole,
            },
            url=next(iter(cited), None),
            read_at=self._clock.now(),
        )

    def _note_cost(self, subject: Subject, body: JsonValue, headers: httpx.Headers) -> None:
        usage = read_usage(
            body,
            headers,
            model=self._model,
            eur_per_usd=self._eur_per_usd,
            prompt_chars=len(_SYSTEM) + 400,
            answer_chars=4 * _MAX_TOKENS,
            price=_PRICE._replace(per_call=_read_fee(body)),
        )
        subject.meter.add(usage.model_copy(update={"search_cost_eur": usage.cost_eur}))


def _read_fee(body: JsonValue) -> Decimal:
    """Return the list fee of the request, in dollars; the highest if the answer does not state how much it read."""
    usage = body.get("usage") if isinstance(body, dict) else None
    size = usage.get("search_context_size") if isinstance(usage, dict) else None
    dearest = max(_FEES.values())
    return _FEES.get(size, dearest) if isinstance(size, str) else dearest


def _read_citations(answer: _Answer) -> dict[str, str]:
    """Return each cited address once, in order, with the line that describes it."""
    cited: dict[str, str] = {}
    results = [result for result in answer.search_results if is_web_address(result.url)]
    for result in results or [_Result(url=url) for url in answer.citations if is_web_address(url)]:
        if len(cited) == _CITATIONS:
            break
        title = " — ".join(filter(None, (clean_line(result.title, 100), clean_line(result.date, 20))))
        cited.setdefault(result.url, f"{title} : {result.url}" if title else result.url)
    return cited


def is_web_address(text: str) -> bool:
    """Return whether an untrusted text is a complete web address and nothing else."""
    if len(text) > _ADDRESS_CHARS or not text.isascii() or not text.isprintable() or set(text) & set(' <>"`\\'):
        return False
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and "." in url.host and not url.userinfo
