"""Why a source returned nothing: from our errors to a ``Gap``."""

from typing import Final

from shared.errors import SourceError, SourceNotConfigured, SourceRejected, SourceUnavailable
from shared.findings import Collected, Gap, GapReason
from shared.registry import SourceName

LABELS: Final = {
    SourceName.PLATFORMS: "Base du QG · plateformes",
    SourceName.GITHUB: "GitHub",
    SourceName.GITHUB_ACTIONS: "GitHub Actions",
    SourceName.GITHUB_ALERTS: "GitHub · alertes",
    SourceName.PERPLEXITY: "Perplexity · veille",
    SourceName.FIRECRAWL: "Firecrawl · pages web",
    SourceName.STRIPE: "Stripe · revenus",
    SourceName.OPEN_MATTERS: "Base du QG · affaires en cours",
    SourceName.DATABASE_CATALOGUE: "Base du QG · catalogue",
    SourceName.RUN_HISTORY: "Base du QG · historique des exécutions",
    SourceName.AGENTS_WORK: "Base du QG · travail des agents",
    SourceName.COMMERCIAL: "Base du QG · travail commercial",
    SourceName.AUDIENCE: "Base du QG · audience du site",
    SourceName.CONTACTS: "Base du QG · messages reçus",
    SourceName.DECISIONS: "Base du QG · décisions",
    SourceName.PERSONAL_DATA: "Base du QG · données personnelles",
}
"""The French name of each source, for its gaps."""


class SourceTimedOut(SourceUnavailable):
    """The source did not answer in time."""


_REASONS: Final[dict[type[SourceError], GapReason]] = {
    SourceNotConfigured: GapReason.NOT_CONFIGURED,
    SourceRejected: GapReason.REJECTED,
    SourceTimedOut: GapReason.TIMED_OUT,
}


def label_of(source: str) -> str:
    """Return the French name of a source, or its own name when it has none."""
    try:
        return LABELS[SourceName(source)]
    except ValueError:
        return source


def describe_unreadable(label: str) -> str:
    """Say of a source that the HQ's own database did not give it."""
    return f"La source « {label} » n'a pas pu être lue dans la base du QG. Relancez plus tard pour l'inclure."


def describe_gap(error: SourceError, *, source: str, label: str) -> Gap:
    """Turn the error that a source raised into a value."""
    reason = _REASONS.get(type(error), GapReason.UNAVAILABLE)
    return Gap(source=source, label=label, reason=reason, sentence=error.sentence)


def only_gap(source: str, reason: GapReason, sentence: str) -> Collected:
    """Return a collection of one gap: the reason why a whole source has nothing to report."""
    return Collected(gaps=(Gap(source=source, label=label_of(source), reason=reason, sentence=sentence),))
