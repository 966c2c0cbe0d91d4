"""Patterns that were rewritten to be fast find what the plain ones find."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.executive_run.verification.fact_names import ENTRIES
from workers.executive_run.verification.lexicon import _MASTER
from workers.executive_run.verification.notation import (
    _BEGINNING,
    _FIRST,
    CURRENCIES,
    MONTHS,
    SCALES,
    SHORT_MONTHS,
    TOKEN,
)
from workers.executive_run.verification.number_words import _SMALL

THOUSAND = settings(max_examples=1000, deadline=None)
pytestmark = pytest.mark.timeout(300)

LOOKS = (f"(?={_FIRST})", f"(?={_BEGINNING})")
SLOW_TOKEN = re.compile(TOKEN.pattern.replace(LOOKS[0], "", 1).replace(LOOKS[1], "", 1), TOKEN.flags)
SLOW_MASTER = re.compile(
    "(?<![a-z0-9])(?:" + "|".join(f"(?P<e{place}>{entry.pattern})" for place, entry in enumerate(ENTRIES)) + ")"
)

_NOTATIONS = (
    *("https://a.fr/1", "[s1]", "[s1, s2; 3]", "cve-2026-12", "ghsa-ab12-cd34-ef56", "#12", "ab12cd3", "2026-11-29"),
    *("2026-11-29t12:30:00z", "29/11/2026", "1er", "t3", "s2-2026", "q1", "2e trimestre", "j+3", "m - 2", "h -1"),
    *("12h30", "12 h 05", "a 9 h", "12:30", "v2.8.0", "1.2.3-rc.1", "82/100", "8 sur 100", "3/4", "3e", "2nd"),
    *("p95", "gpt-4", "b2b", "2fa", "3d", "7 derniers jours", "deux prochaines semaines", "+3", "-4", "€ 5", "$5"),
    *("£5", "eur 12", "usd 3", "1 234,5", "1,234.5", "12 %", "3 pts", "4 ms", "5 mois", "12 ct", "pour cent", "'"),
)
_PIECES = sorted({*_NOTATIONS, *MONTHS, *SHORT_MONTHS, *CURRENCIES, *SCALES, *_SMALL, *"0123456789 -+.,;:/#[]()%"})
_soups = st.lists(st.sampled_from(_PIECES), max_size=8).flatmap(
    lambda pieces: st.sampled_from(["", " ", "-", "\u2013"]).map(lambda glue: glue.join(pieces))
)
_words = st.sampled_from(sorted({word for entry in ENTRIES for word in re.findall(r"[a-z']{2,}", entry.pattern)}))
_written = st.sampled_from(ENTRIES).flatmap(lambda entry: st.from_regex(entry.pattern, fullmatch=True))
_names = st.lists(st.one_of(_words, _written), max_size=5).map(" ".join)


def _spans(pattern: re.Pattern[str], text: str) -> list[tuple[int, int, str | None]]:
    return [(*found.span(), found.lastgroup) for found in pattern.finditer(text)]


def test_the_slow_token_lacks_what_makes_the_other_fast() -> None:
    assert len(SLOW_TOKEN.pattern) == len(TOKEN.pattern) - sum(map(len, LOOKS))


@given(_soups)
@THOUSAND
def test_every_figure_begins_as_is_asked_for(text: str) -> None:
    assert _spans(TOKEN, text) == _spans(SLOW_TOKEN, text)


@pytest.mark.parametrize("frame", ["{}", "le {}", "({})", "x{}", "{} 12 "])
def test_every_notation_is_found_by_both(frame: str) -> None:
    texts = [frame.format(piece) for piece in _PIECES]

    assert [_spans(TOKEN, text) for text in texts] == [_spans(SLOW_TOKEN, text) for text in texts]


def test_the_names_patterns_hold_nothing_that_splitting_them_overlooks() -> None:
    """Borders that are no borders, and groups that are tried in another order."""
    overlooked = re.compile(r"\\[|()]|\[[^\]]*[|()]|\)\?[?+]")

    assert [entry.pattern for entry in ENTRIES if overlooked.search(entry.pattern)] == []


@given(_names)
@settings(max_examples=1000, deadline=None)
def test_the_names_of_facts_are_found_as_their_plain_patterns_find_them(text: str) -> None:
    found = [(*found.span(), _entry(found)) for found in _MASTER.finditer(text)]

    assert found == [(*found.span(), _entry(found)) for found in SLOW_MASTER.finditer(text)]


def _entry(found: re.Match[str]) -> str:
    assert found.lastgroup is not None
    return found.lastgroup.partition("_")[0]
