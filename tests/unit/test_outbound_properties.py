"""Laws of reading what untrusted parties send."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from workers.outbound.http import RETRY_AFTER_CAP, parse_retry_after

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(HEADER_TEXT, HEADER_TEXT)
def test_whatever_is_sent_the_wait_is_bounded_or_none(seconds: str, milliseconds: str) -> None:
    delay = parse_retry_after({"retry-after": seconds, "retry-after-ms": milliseconds}, NOW)

    assert delay is None or timedelta(0) <= delay <= RETRY_AFTER_CAP


@given(st.floats(allow_nan=False))
def test_any_number_is_a_wait(amount: float) -> None:
    assert parse_retry_after({"retry-after": str(amount)}, NOW) is not None


@given(st.integers(min_value=0, max_value=86_400))
def test_a_date_and_its_seconds_say_the_same(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert parse_retry_after({"retry-after": date}, NOW) == parse_retry_after({"retry-after": str(seconds)}, NOW)
