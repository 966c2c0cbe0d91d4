"""One figure of a text: what it measures, its value, its precision and where it stands."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """What a figure measures. Figures of different kinds are never compared."""

    MONEY = "money"
    PERCENT = "percent"
    POINTS = "points"
    COUNT = "count"
    DURATION = "duration"
    DATE = "date"
    TIME = "time"
    SCORE = "score"
    VERSION = "version"
    REFERENCE = "reference"
    CITATION = "citation"
    STRUCTURE = "structure"


Key = tuple[Kind, str, tuple[Decimal, ...]]
"""What a figure says: kind, unit and values."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a text."""

    kind: Kind
    start: int
    end: int
    values: tuple[Decimal, ...] = ()
    """Its value; two where the notation may be read both ways (« 1,234 »)."""
    quantum: Decimal = Decimal(1)
    """The unit of its last digit: « 1,2 k€ » is precise to 100 €."""
    unit: str = ""
    """ISO currency; « seconds » or « months » of a duration; the key of a date, time, version or reference."""
    noun: str = ""
    """What is counted, in the singular, as far as it can be seen."""
    sign: int = 0
    """Written sign: 1, -1, or 0 for none."""
    is_about: bool = False
    """« environ », « près de »: the zeros at its end are not precise."""
    is_word: bool = False

    @property
    def value(self) -> Decimal:
        """Return its first reading."""
        return self.values[0]

    @property
    def key(self) -> Key:
        """Return what it says, wherever it stands."""
        return self.kind, self.unit, self.values

    def matches(self, other: Decimal) -> bool:
        """Return whether a value is what it says, to its own precision, whatever the sign."""
        allowed = self.quantum if self.is_about else self.quantum / 2
        return any(abs(abs(value) - abs(other)) <= allowed for value in self.values)
