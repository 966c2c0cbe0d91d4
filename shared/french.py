"""Numbers, money, plurals, days and hours as French readers write them: one function each, used everywhere.

The French forms are ``babel``'s data (CLDR); ours are the choice of a form, and the « 1er » of a month.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from babel import Locale
from babel.numbers import NumberPattern, get_currency_precision, parse_pattern

from shared.run_types.model import TIME_ZONE

_FRENCH: Final = Locale("fr")


def format_number(value: Decimal | float, decimals: int = 0) -> str:
    """Return « 1 234,50 », with exactly as many decimals. Cost: about 8 µs."""
    # Adding zero removes the minus sign of a number that rounds to zero.
    rounded = round(Decimal(str(value)), decimals) + 0
    text: str = _pattern(decimals).apply(rounded, _FRENCH)
    return text


def count_decimals(number: Decimal) -> int:
    """Count the decimals that a number is written with; 0 for one that is not finite."""
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def format_change(value: Decimal | float, decimals: int = 0) -> str:
    """Return « +3 », « 0 » or « -0,05 »: a number with its sign."""
    text = format_number(value, decimals)
    return f"+{text}" if value > 0 else text


def format_percent(hundredths: Decimal | float, decimals: int = 0) -> str:
    """Return « 99,95 % ». Units: 100 is the whole."""
    return f"{format_number(hundredths, decimals)} %"


def format_money(amount: Decimal, currency: str, decimals: int | None = None) -> str:
    """Return « 1 234,50 EUR » or « 44 100 JPY »: as many decimals as the currency has, unless given."""
    code = currency.upper()
    return f"{format_number(amount, get_currency_precision(code) if decimals is None else decimals)} {code}"


def pluralize(number: Decimal | float, one: str, many: str) -> str:
    """Return the form that goes with a number: in French, everything below two is singular."""
    return one if _FRENCH.plural_form(number) == "one" else many


def format_count(number: int, one: str, many: str) -> str:
    """Return « 1 ticket ouvert » or « 30 tickets ouverts »."""
    return f"{format_number(number)} {pluralize(number, one, many)}"


def format_duration(took: timedelta) -> str:
    """Return « 2 min 05 s » or « 12 s »."""
    minutes, seconds = divmod(round(took.total_seconds()), 60)
    return f"{format_number(minutes)} min {seconds:02d} s" if minutes else f"{seconds} s"


def format_day(moment: datetime) -> str:
    """Return « 3 novembre 2026 », the date in Paris."""
    return format_date(moment.astimezone(TIME_ZONE).date())


def format_date(day: date) -> str:
    """Return « 3 novembre 2026 »."""
    number = "1er" if day.day == 1 else str(day.day)
    return f"{number} {_FRENCH.months['format']['wide'][day.month]} {day.year}"


def format_hour(moment: datetime) -> str:
    """Return « 14 h 05 (heure de Paris) »."""
    local = moment.astimezone(TIME_ZONE)
    return f"{local.hour} h {local.minute:02d} (heure de Paris)"


@lru_cache(maxsize=64)
def format_moment(moment: datetime) -> str:
    """Return « mardi 3 novembre 2026 à 14 h 05 (heure de Paris) ».

    Cost: next to none for a moment that was written just before: all sources of a report are read in one.
    """
    weekday = _FRENCH.days["format"]["wide"][moment.astimezone(TIME_ZONE).weekday()]
    return f"{weekday} {format_day(moment)} à {format_hour(moment)}"


@cache
def _pattern(decimals: int) -> NumberPattern:
    return parse_pattern("#,##0" + ("." + "0" * decimals if decimals else ""))
