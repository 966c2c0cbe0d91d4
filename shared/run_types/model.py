"""What an entry of the registry is made of: the types, and the rules that an entry cannot break."""

from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, JsonValue, model_validator

from shared.frozen import FrozenModel

KEY_PATTERN: Final = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
"""The shape of a run type's key."""

TIME_ZONE: Final = ZoneInfo("Europe/Paris")
"""The zone in which all calendars are read."""

CRAWLING_RUNS: Final = 2
"""How many reports that crawl web pages one worker executes at once: those sites belong to other people."""


class ModelTier(StrEnum):
    """How capable a model a report needs."""

    DEFAULT = "default"
    REASONING = "reasoning"
    SUMMARY = "summary"
    CODING = "coding"

    @property
    def model(self) -> str:
        """Return the id that the page shows for the tier; what is asked is ``LLM_MODELS_<TIER>``."""
        return _MODELS[self]

    @property
    def fallback_model(self) -> str:
        """Return the id that the page shows as the second choice."""
        return _MODELS[_FALLBACKS[self]]


_MODELS: Final = {
    ModelTier.DEFAULT: "google/gemini-3-flash-preview",
    ModelTier.REASONING: "google/gemini-2.5-pro",
    ModelTier.SUMMARY: "google/gemini-2.5-flash",
    ModelTier.CODING: "openai/gpt-5.2",
}
_FALLBACKS: Final = {
    ModelTier.DEFAULT: ModelTier.SUMMARY,
    ModelTier.REASONING: ModelTier.SUMMARY,
    ModelTier.SUMMARY: ModelTier.DEFAULT,
    ModelTier.CODING: ModelTier.REASONING,
}


class SourceName(StrEnum):
    """Where data can come from. A source that no worker implements yet is a named gap in the report."""

    PLATFORMS = "platforms"
    GITHUB = "github"
    GITHUB_ACTIONS = "github_actions"
    GITHUB_ALERTS = "github_alerts"
    PERPLEXITY = "perplexity"
    FIRECRAWL = "firecrawl"
    STRIPE = "stripe"
    OPEN_MATTERS = "open_matters"
    DATABASE_CATALOGUE = "database_catalogue"
    RUN_HISTORY = "run_history"
    AGENTS_WORK = "agents_work"
    COMMERCIAL = "commercial"
    AUDIENCE = "audience"
    CONTACTS = "contacts"
    DECISIONS = "decisions"
    PERSONAL_DATA = "personal_data"


class Trigger(StrEnum):
    """What made a run start."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    AUTOPILOT = "autopilot"
    RETRY = "retry"


class Risk(StrEnum):
    """What a wrong report could lead to."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Priority(StrEnum):
    """How a scheduled job ranks among the others."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Weekday(IntEnum):
    """A day of the week, by its ISO number (``isodow`` in PostgreSQL)."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


EVERY_DAY: Final = tuple(Weekday)
WORKING_DAYS: Final = tuple(day for day in Weekday if day <= Weekday.FRIDAY)


class Recency(StrEnum):
    """How old the pages that a search reads may be."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class PageSet(StrEnum):
    """Which web pages a report reads; the settings say where they are."""

    COMPETITORS = "competitors"
    OWN_SITES = "own_sites"
    TECH_WATCH = "tech_watch"


class Part(FrozenModel):
    """A part of the registry; refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


class Agent(Part):
    """The AI director who signs a report."""

    name: str
    emoji: str
    role: str = Field(description="French job title, as a screen shows it.")
    title: str = Field(description="The same within a French sentence, with its article.")


class Kept(StrEnum):
    """What of a section the next report of the same type and scope is shown."""

    DECISIONS = "decisions"
    PRIORITIES = "priorities"
    ALERTS = "alerts"


class Section(Part):
    """One part of a report: by default findings, whose figures must be in the data."""

    title: str = Field(min_length=1)
    content: str = Field(min_length=1, description="French: what the part must contain.")
    proposes: bool = Field(default=False, description="It proposes: targets, deadlines and efforts may be its own.")
    keeps: Kept | None = Field(default=None, description="What its items are to the next report, and to the digest.")
    fed_by: tuple[SourceName, ...] = Field(
        default=(), description="The sources with data on its very subject; a proposal: on what it rests on."
    )


class Search(Part):
    """What a report looks up on the web. The words are ours alone: no context and no company figure is sent."""

    query: str = Field(min_length=40, max_length=600, description="French.")
    recency: Recency


class Calendar(Part):
    """The hours at which a job is due, in Paris: each of its hours on each of its days."""

    hours: tuple[Annotated[int, Field(ge=0, le=23)], ...] = Field(min_length=1)
    weekdays: tuple[Weekday, ...] = Field(min_length=1)


class Schedule(Part):
    """How a run type is planned."""

    key: str = Field(description="Key of the job, by which screens execute it.")
    aliases: tuple[str, ...] = Field(default=(), description="Keys of former jobs that this one replaces.")
    name: str
    description: str = Field(description="French, one line.")
    calendar: Calendar
    priority: Priority


class Job(Schedule):
    """A schedule together with what it runs."""

    run_type: str


class RunType(Part):
    """All that is known about one kind of run."""

    key: str = Field(pattern=f"^{KEY_PATTERN}$")
    label: str = Field(description="French name.")
    agent: Agent
    tier: ModelTier
    cost_eur: Decimal = Field(gt=0, decimal_places=2, description="Estimate for one run.")
    risk: Risk = Risk.LOW
    sources: tuple[SourceName, ...] = Field(min_length=1)
    search: Search | None = Field(default=None, description="Given exactly when the web is searched.")
    pages: PageSet | None = Field(default=None, description="Given exactly when web pages are read.")
    steps: tuple[str, ...] = Field(min_length=1, description="French labels, answered to the caller.")
    purpose: str = Field(min_length=1, description="French: what the report is for, in a sentence.")
    sections: tuple[Section, ...] = Field(min_length=1)
    schedule: Schedule | None = None
    autopilot_default: bool = Field(
        default=False, description="In the autopilot's list as long as the presidency has not chosen another."
    )
    only_by_hand: bool = Field(default=False, description="Neither the plan nor the autopilot may start it.")
    in_frontend_table: bool = Field(
        default=True, description="Listed in the frontend's own table; otherwise a screen sends it all the same."
    )
    fills_digest: bool = Field(default=False, description="Its report on all platforms is the digest of the day.")
    max_parallel: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Runs of this type that one worker executes at once; None: no limit of its own.",
    )

    @model_validator(mode="after")
    def _check_what_is_read(self) -> Self:
        if (SourceName.PERPLEXITY in self.sources) != (self.search is not None):
            raise ValueError(f"{self.key}: a search of the web needs its query, and only it")
        if (SourceName.FIRECRAWL in self.sources) != (self.pages is not None):
            raise ValueError(f"{self.key}: reading web pages needs to say which, and only it")
        for section in self.sections:
            if not set(section.fed_by) <= set(self.sources):
                raise ValueError(f"{self.key}: « {section.title} » is fed by a source that is not read")
        return self

    @property
    def requires_approval(self) -> bool:
        """Return whether a person must approve what the report proposes: risk alone decides."""
        return self.risk in {Risk.HIGH, Risk.CRITICAL}

    @property
    def auto_executable(self) -> bool:
        """Return whether the autopilot may start the run by itself."""
        return not (self.requires_approval or self.only_by_hand)

    @property
    def allowed_triggers(self) -> tuple[Trigger, ...]:
        """Return what may start the run: a sensitive one, among others, starts only at a person's request."""
        return tuple(Trigger) if self.auto_executable else (Trigger.MANUAL, Trigger.RETRY)

    @property
    def calendar(self) -> Calendar | None:
        """Return when the run is planned, if it is."""
        return self.schedule.calendar if self.schedule else None

    def facts(self) -> dict[str, JsonValue]:
        """Return the whole entry as JSON values, including what follows from its fields."""
        facts: dict[str, JsonValue] = self.model_dump(mode="json")
        return facts | {
            "model": self.tier.model,
            "fallback_model": self.tier.fallback_model,
            "requires_approval": self.requires_approval,
            "auto_executable": self.auto_executable,
            "allowed_triggers": [trigger.value for trigger in self.allowed_triggers],
        }


def section(
    title: str,
    content: str,
    *,
    proposes: bool = False,
    keeps: Kept | None = None,
    fed_by: tuple[SourceName, ...] = (),
) -> Section:
    """Make a section of a report."""
    return Section(title=title, content=content, proposes=proposes, keeps=keeps, fed_by=fed_by)
