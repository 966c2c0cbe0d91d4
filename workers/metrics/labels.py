"""The closed sets of label values: nothing that a caller, a vendor or a row says can make another time series."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from shared.language_models import CANDIDATES

OTHER: Final = "other"
"""Stands for every value that is not in its set."""


class ClosedSet:
    """The values that one label may have."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values: Final = tuple(dict.fromkeys([*values, OTHER]))
        self._known: Final = frozenset(self.values)

    def bound(self, value: str) -> str:
        """Return the value, or ``other`` where it is not in the set."""
        return value if value in self._known else OTHER


@dataclass(frozen=True)
class LabelSets:
    """The sets that depend on the settings, or on other packages."""

    models: ClosedSet
    functions: ClosedSet
    kinds: ClosedSet

    @classmethod
    def of(cls, *, models: Iterable[str], functions: Iterable[str], kinds: Iterable[str]) -> Self:
        """Make the sets from what is configured: its models are added to the candidates of the registry."""
        candidates = [model for tier in CANDIDATES.values() for model in tier]
        return cls(ClosedSet([*candidates, *models]), ClosedSet(functions), ClosedSet(kinds))
