"""What a report asks of the HQ's own database: what its type needs and the settings allow; what is odd costs itself."""

from datetime import UTC, datetime

import pytest

from shared.registry import RUN_TYPES, SourceName, find_run_type
from workers.backend.report_inputs import InputRow, choose_reads, read_rows
from workers.settings import DatabaseSourceSettings

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
FACT = {
    "lookback": "day", "name": "mrr", "subject": None, "value": "12.50", "unit": "EUR", "source": "stripe", "scope": "",
    "at": NOW.isoformat(),
}  # fmt: skip
PAST = {"run_id": "x", "completed_at": NOW.isoformat(), "text": "## Bref", "before": None, "doubted": ["12 €"]}


@pytest.fixture
def settings() -> DatabaseSourceSettings:
    return DatabaseSourceSettings.model_validate({})


@pytest.mark.parametrize("key", RUN_TYPES)
def test_a_report_reads_its_memory_its_facts_and_the_tables_of_its_sources(
    key: str, settings: DatabaseSourceSettings
) -> None:
    reads = choose_reads(settings)(key)

    sources = {source.value for source in find_run_type(key).sources}
    assert set(reads) - {"past", "earlier"} <= sources
    assert reads["earlier"] == {"sources": [source.value for source in find_run_type(key).sources]}


def test_an_unknown_type_reads_nothing(settings: DatabaseSourceSettings) -> None:
    assert choose_reads(settings)("GONE") == {}


@pytest.mark.parametrize(
    "source",
    [
        SourceName.AGENTS_WORK,
        SourceName.AUDIENCE,
        SourceName.COMMERCIAL,
        SourceName.CONTACTS,
        SourceName.DECISIONS,
        SourceName.PERSONAL_DATA,
    ],
)
def test_what_a_setting_forbids_is_not_read(source: SourceName, settings: DatabaseSourceSettings) -> None:
    forbidden = settings.model_copy(update={source.value: False})

    assert all(source.value not in choose_reads(forbidden)(key) for key in RUN_TYPES)


def test_titles_that_people_typed_are_off_by_default(settings: DatabaseSourceSettings) -> None:
    assert settings.decision_titles is False


def test_rows_become_what_a_report_is_given() -> None:
    rows = [
        InputRow(kind="platforms", data=[], error=None),
        InputRow(kind="past", data=PAST, error=None),
        InputRow(kind="earlier", data=[FACT, FACT | {"value": "odd"}, 3], error=None),
        InputRow(kind="contacts", data={"total": 1}, error=None),
        InputRow(kind="audience", data=None, error=None),
        InputRow(kind="commercial", data=None, error="42P01"),
    ]

    inputs = read_rows(rows)

    assert inputs.past is not None
    assert (inputs.past.text, inputs.past.doubted) == ("## Bref", ("12 €",))
    assert [str(fact.value) for fact in inputs.earlier] == ["12.50"]
    assert inputs.tables == {"contacts": {"total": 1}, "audience": None}


@pytest.mark.parametrize("odd", [3, "x", {}, {"completed_at": "never", "text": 1}])
def test_an_odd_report_before_is_none(odd: object) -> None:
    assert read_rows([InputRow.model_validate({"kind": "past", "data": odd, "error": None})]).past is None
