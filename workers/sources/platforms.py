"""The managed platforms as the HQ database knows them: read with the run, described here in French.

A platform whose site nobody checks has no state and no availability: what the host's columns hold then is their
default, green and 99.9, which a report must not repeat as something that was seen.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from shared.facts import Fact, FactName, make_facts
from shared.findings import Collected, Finding, Gap, GapReason
from shared.french import count_decimals, format_count, format_day, format_moment, format_percent
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Platform, Subject
from workers.sources.gaps import label_of, only_gap

_STATUS: Final = {"green": "vert", "amber": "orange", "red": "rouge"}
_COUNTS: Final = {
    "green": FactName.PLATFORMS_GREEN,
    "amber": FactName.PLATFORMS_AMBER,
    "red": FactName.PLATFORMS_RED,
}
_MAX_REASON_CHARS: Final = 150
_RECENT: Final = timedelta(hours=1)
_ALMOST_ALL: Final = timedelta(days=29)
"""After so many days of checks, a share is said to be that of thirty."""


class PlatformsSource:
    """Describes the state of the subject's platforms.

    Shape: one Finding; one Gap for each platform whose site was never checked.   Cost: none; the rows come with the
    subject.
    """

    name: Final[str] = SourceName.PLATFORMS.value

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        if not subject.platforms:
            sentence = "La base du QG ne contient aucune plateforme pour cette demande."
            return only_gap(self.name, GapReason.EMPTY, sentence)
        now = self._clock.now()
        # Nobody keeps the column of releases current: where GitHub is asked, GitHub's is the release.
        shows_release = SourceName.GITHUB not in subject.run_type.sources
        lines = [_describe(platform, now, shows_release=shows_release) for platform in subject.platforms]
        states = Counter(platform.status for platform in subject.platforms if _is_known(platform))
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            data={"platforms": len(subject.platforms), **{status: states[status] for status in _STATUS}},
            facts=_make_facts(subject, states, now),
            platform_key=subject.platform_key,
            read_at=now,
        )
        return Collected(findings=(finding,), gaps=tuple(map(_miss, filter(_is_unwatched, subject.platforms))))


def _is_unwatched(platform: Platform) -> bool:
    return platform.checks == 0


def _is_known(platform: Platform) -> bool:
    """Return whether the state is more than the column's default: checked, or written by a person."""
    return platform.checks > 0 or platform.status != "green" or bool(platform.status_reason)


def _make_facts(subject: Subject, states: Counter[str], now: datetime) -> tuple[Fact, ...]:
    facts: tuple[Fact, ...] = ()
    source = SourceName.PLATFORMS.value
    if subject.platform_key is None:
        values = {FactName.PLATFORMS: len(subject.platforms)}
        if states.total() == len(subject.platforms):
            values |= {name: states[status] for status, name in _COUNTS.items()}
        facts = make_facts(values, source=source, at=now)
    for platform in subject.platforms:
        if platform.checks:
            measured = {
                FactName.UPTIME: platform.uptime_percent,
                FactName.OUTAGE: platform.outage_minutes,
                FactName.CHECKS: platform.checks,
            }
            facts += make_facts(measured, source=source, at=now, subject=platform.key)
    return facts


def _miss(platform: Platform) -> Gap:
    return Gap(
        source=SourceName.PLATFORMS,
        label=f"{label_of(SourceName.PLATFORMS)} · {clean_line(platform.name, 80)}",
        reason=GapReason.EMPTY,
        sentence="Disponibilité inconnue : le site n'a pas été contrôlé depuis 30 jours. "
        "Vérifiez que PLATFORM_URLS contient son adresse et qu'un ouvrier est en marche.",
    )


def _describe(platform: Platform, now: datetime, *, shows_release: bool) -> str:
    release = platform.last_release_at if shows_release else None
    parts = [
        f"- {clean_line(platform.name)} [{clean_line(platform.key)}] : {_describe_status(platform, now)}",
        _describe_uptime(platform, now),
        f"dernière version le {format_day(release)}" if release else "",
        clean_line(platform.description, _MAX_REASON_CHARS) if platform.description else "",
    ]
    return " ; ".join(filter(None, parts))


def _describe_status(platform: Platform, now: datetime) -> str:
    if not _is_known(platform):
        return "statut inconnu (site jamais contrôlé)"
    status = _STATUS.get(platform.status, clean_line(platform.status))
    reason = f" ({clean_line(platform.status_reason, _MAX_REASON_CHARS)})" if platform.status_reason else ""
    if platform.checked_at is None:
        return f"statut {status}{reason}, saisi à la main"
    old = now - platform.checked_at > _RECENT
    return f"statut {status}{reason}" + (f", dernier contrôle le {format_moment(platform.checked_at)}" if old else "")


def _describe_uptime(platform: Platform, now: datetime) -> str:
    since = platform.checked_since
    if _is_unwatched(platform) or since is None:
        return ""
    checks = format_count(platform.checks, "contrôle", "contrôles")
    outage = format_count(platform.outage_minutes, "minute d'indisponibilité", "minutes d'indisponibilité")
    uptime = platform.uptime_percent
    if uptime is None:
        return f"moins d'un jour de contrôles ({checks}, {outage}) : pas encore de taux de disponibilité"
    period = "sur 30 jours" if now - since >= _ALMOST_ALL else f"depuis le {format_day(since)}"
    # With the decimals that were recorded, so that a report never rounds an availability up to 100.
    return f"disponibilité {format_percent(uptime, count_decimals(uptime))} {period} ({checks}, {outage})"
