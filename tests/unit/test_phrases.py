"""Patterns that are searched for only where a text holds their words."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.executive_run.verification.actions import _FIRST_PERSON
from workers.executive_run.verification.leaks import _PHRASES
from workers.executive_run.verification.phrases import Phrases

_TWO = Phrases.compile((("ai ", r"\bj'ai (?:lu|vu)\b"), ("lu", r"\blu\b")))


def test_the_first_match_in_the_text_is_found_whichever_pattern_it_is_of() -> None:
    found = _TWO.search("je l'ai lu, j'ai vu")

    assert found is not None
    assert found.span() == (8, 10)


def test_of_patterns_that_match_at_one_place_the_first_is_taken() -> None:
    found = Phrases.compile((("lu", "lu"), ("lus", "lus"))).search("lus")

    assert found is not None
    assert found[0] == "lu"


def test_a_stretch_is_searched_alone() -> None:
    assert _TWO.search("j'ai lu", 0, 4) is None


def test_a_text_without_a_pattern_s_word_is_not_searched_for_it() -> None:
    assert [word for word, _ in _TWO.within("salut").patterns] == ["lu"]
    assert not _TWO.within("rien").patterns


@pytest.mark.parametrize("phrases", [_FIRST_PERSON, _PHRASES], ids=["actions", "leaks"])
def test_every_match_holds_its_word(phrases: Phrases) -> None:
    """Of the texts that a pattern allows, a few."""
    for word, pattern in phrases.patterns:
        assert_matches_hold(word, pattern)


def test_a_word_of_one_alternative_is_found_out() -> None:
    (pattern,) = Phrases.compile((("lu", r"\bj'ai (?:lu|vu)\b"),)).patterns

    with pytest.raises(AssertionError):
        assert_matches_hold(*pattern)


def assert_matches_hold(word: str, pattern: re.Pattern[str]) -> None:
    @settings(max_examples=15, database=None, deadline=None, derandomize=True)
    @given(st.from_regex(pattern))
    def assert_held(text: str) -> None:
        found = pattern.search(text)
        assert found is not None
        assert word in found[0]

    assert_held()
