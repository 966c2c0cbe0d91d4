"""What a report reads, and the sources it reads from."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from pydantic import AwareDatetime, ConfigDict, Field

from shared.findings import Collected
from shared.frozen import FrozenModel
from shared.registry import RunType
from workers.ports.inputs import ReportInputs
from workers.ports.model import Meter


class Subject(FrozenModel):
    """What a source is asked about: a run type, and one platform or all of them; and where it records its cost."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    run_type: RunType
    platforms: tuple["Platform", ...]
    platform_key: str | None = Field(default=None, description="None: the whole company.")
    inputs: ReportInputs = Field(default_factory=ReportInputs, description="What the HQ's own database gave.")
    meter: Meter = Field(default_factory=Meter, description="A source that is paid adds to it as soon as it knows.")


class Platform(FrozenModel):
    """A managed platform, as ``hq.platforms`` knows it."""

    key: str
    name: str
    description: str | None = None
    github_url: str | None = None
    status: str
    status_reason: str | None = None
    last_release_at: datetime | None = Field(None, description="As somebody once typed it: nothing keeps it current.")
    uptime_percent: Decimal | None = Field(None, description="Measured over thirty days; None before a day of checks.")
    checks: int = Field(0, description="How often its site was checked in these thirty days.")
    outage_minutes: int = Field(0, description="For how long of them it did not answer.")
    checked_since: AwareDatetime | None = None
    checked_at: AwareDatetime | None = Field(None, description="When it was last checked, within these thirty days.")


class CatalogueEntry(FrozenModel):
    """A table of the database, or a function that anybody may call: names only."""

    kind: Literal["table", "function"]
    schema_name: str
    object_name: str
    row_security: bool | None = None
    policies: tuple[str, ...] | None = None
    open_to: tuple[str, ...] = ()


class CatalogueCounts(FrozenModel):
    """How many objects the catalogue holds, however many of them a list shows."""

    tables: int
    without_row_security: int
    without_policy: int
    functions_open_to_anon: int


class TypeHistory(FrozenModel):
    """How the runs of one type went in a period."""

    run_type: str
    runs: int
    runs_before: int
    completed: int
    failed: int
    cancelled: int
    mean_ms: int | None
    longest_ms: int | None
    usual_error: str | None
    cost_eur: Decimal


class HistoryTotals(FrozenModel):
    """How all runs went in a period, however many types a list shows."""

    run_types: int
    runs: int
    runs_before: int
    completed: int
    failed: int
    cost_eur: Decimal


class CostLine(FrozenModel):
    """What the reports of a month cost, in one respect."""

    scope: Literal["total", "platform", "type", "model"]
    key: str
    runs: int
    listed_eur: Decimal
    billed_eur: Decimal
    estimated_eur: Decimal
    mean_eur: Decimal


class OpenMatter(FrozenModel):
    """Something that is waiting for a person."""

    kind: Literal["action", "incident", "failure"]
    title: str
    detail: str | None
    level: str | None
    platform_key: str | None
    since: AwareDatetime


class MatterCounts(FrozenModel):
    """How much is waiting for a person, however much of it a list shows."""

    actions: int
    incidents: int
    failures: int


class HqReader(Protocol):
    """What reports read from the HQ's own database. Lists are cut off, counts never. Raises: BackendError."""

    async def read_catalogue(self) -> Sequence[CatalogueEntry]:
        """Read who may access what, by names alone; the most exposed first."""

    async def count_catalogue(self) -> CatalogueCounts:
        """Count what the catalogue holds."""

    async def read_run_history(self, days: int) -> Sequence[TypeHistory]:
        """Read how the runs of the last days went, by type; the busiest first."""

    async def sum_run_history(self, days: int) -> HistoryTotals:
        """Sum how the runs of the last days went."""

    async def read_open_matters(self, platform_key: str | None) -> Sequence[OpenMatter]:
        """Read what is waiting for a person, on one platform or on all."""

    async def count_open_matters(self, platform_key: str | None) -> MatterCounts:
        """Count what is waiting for a person, on one platform or on all."""


SOURCE_TEXT_CHARS = 4_000
"""The longest text of one finding, in characters."""


class Source(Protocol):
    """One place that data comes from."""

    @property
    def name(self) -> str:
        """Return the registry name of the source."""

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject; any part that cannot be read is returned as a ``Gap``.

        Raises: SourceError, BackendError where nothing at all could be read.
        """


class Collect(Protocol):
    """Asks every source that a run type wants."""

    async def __call__(self, subject: Subject) -> Collected:
        """Return findings and gaps; what could not be read is a gap, not an error."""
