"""The entries of the registry, one module per director who signs them.

An entry says who writes the report, with which model, from which sources, at what cost and risk, when, and what the
report must contain. To add a run type, add its entry to its director's module: nothing else lists run types.
The French of labels, steps and sections is read by the president or by the model, never by code.
"""

from typing import Final

from shared.run_types import (
    data,
    data_protection,
    finance,
    general_management,
    growth,
    marketing,
    operations,
    product,
    security,
    strategy,
    technology,
)
from shared.run_types.model import RunType

ENTRIES: Final[tuple[RunType, ...]] = (
    *general_management.ENTRIES,
    *technology.ENTRIES,
    *security.ENTRIES,
    *strategy.ENTRIES,
    *marketing.ENTRIES,
    *growth.ENTRIES,
    *operations.ENTRIES,
    *data_protection.ENTRIES,
    *finance.ENTRIES,
    *product.ENTRIES,
    *data.ENTRIES,
)
"""Every entry, in the order of the directors: a list of run types or jobs is shown in this order."""
