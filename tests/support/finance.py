"""The history of figures in memory, as the database keeps it."""

from collections.abc import Sequence
from datetime import date

from workers.ports import FinanceSnapshot


class Shelf:
    """Days of figures that a test can look at and change."""

    def __init__(self) -> None:
        self.days: dict[date, FinanceSnapshot] = {}

    async def read(self, since: date, *, figures_since: date) -> Sequence[FinanceSnapshot]:
        """Read the days since then."""
        days = [each for each in self.days.values() if each.day >= since]
        return [each if each.day >= figures_since else each.model_copy(update={"figures": None}) for each in days]

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        """Keep days: a measured one replaces another."""
        for each in snapshots:
            if each.measured or each.day not in self.days:
                self.days[each.day] = each
