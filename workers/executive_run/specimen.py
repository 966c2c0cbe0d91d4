"""A made-up company to write reports about: what `emocare eval` asks real models with, instead of our own data.

Every figure is a fact, so that what a model makes of them can be judged; a run type gets those of its own sources.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from shared.fact_labels import FACT_LABELS, format_value
from shared.facts import COUNT, PERCENT, Fact, FactName, make_facts
from shared.findings import Gap, GapReason
from shared.registry import RunType
from workers.executive_run.verification.lexicon import SOURCES
from workers.executive_run.verification.model import Grounds, NumberedSource
from workers.ports import Platform

PLATFORMS: Final = tuple(
    Platform(key=key, name=name, status=status)
    for key, name, status in (
        ("atelier", "Atelier Calme", "green"),
        ("boussole", "Boussole Santé", "amber"),
        ("carnet", "Carnet de Garde", "green"),
    )
)
_COLOURS: Final = {"green": "vert", "amber": "orange", "red": "rouge"}
_PER_PLATFORM: Final = frozenset({"github", "github_actions", "github_alerts", "platforms"})
_OF_THE_COMPANY: Final = frozenset(
    {FactName.PLATFORMS, FactName.PLATFORMS_GREEN, FactName.PLATFORMS_AMBER, FactName.PLATFORMS_RED}
)
_WEB: Final = (
    "Deux annonces de la semaine : un guide d'évaluation des applications de santé mentale en 42 critères, et un "
    "concurrent qui affiche 9,99 euros par mois."
)
_STEP: Final = 37


def make_grounds(run_type: RunType, *, now: datetime, answered: bool = True) -> Grounds:
    """Make the grounds of a run type about the made-up company; or those of a day on which no source answers."""
    names = [source.value for source in run_type.sources]
    sources = [source for name in names for source in _describe(name, now)] if answered else []
    return Grounds(
        run_type=run_type,
        platform_key=None,
        platforms=PLATFORMS,
        sources=tuple(source.model_copy(update={"number": number}) for number, source in enumerate(sources, start=1)),
        calculations=None,
        gaps=() if answered else tuple(_missing(name) for name in names),
        now=now,
    )


def _describe(name: str, now: datetime) -> list[NumberedSource]:
    if name not in SOURCES:
        return [_block(name, name.capitalize(), _WEB, (), now, None)]
    if name not in _PER_PLATFORM:
        facts = _invent(name, None, 0, now)
        return [_block(name, name.replace("_", " ").capitalize(), _list(facts), facts, now, None)]
    blocks = []
    for place, platform in enumerate(PLATFORMS, start=1):
        facts = _invent(name, platform.key, place, now)
        status = f"- statut {_COLOURS[platform.status]}\n" if name == "platforms" else ""
        title = f"{name.replace('_', ' ').capitalize()} · {platform.name}"
        blocks.append(_block(name, title, status + _list(facts), facts, now, platform.key))
    return blocks


def _invent(source: str, subject: str | None, place: int, now: datetime) -> tuple[Fact, ...]:
    """Invent a value for each fact of a source: always the same one, and no two alike."""
    names = SOURCES[source] - (_OF_THE_COMPANY if subject else frozenset())
    values: dict[FactName, Decimal | float | None] = {
        name: _value(name, 1 + _STEP * place + 3 * number) for number, name in enumerate(sorted(names))
    }
    return make_facts(values, source=source, at=now, subject=subject, currency="EUR")


def _value(name: FactName, seed: int) -> Decimal:
    if name.unit is None:
        return Decimal(seed * 131) + Decimal(seed % 97) / 100
    if name.unit == PERCENT:
        return Decimal(seed % 100) + Decimal(seed % 89) / 100
    return Decimal(seed) if name.unit == COUNT else Decimal(seed * 2)


def _list(facts: tuple[Fact, ...]) -> str:
    return "\n".join(f"- {FACT_LABELS[fact.name]} : {format_value(fact.value, fact.unit)}" for fact in facts)


def _block(
    source: str, label: str, text: str, facts: tuple[Fact, ...], now: datetime, platform_key: str | None
) -> NumberedSource:
    read_at = now - timedelta(minutes=2)
    return NumberedSource(
        number=0, source=source, label=label, text=text, facts=facts, platform_key=platform_key, read_at=read_at
    )


def _missing(source: str) -> Gap:
    label = source.replace("_", " ").capitalize()
    return Gap(source=source, label=label, reason=GapReason.UNAVAILABLE, sentence=f"{label} : pas de réponse.")
