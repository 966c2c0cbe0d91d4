"""What goes to the database can be held by it, whatever untrusted callers wrote."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from structlog.testing import capture_logs

from workers.backend.rpc import OneRow, Rows, _storable
from workers.ports import LastRun


def any_json(texts: st.SearchStrategy[str], *, numbers: st.SearchStrategy[float]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=10,
    )


written = st.text(st.characters() | st.sampled_from(["\x00", "\ud83d", "\udc00"]))
storable = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


not_finite = st.sampled_from([math.nan, math.inf, -math.inf])


@given(any_json(written, numbers=st.floats() | not_finite))
@example({"a": [math.nan, "\x00", "\ud83d"]})
def test_any_value_goes_over_the_wire_and_into_postgresql(value: object) -> None:
    sent = json.dumps(_storable(value), ensure_ascii=False, allow_nan=False).encode()

    assert b"\\u0000" not in sent.replace(b"\\\\", b"")


@given(any_json(storable, numbers=st.floats(allow_nan=False, allow_infinity=False)))
def test_what_can_be_held_as_it_is_is_not_touched(value: object) -> None:
    assert _storable(value) == value


def _last_runs() -> Rows[LastRun]:
    return Rows(TypeAdapter(LastRun), key="run_id")


@pytest.mark.parametrize("answer", [[], None, {}, "", [[]], [None]])
def test_an_answer_without_its_one_row_has_another_shape(answer: object) -> None:
    with pytest.raises(ValidationError):
        OneRow(TypeAdapter(LastRun)).validate_python(answer)


def _last_run(number: int, **fields: object) -> dict[str, object]:
    run_id = f"00000000-0000-4000-8000-{number:012}"
    return {"run_id": run_id, "run_type": "X", "status": "completed", "completed_at": "2026-01-01T00:00:00Z"} | fields


@given(st.lists(st.booleans(), max_size=6))
def test_each_odd_row_costs_itself(are_odd: list[bool]) -> None:
    rows = [
        _last_run(number, completed_at="20260-01-01T00:00:00+00:00" if is_odd else "2026-01-01T00:00:00Z")
        for number, is_odd in enumerate(are_odd)
    ]

    with capture_logs():
        read = _last_runs().validate_python(rows)

    assert [run.run_id.int & 0xFF for run in read] == [n for n, is_odd in enumerate(are_odd) if not is_odd]


def test_an_odd_row_is_logged_once_by_its_key() -> None:
    odd = _last_run(77, status="lost")
    shape = _last_runs()
    with capture_logs() as logs:
        for _ in range(3):
            assert len(shape.validate_python([odd, _last_run(1)])) == 1

    assert logs == [
        {
            "event": "row.unreadable",
            "log_level": "warning",
            "run_id": odd["run_id"],
            "field": "status",
        }
    ]


def test_rows_that_lack_a_field_are_an_answer_in_another_shape() -> None:
    lacking = _last_run(1)
    del lacking["completed_at"]

    with pytest.raises(ValidationError):
        _last_runs().validate_python([lacking])
