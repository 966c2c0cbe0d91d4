"""The messages that the contact form received, as numbers: never a name, an address or a text."""

from typing import Final

from pydantic import AwareDatetime, TypeAdapter

from shared.facts import FactName, age_in_days, make_facts
from shared.findings import Collected, Finding
from shared.french import format_count, format_day, format_number
from shared.frozen import FrozenModel
from shared.registry import SourceName
from workers.ports import Clock, Subject
from workers.sources.gaps import label_of
from workers.sources.tables import read_table


class Day(FrozenModel):
    """How many messages one day brought."""

    day: str
    messages: int


class Contacts(FrozenModel):
    """The messages received; ``unread`` where the host notes what was read."""

    total: int
    day: int
    week: int
    month: int
    month_before: int
    unread: int | None = None
    oldest_unread: AwareDatetime | None = None
    newest: AwareDatetime | None = None
    days: tuple[Day, ...] = ()


_SHAPE: Final = TypeAdapter(Contacts)


class ContactsSource:
    """Describes how many messages came, and how many wait.

    Shape: one Finding, also when there is none: that is a fact too.   Cost: none; it comes with the run.
    """

    name: Final[str] = SourceName.CONTACTS.value

    def __init__(self, *, allowed: bool, clock: Clock) -> None:
        self._allowed = allowed
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows; the form is the company's, whatever the platform."""
        read = read_table(subject, SourceName.CONTACTS, _SHAPE, allowed=self._allowed, setting="READ_CONTACTS")
        read_at = self._clock.now()
        values = {
            FactName.MESSAGES_WEEK: read.week,
            FactName.MESSAGES_MONTH: read.month,
            FactName.UNREAD_MESSAGES: read.unread,
            FactName.OLDEST_UNREAD_AGE: age_in_days(read.oldest_unread, read_at),
        }
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text="\n".join(_describe(read)),
            data={"total": read.total, "week": read.week, "month": read.month, "unread": read.unread},
            facts=make_facts(values, source=self.name, at=read_at),
            period="30 derniers jours",
            read_at=read_at,
        )
        return Collected(findings=(finding,))


def _describe(read: Contacts) -> list[str]:
    received = format_count(read.month, "message reçu", "messages reçus")
    before, week, day = map(format_number, (read.month_before, read.week, read.day))
    lines = [
        f"{received} en 30 jours ({before} les 30 jours précédents), {week} en 7 jours, {day} en 24 h",
        f"{format_count(read.total, 'message reçu', 'messages reçus')} en tout",
    ]
    if read.unread is not None:
        since = f", le plus ancien du {format_day(read.oldest_unread)}" if read.oldest_unread else ""
        lines.append(f"{format_count(read.unread, 'message non lu', 'messages non lus')}{since}")
    if read.newest is not None:
        lines.append(f"Dernier message le {format_day(read.newest)}")
    busiest = sorted(read.days, key=lambda line: line.messages, reverse=True)[:5]
    if busiest:
        lines.append(
            "Jours les plus chargés : " + ", ".join(f"{line.day} ({format_number(line.messages)})" for line in busiest)
        )
    return lines
