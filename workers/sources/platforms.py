"""The managed platforms as the HQ database knows them: read with the run, described here in French."""

from collections import Counter
from decimal import Decimal
from typing import Final

from shared.findings import Collected, Finding, GapReason
from shared.french import format_day, format_percent
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Platform, Subject
from workers.sources.gaps import label_of, only_gap

_STATUS: Final = {"green": "vert", "amber": "orange", "red": "rouge"}
_MAX_REASON_CHARS: Final = 150


class PlatformsSource:
    """Describes the state of the subject's platforms.

    Cost: none; the rows come with the subject.
    """

    name: Final[str] = SourceName.PLATFORMS.value

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        if not subject.platforms:
            sentence = "La base du QG ne contient aucune plateforme pour cette demande."
            return only_gap(self.name, GapReason.EMPTY, sentence)
        states = Counter(platform.status for platform in subject.platforms)
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(map(_describe, subject.platforms)), SOURCE_TEXT_CHARS),
            data={"platforms": len(subject.platforms), **{status: states[status] for status in _STATUS}},
            read_at=self._clock.now(),
        )
        return Collected(findings=(finding,))


def _describe(platform: Platform) -> str:
    status = _STATUS.get(platform.status, clean_line(platform.status))
    reason = f" ({clean_line(platform.status_reason, _MAX_REASON_CHARS)})" if platform.status_reason else ""
    uptime = platform.uptime_percent
    parts = [
        f"- {clean_line(platform.name)} [{clean_line(platform.key)}] : statut {status}{reason}",
        f"disponibilité enregistrée {format_percent(uptime, _decimals(uptime))}" if uptime is not None else "",
        f"dernière version le {format_day(platform.last_release_at)}" if platform.last_release_at else "",
        clean_line(platform.description, _MAX_REASON_CHARS) if platform.description else "",
    ]
    return " ; ".join(filter(None, parts))


def _decimals(number: Decimal) -> int:
    """Count the recorded decimals, so that a report never rounds an availability up to 100."""
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
