"""What changed since an earlier moment: facts of now against facts that were kept. Pure.

A change is stated only within one unit and one set of platforms, against a value that was seen at most 36 hours
before the moment; otherwise it is absent. Facts ride to the database in one row of evidence, which SQL unpacks.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from shared.fact_labels import FACT_LABELS, format_difference, format_value
from shared.facts import Change, Fact, Lookback
from shared.french import format_change, format_day
from shared.registry import SourceName
from shared.runs import EvidenceRecord
from workers.executive_run.calculation_lines import MOST_TIMES
from workers.ports import EarlierFact

FACTS_EVIDENCE: Final = "facts"
"""The type of the row of evidence that SQL unpacks into ``hq.report_facts``."""

MOST_FACTS: Final = 200
FARTHEST: Final = timedelta(hours=36)
CHANGES_CHARS: Final = 4_000

# What these sources say of the whole company depends on which platforms there are.
_COUNT_PLATFORMS: Final = frozenset(
    {SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ACTIONS, SourceName.GITHUB_ALERTS}
)
_SPANS: Final = {
    Lookback.DAY: timedelta(days=1),
    Lookback.WEEK: timedelta(days=7),
    Lookback.MONTH: timedelta(days=30),
}
_TITLES: Final = {
    Lookback.REPORT: "Depuis le rapport précédent",
    Lookback.DAY: "En 24 heures",
    Lookback.WEEK: "En 7 jours",
    Lookback.MONTH: "En 30 jours",
}
_SCOPE_CHANGED: Final = "périmètre changé (ce ne sont plus les mêmes plateformes) : pas de comparaison"


def record_facts(
    facts: Iterable[Fact], *, platform_keys: Sequence[str], platform_key: str | None
) -> EvidenceRecord | None:
    """Render the facts of a report as its one row of evidence; None where there are none.

    Shape: at most 200 facts, one of each name, subject and unit: the first; the company's before a platform's.
    ``platform_keys``: the platforms that the report read; ``platform_key``: the one that it is about, None: all.
    """
    kept: dict[tuple[str, str | None, str], Fact] = {}
    for fact in facts:
        if _is_comparable(fact, platform_key):
            kept.setdefault((fact.name, fact.subject, fact.unit), fact)
    rows = [
        {
            "name": fact.name.value,
            "subject": fact.subject,
            "value": f"{fact.value:f}",
            "unit": fact.unit,
            "at": fact.at.isoformat(),
            "source": fact.source,
            "scope": scope_of(fact, platform_keys),
        }
        for fact in sorted(kept.values(), key=lambda fact: fact.subject is not None)[:MOST_FACTS]
    ]
    if not rows:
        return None
    return EvidenceRecord(evidence_type=FACTS_EVIDENCE, data={"facts": list(rows)}, source_url=None)


def scope_of(fact: Fact, platform_keys: Sequence[str]) -> str:
    """Return a fingerprint of the platforms that a fact was counted on; empty for one that depends on no set."""
    if fact.subject is not None or fact.source not in _COUNT_PLATFORMS:
        return ""
    return hashlib.sha256("\n".join(sorted(platform_keys)).encode()).hexdigest()[:12]


def find_changes(
    facts: Iterable[Fact],
    earlier: Iterable[EarlierFact],
    *,
    platform_keys: Sequence[str],
    platform_key: str | None,
) -> tuple[Change, ...]:
    """Compare the facts of now with earlier ones: since the report before first, then by 24 hours, 7 and 30 days.

    Shape: only what differs, or cannot be compared because the set of platforms changed.
    """
    now = {(fact.name.value, fact.subject, fact.unit, fact.source): fact for fact in reversed(tuple(facts))}
    order = {key: place for place, key in enumerate(reversed(now))}
    changes = []
    for old in earlier:
        key = (old.name, old.subject, old.unit, old.source)
        fact = now.get(key)
        if fact is None or not _is_comparable(fact, platform_key) or not _is_near(fact, old):
            continue
        same_scope = old.scope == scope_of(fact, platform_keys)
        if not same_scope or old.value != fact.value:
            before = old.value if same_scope else None
            changes.append((key, Change(fact=fact, lookback=old.lookback, before=before, before_at=old.at)))
    ranks = list(Lookback)
    changes.sort(key=lambda pair: (ranks.index(pair[1].lookback), order[pair[0]]))
    return tuple(change for _, change in changes)


def render_changes(changes: Sequence[Change]) -> str:
    """Render changes as a block of the prompt, in French, at most 4,000 characters; empty where there are none."""
    lines: list[str] = []
    left = CHANGES_CHARS
    for lookback, title in _TITLES.items():
        described = [describe_change(change) for change in changes if change.lookback is lookback]
        for line in [f"{title} :", *described] if described else []:
            left -= len(line) + 1
            if left < 0:
                return "\n".join(lines)
            lines.append(line)
    return "\n".join(lines)


def describe_change(change: Change) -> str:
    """Describe one change: « - tickets ouverts [nearvity] : 12, soit +3 (+33,3 %), contre 9 le 3 novembre 2026 »."""
    fact = change.fact
    subject = f" [{fact.subject}]" if fact.subject else ""
    now = f"- {FACT_LABELS[fact.name]}{subject} : {format_value(fact.value, fact.unit)}"
    if change.before is None or change.difference is None:
        return f"{now} ; {_SCOPE_CHANGED}"
    percent = change.percent
    relative = "" if percent is None or percent > 100 * MOST_TIMES else f" ({format_change(percent, 1)} %)"
    before = f"contre {format_value(change.before, fact.unit)} le {format_day(change.before_at)}"
    return f"{now}, soit {format_difference(change.difference, fact.unit)}{relative}, {before}"


def _is_comparable(fact: Fact, platform_key: str | None) -> bool:
    """Return whether a fact means the same in every report of its scope.

    What the report on one platform counts over « the company » was counted on that platform alone.
    """
    return platform_key is None or fact.subject is not None or fact.source not in _COUNT_PLATFORMS


def _is_near(fact: Fact, old: EarlierFact) -> bool:
    if old.at >= fact.at:
        return False
    span = _SPANS.get(old.lookback)
    return span is None or fact.at - span - FARTHEST <= old.at <= fact.at - span + FARTHEST
