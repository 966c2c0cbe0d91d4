"""What the database knows of itself, described in French; and what becomes of a database that does not answer."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from support.clock import FakeClock
from support.sources import collect_from

from shared.errors import BackendUnavailable
from shared.facts import COUNT, DAYS, PERCENT, FactName
from shared.findings import Collected, GapReason
from shared.french import format_count
from shared.registry import find_run_type
from workers.ports import (
    SOURCE_TEXT_CHARS,
    CatalogueCounts,
    CatalogueEntry,
    HistoryTotals,
    MatterCounts,
    OpenMatter,
    Platform,
    Source,
    Subject,
    TypeHistory,
)
from workers.sources.database import CatalogueSource, OpenMattersSource, RunHistorySource

SUBJECT = Subject(run_type=find_run_type("SECURITY_AUDIT_RLS"), platforms=(), platform_key="nearvity")


class FakeReader:
    """A database that holds what a test says, or is away."""

    def __init__(
        self,
        *,
        catalogue: Sequence[CatalogueEntry] = (),
        history: Sequence[TypeHistory] = (),
        matters: Sequence[OpenMatter] = (),
        unlisted: int = 0,
        away: bool = False,
    ) -> None:
        self._catalogue, self._history, self._matters, self._away = catalogue, history, matters, away
        self._unlisted = unlisted  # of everything, so many more than the lists show
        self.asked_platform: str | None = None
        self.counted_platform: str | None = None

    async def read_catalogue(self) -> Sequence[CatalogueEntry]:
        self._answer()
        return self._catalogue

    async def count_catalogue(self) -> CatalogueCounts:
        self._answer()
        tables = [entry for entry in self._catalogue if entry.kind == "table"]
        return CatalogueCounts(
            tables=len(tables) + self._unlisted,
            without_row_security=sum(not entry.row_security for entry in tables),
            without_policy=sum(bool(entry.row_security) and not entry.policies for entry in tables),
            functions_open_to_anon=len(self._catalogue) - len(tables) + self._unlisted,
        )

    async def read_run_history(self, days: int) -> Sequence[TypeHistory]:
        assert days == 30
        self._answer()
        return self._history

    async def sum_run_history(self, days: int) -> HistoryTotals:
        assert days == 30
        self._answer()
        return HistoryTotals(
            run_types=len(self._history) + self._unlisted,
            runs=sum(line.runs for line in self._history) + self._unlisted,
            runs_before=sum(line.runs_before for line in self._history),
            completed=sum(line.completed for line in self._history),
            failed=sum(line.failed for line in self._history),
            cost_eur=sum((line.cost_eur for line in self._history), Decimal(0)),
        )

    async def read_open_matters(self, platform_key: str | None) -> Sequence[OpenMatter]:
        self._answer()
        self.asked_platform = platform_key
        return self._matters

    async def count_open_matters(self, platform_key: str | None) -> MatterCounts:
        self.counted_platform = platform_key
        self._answer()
        kinds = [matter.kind for matter in self._matters]
        counts = {f"{kind}s": kinds.count(kind) + self._unlisted for kind in ("action", "incident", "failure")}
        return MatterCounts.model_validate(counts)

    def _answer(self) -> None:
        if self._away:
            raise BackendUnavailable("PostgREST answered 503")


def table(name: str, **fields: object) -> CatalogueEntry:
    given = {"kind": "table", "schema_name": "hq", "object_name": name, "row_security": True, "policies": ("own",)}
    return CatalogueEntry.model_validate(given | fields)


async def test_the_catalogue_tells_what_is_most_exposed_first(clock: FakeClock) -> None:
    door = CatalogueEntry(kind="function", schema_name="public", object_name="open_door", open_to=("anon",))
    reader = FakeReader(
        catalogue=[
            table("safe"),
            table("bare", row_security=False, policies=(), open_to=("anon",)),
            table("mute", policies=()),
            door,
        ]
    )

    (finding,) = (await CatalogueSource(reader, allowed=True, clock=clock).collect(SUBJECT)).findings

    head, first, second, third, doors = finding.text.splitlines()
    assert head == "3 tables, dont 1 sans RLS ; 1 fonction appelable sans connexion (anon)"
    assert first == "- hq.bare : RLS INACTIVE ; politiques : aucune ; droits accordés à : anon"
    assert second.startswith("- hq.mute : RLS active ; politiques : aucune")
    assert third.startswith("- hq.safe")
    assert doors == "Fonctions appelables par anon : public.open_door"
    assert finding.data == {"tables": 3, "without_row_security": 1, "without_policy": 1, "functions_open_to_anon": 1}


async def test_a_large_catalogue_takes_several_findings(clock: FakeClock) -> None:
    reader = FakeReader(catalogue=[table(f"t{n}", policies=("politique" * 10,) * 8) for n in range(60)])

    findings = (await CatalogueSource(reader, allowed=True, clock=clock).collect(SUBJECT)).findings

    assert 1 < len(findings) <= 6
    assert findings[0].label == f"Base du QG · catalogue (1/{len(findings)})"
    assert all(len(finding.text) <= SOURCE_TEXT_CHARS for finding in findings)


async def test_what_the_catalogue_leaves_out_is_counted(clock: FakeClock) -> None:
    tables = [table(f"t{n}", policies=("politique" * 10,) * 8) for n in range(300)]
    functions = [CatalogueEntry(kind="function", schema_name="public", object_name=f"f{n}") for n in range(300)]
    reader = FakeReader(catalogue=[*tables, *functions], unlisted=900)

    findings = (await CatalogueSource(reader, allowed=True, clock=clock).collect(SUBJECT)).findings

    text = "\n".join(finding.text for finding in findings)
    listed = sum(line.startswith("- hq.t") for line in text.splitlines())
    assert len(findings) == 6
    tables_and_functions = [format_count(1200, "", many) for many in ("tables", "fonctions appelables")]
    assert text.startswith("{}, dont 0 sans RLS ; {} sans connexion (anon)\n".format(*tables_and_functions))
    rest = format_count(1200 - listed, "autre table", "autres tables")
    assert f"- et {rest}, moins exposées, qui ne figurent pas dans cette liste" in text
    named = text.count("public.f")
    assert text.endswith(f"public.f{named - 1} et {format_count(1200 - named, 'autre', 'autres')}")
    assert (findings[0].data["tables"], findings[0].data["functions_open_to_anon"]) == (1200, 1200)


async def test_what_a_list_leaves_out_is_counted(clock: FakeClock) -> None:
    since = datetime(2026, 11, 20, 8, tzinfo=UTC)
    given = {"detail": None, "level": None, "platform_key": None, "since": since}
    matters = [OpenMatter.model_validate(given | {"kind": "action", "title": f"n{n}"}) for n in range(30)]

    (finding,) = (
        await OpenMattersSource(FakeReader(matters=matters, unlisted=15), clock=clock).collect(SUBJECT)
    ).findings

    assert "Actions en attente d'approbation (45) :" in finding.text
    assert "- et 15 autres, qui ne figurent pas dans cette liste" in finding.text
    assert finding.data == {"actions": 45, "incidents": 15, "failures": 15}


async def test_who_keeps_the_catalogue_to_themselves_gets_a_gap(clock: FakeClock) -> None:
    (gap,) = (await collect_from(CatalogueSource(FakeReader(), allowed=False, clock=clock), SUBJECT)).gaps

    assert gap.reason is GapReason.NOT_CONFIGURED
    assert "AUDIT_CATALOGUE" in gap.sentence


async def test_the_history_tells_agents_ends_durations_and_costs(clock: FakeClock) -> None:
    line = TypeHistory(
        run_type="SEO_AUDIT",
        runs=4,
        runs_before=2,
        completed=3,
        failed=1,
        cancelled=0,
        mean_ms=12_500,
        longest_ms=30_000,
        usual_error="gateway_rate_limited",
        cost_eur=Decimal("0.123456"),
    )
    unknown = line.model_copy(update={"run_type": "GONE", "mean_ms": None, "usual_error": None})

    collected = await RunHistorySource(FakeReader(history=[line, unknown]), clock=clock).collect(SUBJECT)

    (finding,) = collected.findings
    head, first, second = finding.text.splitlines()
    assert "8 exécutions (4 sur la période précédente), 6 réussies, 2 en échec, coût 0,2469 EUR" in head
    assert first.startswith("- Audit SEO (CMO Agent) : 4 exécutions ; période précédente : 2")
    assert "durée moyenne 12,5 s, la plus longue 30,0 s ; échec le plus fréquent : gateway_rate_limited" in first
    assert second.startswith("- GONE (agent inconnu)")
    assert finding.data["runs"] == 8


async def test_no_history_is_a_gap(clock: FakeClock) -> None:
    (gap,) = (await RunHistorySource(FakeReader(), clock=clock).collect(SUBJECT)).gaps

    assert gap.reason is GapReason.EMPTY


async def test_what_waits_is_told_with_its_weight_and_since_when(clock: FakeClock) -> None:
    since = datetime(2026, 11, 20, 8, tzinfo=UTC)

    def matter(kind: str, detail: str | None = None, level: str | None = None) -> OpenMatter:
        given = {"kind": kind, "title": "Ti\ntre", "detail": detail, "level": level, "platform_key": "nearvity"}
        return OpenMatter.model_validate(given | {"since": since})

    reader = FakeReader(
        matters=[matter("action", level="high"), matter("incident", "open", "critical"), matter("failure", "Panne")]
    )

    (finding,) = (await OpenMattersSource(reader, clock=clock).collect(SUBJECT)).findings

    assert (reader.asked_platform, reader.counted_platform) == ("nearvity", "nearvity")
    assert "Ti tre (risque élevé), depuis le vendredi 20 novembre 2026 à 9 h 00" in finding.text
    assert "[nearvity] Ti tre : gravité critique, ouvert" in finding.text
    assert "Exécutions en échec depuis 24 h (1) :\n  - Ti tre [nearvity]" in finding.text
    assert finding.data == {"actions": 1, "incidents": 1, "failures": 1}


async def test_that_nothing_waits_is_a_fact(clock: FakeClock) -> None:
    (finding,) = (await OpenMattersSource(FakeReader(), clock=clock).collect(SUBJECT)).findings

    assert "Actions en attente d'approbation (0) : aucun élément" in finding.text


async def test_a_database_that_does_not_answer_is_a_gap_like_any_other(clock: FakeClock) -> None:
    reader = FakeReader(away=True)
    sources: tuple[Source, ...] = (
        CatalogueSource(reader, allowed=True, clock=clock),
        RunHistorySource(reader, clock=clock),
        OpenMattersSource(reader, clock=clock),
    )

    for source in sources:
        (gap,) = (await collect_from(source, SUBJECT)).gaps
        assert (gap.source, gap.reason) == (source.name, GapReason.UNAVAILABLE)


def values_of(collected: Collected) -> dict[tuple[FactName, str | None, str], Decimal]:
    """Return the facts as a table, which refuses one that stands twice."""
    table = {(fact.name, fact.subject, fact.unit): fact.value for fact in collected.facts}
    assert len(table) == len(collected.facts)
    return table


async def test_the_facts_of_the_catalogue_stand_once_however_many_findings_it_takes(clock: FakeClock) -> None:
    tables = [table(f"t{n}", policies=("politique" * 10,) * 8) for n in range(60)]
    reader = FakeReader(catalogue=[*tables, table("bare", row_security=False), table("mute", policies=())])

    collected = await CatalogueSource(reader, allowed=True, clock=clock).collect(SUBJECT)

    assert len(collected.findings) > 1
    assert values_of(collected) == {
        (FactName.TABLES, None, COUNT): 62,
        (FactName.TABLES_WITHOUT_RLS, None, COUNT): 1,
        (FactName.TABLES_WITHOUT_POLICY, None, COUNT): 1,
        (FactName.FUNCTIONS_OPEN_TO_ANON, None, COUNT): 0,
    }
    assert {(fact.at, fact.source) for fact in collected.facts} == {(clock.now(), "database_catalogue")}


async def test_the_facts_of_the_history_are_the_totals_of_all_types(clock: FakeClock) -> None:
    line = TypeHistory(
        run_type="SEO_AUDIT",
        runs=4,
        runs_before=2,
        completed=2,
        failed=1,
        cancelled=1,
        mean_ms=None,
        longest_ms=None,
        usual_error=None,
        cost_eur=Decimal("0.1234"),
    )

    collected = await RunHistorySource(FakeReader(history=[line, line]), clock=clock).collect(SUBJECT)

    assert values_of(collected) == {
        (FactName.RUNS, None, COUNT): 8,
        (FactName.RUNS_BEFORE, None, COUNT): 4,
        (FactName.RUNS_COMPLETED, None, COUNT): 4,
        (FactName.RUNS_FAILED, None, COUNT): 2,
        (FactName.RUN_SUCCESS_RATE, None, PERCENT): Decimal("66.67"),
        (FactName.AI_COST, None, "EUR"): Decimal("0.2468"),
    }


def incident(platform_key: str, since: datetime) -> OpenMatter:
    return OpenMatter(kind="incident", title="Panne", detail=None, level=None, platform_key=platform_key, since=since)


async def test_incidents_are_counted_by_platform_where_the_list_is_whole(clock: FakeClock) -> None:
    platforms = tuple(Platform(key=key, name=key, status="green") for key in ("nearvity", "swift-care"))
    company = Subject(run_type=find_run_type("DAILY_EXECUTIVE_BRIEF"), platforms=platforms)
    since = datetime(2026, 11, 20, 8, tzinfo=UTC)
    matters = [incident("nearvity", since), incident("nearvity", clock.now())]

    whole = await OpenMattersSource(FakeReader(matters=matters), clock=clock).collect(company)
    cut = await OpenMattersSource(FakeReader(matters=matters, unlisted=1), clock=clock).collect(company)

    of_the_company = {
        (FactName.PENDING_ACTIONS, None, COUNT): 0,
        (FactName.OPEN_INCIDENTS, None, COUNT): 2,
        (FactName.FAILED_RUNS_DAY, None, COUNT): 0,
        (FactName.OLDEST_INCIDENT_AGE, None, DAYS): 2,
    }
    assert values_of(whole) == of_the_company | {
        (FactName.OPEN_INCIDENTS, "nearvity", COUNT): 2,
        (FactName.OPEN_INCIDENTS, "swift-care", COUNT): 0,
    }
    assert {subject for _, subject, _ in values_of(cut)} == {None}


async def test_what_is_open_on_one_platform_is_its_own(clock: FakeClock) -> None:
    collected = await OpenMattersSource(FakeReader(), clock=clock).collect(SUBJECT)

    assert {fact.subject for fact in collected.facts} == {"nearvity"}
    assert collected.findings[0].platform_key == "nearvity"
