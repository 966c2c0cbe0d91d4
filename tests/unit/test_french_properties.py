"""Laws of the French that reports are written in."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.french import (
    format_change,
    format_count,
    format_day,
    format_duration,
    format_hour,
    format_moment,
    format_money,
    format_number,
    format_percent,
    pluralize,
)

_ROOT = Path(__file__).parents[2]
_amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=2)
_moments = st.integers(0, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def read_back(text: str) -> Decimal:
    return Decimal(text.replace("\u202f", "").replace(",", "."))


@given(amount=_amounts)
def test_a_number_reads_back_as_what_it_was(amount: Decimal) -> None:
    assert read_back(format_number(amount, 2)) == amount


@given(amount=_amounts, decimals=st.integers(0, 6))
def test_a_number_is_grouped_by_three_and_has_the_wanted_decimals(amount: Decimal, decimals: int) -> None:
    text = format_number(amount, decimals)

    assert re.fullmatch(r"-?\d{1,3}(\u202f\d{3})*" + (rf",\d{{{decimals}}}" if decimals else ""), text)
    assert not re.fullmatch(r"-[0,]+", text)


@given(amount=_amounts)
def test_a_change_carries_its_sign_and_nothing_else_does(amount: Decimal) -> None:
    text = format_change(amount, 2)

    assert text.startswith("+") == (amount > 0)
    assert text.startswith("-") == (amount < 0)
    assert text.removeprefix("+") == format_number(amount, 2)


@given(number=st.integers(-(10**9), 10**9))
def test_everything_below_two_is_singular(number: int) -> None:
    expected = "ticket ouvert" if abs(number) < 2 else "tickets ouverts"

    assert format_count(number, "ticket ouvert", "tickets ouverts") == f"{format_number(number)} {expected}"


@given(amount=_amounts, currency=st.sampled_from(["eur", "USD", "jpy", "KRW", "chf"]))
def test_money_has_the_decimals_of_its_currency(amount: Decimal, currency: str) -> None:
    figure, code = format_money(amount, currency).split(" ")

    assert code == currency.upper()
    assert ("," in figure) == (code not in {"JPY", "KRW"})


@given(moment=_moments)
def test_a_day_begins_with_its_number_and_the_first_is_1er(moment: datetime) -> None:
    number, month, year = format_day(moment).split(" ")

    assert (number == "1er") or 2 <= int(number) <= 31
    assert month.isalpha()
    assert abs(int(year) - moment.year) <= 1
    assert format_moment(moment).endswith(f"{format_day(moment)} à {format_hour(moment)}")


def test_figures_are_written_as_french_readers_write_them() -> None:
    assert format_money(Decimal("44100.00"), "jpy") == "44\u202f100 JPY"
    assert format_money(Decimal("1234.5"), "eur") == "1\u202f234,50 EUR"
    assert format_money(Decimal("0.24691"), "EUR", 4) == "0,2469 EUR"
    assert format_percent(Decimal("99.95"), 2) == "99,95 %"
    assert f"{format_change(Decimal('-0.05'), 2)} {pluralize(Decimal('-0.05'), 'point', 'points')}" == "-0,05 point"
    assert format_count(30, "ticket ouvert", "tickets ouverts") == "30 tickets ouverts"
    assert format_count(0, "nouveau", "nouveaux") == "0 nouveau"
    assert format_day(datetime(2026, 7, 31, 22, 30, tzinfo=UTC)) == "1er août 2026"
    assert format_hour(datetime(2026, 1, 5, 13, 5, tzinfo=UTC)) == "14 h 05 (heure de Paris)"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s")], ids=str
)
def test_a_duration_is_in_minutes_and_seconds(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


def test_no_french_sentence_leaves_the_plural_to_the_reader() -> None:
    parts = [
        f"{path.relative_to(_ROOT)}: {line.strip()}"
        for folder in ("shared", "workers")
        for path in sorted((_ROOT / folder).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"[a-zé]\(s\)", line) and not re.search(r"error\(s\)|\b[a-z_]+\(s\)[,)]", line)
    ]

    assert parts == []
